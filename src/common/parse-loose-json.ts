import { writeLooseJson } from './write-loose-json.ts';

/**
 * JSON as RocketMQ's Java parts (fastjson) write it: besides standard JSON
 *
 *     {0:"10.0.0.1:10911"}                       bare integer keys                  key "0"
 *     {{"brokerName":"b","queueId":0}:{…}}       objects as keys                    key = their JSON text, keys sorted
 *     {'a':'b',}                                 single quotes, trailing commas
 *     9223372036854775807                        longs                              bigint when beyond 2^53-1
 *
 * Made for hostile input: no recursion beyond `depthMax`, no backtracking, time linear in the text. Objects have no
 * prototype, so that `__proto__` and `constructor` are keys like any other; of duplicate keys the last one counts.
 */
export type JsonValue = null | boolean | number | bigint | string | JsonValue[] | JsonObject;
export interface JsonObject {
  [key: string]: JsonValue;
}

/** The text is not JSON in this dialect, or nested too deeply. */
export class JsonError extends Error {
  override readonly name = 'JsonError';
}

const depthMaxDefault = 64;
/** Longer runs of digits cannot be a Java long; they are read as doubles. */
const longDigitsMax = 19;

/** Throws JsonError, which names the position. */
export function parseLooseJson(text: string, options: { depthMax?: number } = {}): JsonValue {
  const parser = new Parser(text, options.depthMax ?? depthMaxDefault);
  const value = parser.value(0);
  parser.end();
  return value;
}

const code = {
  tab: 9,
  lineFeed: 10,
  carriageReturn: 13,
  space: 32,
  quote: 34,
  plus: 43,
  apostrophe: 39,
  comma: 44,
  minus: 45,
  dot: 46,
  zero: 48,
  nine: 57,
  colon: 58,
  upperE: 69,
  openBracket: 91,
  backslash: 92,
  closeBracket: 93,
  e: 101,
  f: 102,
  n: 110,
  t: 116,
  openBrace: 123,
  closeBrace: 125,
};

const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  "'": "'",
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};

class Parser {
  readonly #text: string;
  readonly #depthMax: number;
  #at = 0;

  constructor(text: string, depthMax: number) {
    this.#text = text;
    this.#depthMax = depthMax;
  }

  value(depth: number): JsonValue {
    const first = this.#skipSpace();
    switch (first) {
      case code.openBrace:
        return this.#object(depth + 1);
      case code.openBracket:
        return this.#array(depth + 1);
      case code.quote:
      case code.apostrophe:
        return this.#string(first);
      case code.t:
        return this.#word('true', true);
      case code.f:
        return this.#word('false', false);
      case code.n:
        return this.#word('null', null);
      default:
        if (first === code.minus || isDigit(first)) return this.#number();
        throw this.#wrong('a value');
    }
  }

