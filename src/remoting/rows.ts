/**
 * The rows of the commands table prepared for the codecs: each field with the bytes that announce it in either
 * serialization, and the reading of values from text with Apache's judgement on what is missing.
 */

import { AnswerTemplate } from './answer-template.ts';
import { ResponseCode, ResponseError } from './codes.ts';
import { type Command, type CommandName, commands } from './commands.ts';
import type { FieldValue, FieldValues } from './field-values.ts';
import type { FieldKind, Fields } from './fields.ts';

export interface PreparedField {
  /** The row's key, and a handler's property. */
  readonly name: string;
  /** The name in extFields. */
  readonly wire: string;
  readonly kind: FieldKind;
  readonly required: boolean;
  /** `"wire":"` */
  readonly jsonKey: Buffer;
  /** int16 length, then the name. */
  readonly binaryKey: Buffer;
}

/** What a writer needs of a header's fields. */
export interface PreparedHeader {
  readonly fields: readonly PreparedField[];
  /** Bytes that suffice for all fields of either serialization, the texts' contents not counted. */
  readonly sizeWithoutTexts: number;
  readonly template: AnswerTemplate;
}

export interface PreparedCommand {
  readonly command: CommandName;
  readonly row: Command;
  readonly request: readonly PreparedField[];
  readonly response: readonly PreparedField[];
  readonly requestHeader: PreparedHeader;
  readonly responseHeader: PreparedHeader;
}

/** The digits of any safe integer, with sign, quote and comma. */
const numberSizeMax = 24;

function prepareHeader(fields: readonly PreparedField[]): PreparedHeader {
  return {
    fields,
    sizeWithoutTexts: fields.reduce((sum, { jsonKey }) => sum + jsonKey.length + numberSizeMax, 0),
    template: new AnswerTemplate(fields.map(({ jsonKey }) => jsonKey.length)),
  };
}

function prepareFields(fields: Fields): PreparedField[] {
  return Object.entries(fields).map(([name, field]) => {
    const wire = field.wire ?? name;
    const binaryKey = Buffer.alloc(2 + wire.length);
    binaryKey.writeInt16BE(wire.length);
    binaryKey.write(wire, 2, 'latin1');
    return {
      name,
      wire,
      kind: field.kind,
      required: field.required,
      jsonKey: Buffer.from(`"${wire}":"`, 'latin1'),
      binaryKey,
    };
  });
}

function prepare(command: CommandName): PreparedCommand {
  const row: Command = commands[command];
  const request = prepareFields(row.request);
  const response = prepareFields(row.response);
  const requestHeader = prepareHeader(request);
  return { command, row, request, response, requestHeader, responseHeader: prepareHeader(response) };
}

const byName = new Map<CommandName, PreparedCommand>(
  (Object.keys(commands) as CommandName[]).map((command) => [command, prepare(command)]),
);

const byCode = new Map<number, PreparedCommand>([...byName.values()].map((prepared) => [prepared.row.code, prepared]));

export function preparedCommand(command: CommandName): PreparedCommand {
  const prepared = byName.get(command);
  if (prepared === undefined) throw new Error(`no command ${command}`);
  return prepared;
}

export function preparedByCode(code: number): PreparedCommand | undefined {
  return byCode.get(code);
}

/** Where each field of a request stands in its row: the slots of a HeaderView. */
export function slotsOf<K extends CommandName>(
  command: K,
): { readonly [F in keyof (typeof commands)[K]['request']]: number } {
  const slots = preparedCommand(command).request.map((field, slot) => [field.name, slot]);
  return Object.fromEntries(slots) as { readonly [F in keyof (typeof commands)[K]['request']]: number };
}

/** Where each field of a response stands in its row: the slots of a reply's `values`. */
export function responseSlotsOf<K extends CommandName>(
  command: K,
): { readonly [F in keyof (typeof commands)[K]['response']]: number } {
  const slots = preparedCommand(command).response.map((field, slot) => [field.name, slot]);
  return Object.fromEntries(slots) as { readonly [F in keyof (typeof commands)[K]['response']]: number };
}

/** The values of named fields, by slot. */
export function valuesOf(header: PreparedHeader, fields: Readonly<Record<string, unknown>>): FieldValues {
  return header.fields.map(({ name }) => fields[name] as FieldValue | undefined);
}

/** Refuses a request that lacks a required field; the words that follow the command name say which. */
export function missingField(command: PreparedCommand, field: PreparedField): ResponseError {
  const spelled = field.wire === field.name ? field.wire : `${field.wire} (${field.name})`;
  return new ResponseError(ResponseCode.SYSTEM_ERROR, `${command.row.name} lacks the header field ${spelled}`);
}

function malformed(field: PreparedField, text: string, wanted: string): ResponseError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new ResponseError(ResponseCode.SYSTEM_ERROR, `header field ${field.wire} is not ${wanted}: '${shown}'`);
}

/** The value of a field whose sender left it out and whose row does not insist (Java's defaults). */
export function absentValue(kind: FieldKind): string | number | boolean {
  return kind === 'text' ? '' : kind === 'bool' ? false : 0;
}

/**
 * Reads a value by its kind. Throws ResponseError for what is no number, or none of the kind's range. (Apache logs
 * that and goes on with 0 in most commands; an offset of 0 that nobody meant does more harm than an error.)
 */
export function readValue(field: PreparedField, text: string): string | number | boolean {
  switch (field.kind) {
    case 'text':
      return text;
    case 'bool':
      return text.length === 4 && text.toLowerCase() === 'true';
    case 'i32': {
      const number = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : Number.NaN;
      if (number !== (number | 0)) throw malformed(field, text, 'a 32-bit number');
      return number | 0;
    }
    default:
      return readI64Text(field, text);
  }
}

function readI64Text(field: PreparedField, text: string): number {
  if (!/^[+-]?\d{1,19}$/.test(text)) throw malformed(field, text, 'a 64-bit number');
  const number = Number(text);
  if (Number.isSafeInteger(number)) return number + 0;
  if (BigInt.asIntN(64, BigInt(text.replace('+', ''))) !== BigInt(text.replace('+', ''))) {
    throw malformed(field, text, 'a 64-bit number');
  }
  if (field.kind === 'time') return number > 0 ? Number.MAX_SAFE_INTEGER : Number.MIN_SAFE_INTEGER;
  throw malformed(field, text, 'a number up to 2^53-1 in size');
}

type Values = Record<string, string | number | boolean>;

/** A request's fields as its handler gets them. Throws ResponseError for missing ones of strict rows, and bad values. */
export function readRequestFields(command: PreparedCommand, extFields: ReadonlyMap<string, string>): Values {
  const values: Values = {};
  for (const field of command.request) {
    const text = extFields.get(field.wire);
    if (text !== undefined && (text !== '' || field.kind === 'text')) values[field.name] = readValue(field, text);
    else if (field.required) {
      if (command.row.strict === true) throw missingField(command, field);
      values[field.name] = absentValue(field.kind);
    }
  }
  return values;
}

/** A response's fields, as far as they are there. Throws ResponseError for bad values. */
export function readResponseFields(command: PreparedCommand, extFields: ReadonlyMap<string, string>): Values {
  const values: Values = {};
  for (const field of command.response) {
    const text = extFields.get(field.wire);
    if (text !== undefined && (text !== '' || field.kind === 'text')) values[field.name] = readValue(field, text);
  }
  return values;
}
