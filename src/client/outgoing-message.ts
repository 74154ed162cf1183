import { checkTopicName, encodeProperties, limits, PropertyName } from '../message/mod.ts';
import { ClientError } from './client-error.ts';

/** A message to send. */
export interface OutgoingMessage {
  topic: string;
  /** 1 byte … 4 MiB; kept unchanged until the send settles. */
  body: Uint8Array;
  /** One tag, which subscriptions filter by. */
  tag?: string;
  /** Keys to find the message by; without blanks. */
  keys?: readonly string[];
  /** The user's own. */
  properties?: Readonly<Record<string, string>>;
  /** 1 … 18: delivered after the broker's delay of that level. */
  delayLevel?: number;
  /** False: the broker answers without waiting for flush and replication. */
  waitForStore?: boolean;
  /** Any 32 bits, handed to consumers unchanged. */
  flag?: number;
}

/** The properties string of a message. Throws ClientError 'invalid' for what a broker would refuse. */
export function propertiesOf(message: OutgoingMessage, uniqueKey: string): string {
  checkMessage(message);
  const entries = new Map<string, string>();
  for (const [name, value] of Object.entries(message.properties ?? {})) {
    if (reservedNames.has(name)) throw invalid(`the property ${name} belongs to RocketMQ`);
    if (name === '' || separator.test(name) || separator.test(value)) {
      throw invalid(`the property ${JSON.stringify(name)} is empty or has a control character`);
    }
    entries.set(name, value);
  }
  if (message.keys !== undefined && message.keys.length > 0) entries.set(PropertyName.KEYS, message.keys.join(' '));
  if (message.tag !== undefined) entries.set(PropertyName.TAGS, message.tag);
  if (message.delayLevel !== undefined) entries.set(PropertyName.DELAY, String(message.delayLevel));
  if (message.waitForStore === false) entries.set(PropertyName.WAIT, 'false');
  entries.set(PropertyName.UNIQ_KEY, uniqueKey);
  const text = encodeProperties(entries);
  if (Buffer.byteLength(text) > limits.propertiesSizeMax) {
    throw invalid(`the properties have ${Buffer.byteLength(text)} bytes, the limit is ${limits.propertiesSizeMax}`);
  }
  return text;
}

function checkMessage(message: OutgoingMessage): void {
  const topicProblem = checkTopicName(message.topic);
  if (topicProblem !== undefined) throw invalid(topicProblem);
  if (message.body.length === 0) throw invalid('the body is empty');
  if (message.body.length > limits.bodySizeMax) {
    throw invalid(`the body has ${message.body.length} bytes, the limit is ${limits.bodySizeMax}`);
  }
  if (message.keys?.some((key) => key === '' || key.includes(' ') || separator.test(key))) {
    throw invalid('a key is empty, or has a blank or a control character');
  }
  if (message.tag !== undefined && (message.tag.includes('|') || separator.test(message.tag))) {
    throw invalid('the tag has a bar or a control character');
  }
}

const separator = new RegExp(`[${String.fromCharCode(1, 2)}]`);

/** Set by this client, or by the broker: not the user's to set. */
const reservedNames: ReadonlySet<string> = new Set(
  Object.values(PropertyName).filter((name) => !name.startsWith('_') && name !== PropertyName.INNER_MULTI_DISPATCH),
);

function invalid(problem: string): ClientError {
  return new ClientError('invalid', problem);
}