  end(): void {
    if (!Number.isNaN(this.#skipSpace())) throw this.#wrong('the end');
  }

  #object(depth: number): JsonObject {
    this.#checkDepth(depth);
    this.#at++;
    const object: JsonObject = Object.create(null);
    for (;;) {
      const first = this.#skipSpace();
      if (first === code.closeBrace) break;
      const key = this.#key(first, depth);
      if (this.#skipSpace() !== code.colon) throw this.#wrong('":"');
      this.#at++;
      object[key] = this.value(depth);
      if (!this.#anotherItem(code.closeBrace, '"," or "}"')) break;
    }
    this.#at++;
    return object;
  }

  #key(first: number, depth: number): string {
    if (first === code.quote || first === code.apostrophe) return this.#string(first);
    if (first === code.minus || isDigit(first)) return String(this.#number());
    if (first === code.openBrace) return writeLooseJson(this.#object(depth + 1));
    throw this.#wrong('a key');
  }

  #array(depth: number): JsonValue[] {
    this.#checkDepth(depth);
    this.#at++;
    const array: JsonValue[] = [];
    while (this.#skipSpace() !== code.closeBracket) {
      array.push(this.value(depth));
      if (!this.#anotherItem(code.closeBracket, '"," or "]"')) break;
    }
    this.#at++;
    return array;
  }

  /** Passes a comma and gives true; stays at the closing character and gives false. */
  #anotherItem(close: number, expected: string): boolean {
    const next = this.#skipSpace();
    if (next === close) return false;
    if (next !== code.comma) throw this.#wrong(expected);
    this.#at++;
    return true;
  }

  #string(quote: number): string {
    const text = this.#text;
    const start = this.#at + 1;
    let at = start;
    for (;;) {
      const char = text.charCodeAt(at);
      if (char === quote) {
        this.#at = at + 1;
        return text.slice(start, at);
      }
      if (char === code.backslash) return this.#escapedString(quote, start, at);
      if (Number.isNaN(char)) throw this.#wrong('a closing quote', at);
      at++;
    }
  }

  #escapedString(quote: number, start: number, firstEscape: number): string {
    const text = this.#text;
    let result = text.slice(start, firstEscape);
    let at = firstEscape;
    let plainFrom = at;
    for (;;) {
      const char = text.charCodeAt(at);
      if (char === quote) {
        this.#at = at + 1;
        return result + text.slice(plainFrom, at);
      }
      if (Number.isNaN(char)) throw this.#wrong('a closing quote', at);
      if (char !== code.backslash) {
        at++;
        continue;
      }
      result += text.slice(plainFrom, at);
      const letter = text[at + 1];
      if (letter === 'u') {
        const digits = text.slice(at + 2, at + 6);
        if (!/^[0-9a-fA-F]{4}$/.test(digits)) throw this.#wrong('four hex digits', at + 2);
        result += String.fromCharCode(Number.parseInt(digits, 16));
        at += 6;
      } else {
        const plain = letter === undefined ? undefined : escapes[letter];
        if (plain === undefined) throw this.#wrong('a known escape', at + 1);
        result += plain;
        at += 2;
      }
      plainFrom = at;
    }
  }

  #number(): number | bigint {
    const text = this.#text;
    const start = this.#at;
    let at = start;
    if (text.charCodeAt(at) === code.minus) at++;
    const digitsFrom = at;
    while (isDigit(text.charCodeAt(at))) at++;
    const digitCount = at - digitsFrom;
    if (digitCount === 0) throw this.#wrong('a digit', at);
    let whole = true;
    if (text.charCodeAt(at) === code.dot) {
      whole = false;
      at++;
      while (isDigit(text.charCodeAt(at))) at++;
    }
    const exponent = text.charCodeAt(at);
    if (exponent === code.e || exponent === code.upperE) {
      whole = false;
      at++;
      const sign = text.charCodeAt(at);
      if (sign === code.plus || sign === code.minus) at++;
      if (!isDigit(text.charCodeAt(at))) throw this.#wrong('a digit', at);
      while (isDigit(text.charCodeAt(at))) at++;
    }
    this.#at = at;
    const literal = text.slice(start, at);
    const number = Number(literal);
    if (!whole || digitCount < 16 || digitCount > longDigitsMax || Number.isSafeInteger(number)) return number;
    return BigInt(literal);
  }

  #word<T extends boolean | null>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw this.#wrong('a value');
    this.#at += word.length;
    return value;
  }

  /** Moves to the next character that is not white space and gives its code, NaN at the end. */
  #skipSpace(): number {
    for (;;) {
      const char = this.#text.charCodeAt(this.#at);
      if (char === code.space || char === code.lineFeed || char === code.carriageReturn || char === code.tab) {
        this.#at++;
      } else {
        return char;
      }
    }
  }

  #checkDepth(depth: number): void {
    if (depth > this.#depthMax) throw new JsonError(`JSON nested deeper than ${this.#depthMax} at ${this.#at}`);
  }

  #wrong(expected: string, at = this.#at): JsonError {
    const found = at < this.#text.length ? JSON.stringify(this.#text[at]) : 'the end';
    return new JsonError(`JSON: expected ${expected} at ${at}, found ${found}`);
  }
}

function isDigit(char: number): boolean {
  return char >= code.zero && char <= code.nine;
}
