/**
 * Attributes of topics and groups: a small map that administrators change by `+name=value,-name`
 * (RocketMQ: AttributeParser, AttributeUtil, TopicAttributes, SubscriptionGroupAttributes).
 */
interface Attribute {
  readonly accepts: (value: string) => boolean;
  /** For the error message: what it accepts. */
  readonly values: string;
  /** May change after creation. */
  readonly changeable: boolean;
}

export type Attributes = Readonly<Record<string, string>>;

const oneOf = (...choices: string[]): Omit<Attribute, 'changeable'> => ({
  accepts: (value) => choices.includes(value),
  values: choices.join(', '),
});
const between = (min: number, max: number): Omit<Attribute, 'changeable'> => ({
  accepts: (value) => /^-?\d{1,16}$/.test(value) && Number(value) >= min && Number(value) <= max,
  values: `${min} to ${max}`,
});
const anyText: Omit<Attribute, 'changeable'> = { accepts: (value) => value.length <= 1024, values: 'a short text' };
const truth = oneOf('true', 'false');

export const topicAttributes: Readonly<Record<string, Attribute>> = {
  'queue.type': { ...oneOf('SimpleCQ', 'BatchCQ'), changeable: false },
  'cleanup.policy': { ...oneOf('DELETE', 'COMPACTION'), changeable: false },
  'message.type': {
    ...oneOf('UNSPECIFIED', 'NORMAL', 'FIFO', 'DELAY', 'TRANSACTION', 'PRIORITY', 'LITE', 'MIXED'),
    changeable: true,
  },
  'lite.topic.expiration': { ...between(-1, Number.MAX_SAFE_INTEGER), changeable: true },
};

export const groupAttributes: Readonly<Record<string, Attribute>> = {
  'priority.factor': { ...between(0, 100), changeable: true },
  'lite.bind.topic': { ...anyText, changeable: false },
  'lite.sub.model': { ...oneOf('Shared', 'Exclusive'), changeable: true },
  'lite.sub.reset.offset.exclusive': { ...truth, changeable: true },
  'lite.sub.reset.offset.unsubscribe': { ...truth, changeable: true },
  'lite.sub.client.quota': { ...between(-1, Number.MAX_SAFE_INTEGER), changeable: true },
  'lite.sub.client.max.event.cnt': { ...between(10, Number.MAX_SAFE_INTEGER), changeable: true },
  'lite.sub.wildcard': { ...truth, changeable: true },
};

/** Reads `+name=value,-name`. Gives the changes by signed name, or a sentence that says what is wrong. */
export function parseAttributeChanges(text: string | undefined): Attributes | string {
  const changes: Record<string, string> = Object.create(null);
  for (const part of (text ?? '').split(',')) {
    const change = part.trim();
    if (change === '') continue;
    const equals = change.indexOf('=');
    const name = (equals < 0 ? change : change.slice(0, equals)).trim();
    const sign = equals < 0 ? '-' : '+';
    if (name[0] !== sign || name.length < 2) {
      return `attribute ${JSON.stringify(change)} is malformed: write +name=value to set, -name to remove`;
    }
    if (name in changes) return `attribute ${name.slice(1)} is given twice`;
    changes[name] = equals < 0 ? '' : change.slice(equals + 1).trim();
  }
  return changes;
}

/** Applies changes to what stands (undefined at creation). Gives the new attributes, or a sentence that says why not. */
export function changeAttributes(
  table: Readonly<Record<string, Attribute>>,
  current: Attributes | undefined,
  changes: Attributes,
): Attributes | string {
  const result: Record<string, string> = { ...current };
  for (const [signed, value] of Object.entries(changes)) {
    const name = signed.slice(1);
    if (!Object.hasOwn(table, name)) return `unsupported attribute ${name}: known are ${Object.keys(table).join(', ')}`;
    const attribute = table[name];
    if (current !== undefined && !attribute.changeable && result[name] !== value) {
      return `attribute ${name} can only be set at creation`;
    }
    if (signed[0] === '-') {
      if (current === undefined) return `attribute ${name} cannot be removed at creation`;
      if (!Object.hasOwn(result, name)) return `attribute ${name} cannot be removed: it is not set`;
      delete result[name];
    } else {
      if (!attribute.accepts(value)) return `attribute ${name}=${value}: must be ${attribute.values}`;
      result[name] = value;
    }
  }
  return result;
}
