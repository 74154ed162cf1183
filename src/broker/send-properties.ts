import { javaHash, javaHashOn, javaHashOnUtf8 } from '../common/mod.ts';
import { PropertyName } from '../message/mod.ts';

/**
 * The properties of a sent message, read in one pass over their bytes (`name 0x01 value 0x02 …`): where the few stand
 * that every send needs, and whether there is one that asks for more than appending the broker's own.
 */
const nameEnd = 1;
const itemEnd = 2;
const space = 0x20;
const noWait = Buffer.from('false');

/** Names that the fast path needs the values of. */
const uniqKey = Buffer.from(PropertyName.UNIQ_KEY);
const tags = Buffer.from(PropertyName.TAGS);
const keys = Buffer.from(PropertyName.KEYS);
const wait = Buffer.from(PropertyName.WAIT);

/** Names that the broker acts on or replaces: the message then goes through a map. By length, then by bytes. */
const special: readonly (readonly Buffer[])[] = (() => {
  const byLength: Buffer[][] = [];
  for (const name of [
    PropertyName.DELAY,
    PropertyName.TRAN_MSG,
    PropertyName.MSG_REGION,
    PropertyName.TRACE_ON,
    PropertyName.CLUSTER,
    PropertyName.POP_CK,
    PropertyName.TIMER_DELAY_SEC,
    PropertyName.TIMER_DELAY_MS,
    PropertyName.TIMER_DELIVER_MS,
    'INNER_NUM',
  ]) {
    const bytes = Buffer.from(name);
    while (byLength.length <= bytes.length) byLength.push([]);
    byLength[bytes.length].push(bytes);
  }
  return byLength;
})();

/** Reused from message to message: `scan` fills it anew. */
export class SendProperties {
  #bytes: Buffer = Buffer.alloc(0);
  #uniqFrom = 0;
  #uniqTo = 0;
  #tagsFrom = 0;
  #tagsTo = 0;
  #keysFrom = 0;
  #keysTo = 0;
  #waitFrom = 0;
  #waitTo = 0;
  /** Some property needs the map. */
  special = false;

  /** `bytes` must stay as they are while the values are read. */
  scan(bytes: Buffer, length: number): void {
    this.#bytes = bytes;
    this.#uniqFrom = this.#uniqTo = 0;
    this.#tagsFrom = this.#tagsTo = 0;
    this.#keysFrom = this.#keysTo = 0;
    this.#waitFrom = this.#waitTo = 0;
    this.special = false;
    let at = 0;
    while (at < length) {
      const from = at;
      while (at < length && bytes[at] !== nameEnd && bytes[at] !== itemEnd) at++;
      if (bytes[at] !== nameEnd) {
        at++;
        continue;
      }
      const nameTo = at;
      const valueFrom = ++at;
      while (at < length && bytes[at] !== itemEnd) at++;
      if (at > valueFrom && nameTo > from) this.#note(from, nameTo, valueFrom, at);
      at++;
    }
  }

  get uniqueKey(): string | undefined {
    return this.#uniqTo === 0 ? undefined : this.#bytes.toString('utf8', this.#uniqFrom, this.#uniqTo);
  }

  get hasKeys(): boolean {
    return this.#keysTo > 0;
  }

  /** What the queue entry holds: the Java hash of the tags, 0 without. */
  get tagsCode(): number {
    return javaHashOnUtf8(0, this.#bytes, this.#tagsFrom, this.#tagsTo);
  }

  /** What the index finds the message by (RocketMQ: IndexService.buildIndex), as hashes; keys are separated by spaces. */
  keyHashes(topic: string): number[] {
    const topicHash = javaHash(`${topic}#`);
    const unique = javaHashOnUtf8(topicHash, this.#bytes, this.#uniqFrom, this.#uniqTo);
    const tags = javaHashOnUtf8(javaHashOn(topicHash, 'T#'), this.#bytes, this.#tagsFrom, this.#tagsTo);
    // Almost all messages are like the first two; a list that grows would take ten times the memory.
    if (this.#keysTo === 0 && this.#uniqTo > 0) return this.#tagsTo > 0 ? [unique, tags] : [unique];
    const hashes: number[] = [];
    if (this.#uniqTo > 0) hashes.push(unique);
    for (let at = this.#keysFrom; at < this.#keysTo; at++) {
      const from = at;
      while (at < this.#keysTo && this.#bytes[at] !== space) at++;
      if (at > from) hashes.push(javaHashOnUtf8(topicHash, this.#bytes, from, at));
    }
    if (this.#tagsTo > 0) hashes.push(tags);
    return hashes;
  }

  /** WAIT=false: the producer does not wait for the disk. */
  get waits(): boolean {
    if (this.#waitTo - this.#waitFrom !== noWait.length) return true;
    for (let i = 0; i < noWait.length; i++) if ((this.#bytes[this.#waitFrom + i] | 0x20) !== noWait[i]) return true;
    return false;
  }

  /** Of equal names the last one counts, as for readers. */
  #note(from: number, nameTo: number, valueFrom: number, valueTo: number): void {
    switch (nameTo - from) {
      case 4:
        if (this.#is(tags, from)) {
          this.#tagsFrom = valueFrom;
          this.#tagsTo = valueTo;
        } else if (this.#is(keys, from)) {
          this.#keysFrom = valueFrom;
          this.#keysTo = valueTo;
        } else if (this.#is(wait, from)) {
          this.#waitFrom = valueFrom;
          this.#waitTo = valueTo;
        }
        return;
      case 8:
        if (this.#is(uniqKey, from)) {
          this.#uniqFrom = valueFrom;
          this.#uniqTo = valueTo;
          return;
        }
    }
    if (this.special) return;
    for (const name of special[nameTo - from] ?? []) if (this.#is(name, from)) this.special = true;
  }

  #is(name: Buffer, from: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < name.length; i++) if (bytes[from + i] !== name[i]) return false;
    return true;
  }
}
