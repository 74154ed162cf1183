/** What producers are told of their messages, once the store has spoken (RocketMQ: handlePutMessageResult). */
import { assert } from '../../common/mod.ts';
import type { OffsetMessageIds } from '../../message/mod.ts';
import {
  type Call,
  type FieldValue,
  type Reply,
  ResponseCode,
  type ResponseError,
  responseSlotsOf,
} from '../../remoting/mod.ts';
import type { PutResult } from '../../store/mod.ts';
import type { BrokerCounters } from '../counters.ts';
import type { Topic } from '../topic.ts';
import type { SendCommand } from './send-topic.ts';

/** The rows of the three commands name the same fields. */
const slots = responseSlotsOf('sendMessageV2');

export class SendAnswers {
  readonly #counters: BrokerCounters;
  readonly #messageIds: OffsetMessageIds;
  readonly #extra: Readonly<Record<string, string>>;
  /** Filled anew for each message. */
  readonly #stored: { code: number; values: (FieldValue | undefined)[]; extra: Readonly<Record<string, string>> };

  /** `extra` goes with every answer. */
  constructor(counters: BrokerCounters, messageIds: OffsetMessageIds, extra: Readonly<Record<string, string>>) {
    this.#counters = counters;
    this.#messageIds = messageIds;
    this.#extra = extra;
    this.#stored = { code: 0, values: Object.values(slots).map(() => undefined), extra };
  }

  /** `transactionId` is the unique key, for plain messages too. */
  one(call: Call<SendCommand>, topic: Topic, queueId: number, transactionId: string, result: PutResult): void {
    if (this.#refused(call, result)) return;
    this.#count(topic, 1, result.sizeBytes);
    const { values } = this.#stored;
    values[slots.msgId] = this.#messageIds.at(result.physicalOffset);
    values[slots.queueId] = queueId;
    values[slots.queueOffset] = result.queueOffset;
    values[slots.transactionId] = transactionId;
    this.#stored.code = codeOfStored(result);
    call.reply(this.#stored);
  }

  /** Of a message that did not come to the store. */
  refusal({ code, message }: ResponseError): Reply<SendCommand> {
    return { code, remark: message, extra: this.#extra };
  }

  /** All or none of a batch is stored. */
  batch(call: Call<SendCommand>, topic: Topic, queueId: number, results: readonly PutResult[]): void {
    const [first] = results;
    assert(first !== undefined, 'a batch has results');
    if (this.#refused(call, first)) return;
    let sizeBytes = 0;
    for (const result of results) sizeBytes += result.sizeBytes;
    this.#count(topic, results.length, sizeBytes);
    call.reply({
      code: codeOfStored(first),
      fields: {
        msgId: results.map(({ physicalOffset }) => this.#messageIds.at(physicalOffset).toString()).join(','),
        queueId,
        queueOffset: first.queueOffset,
      },
      extra: this.#extra,
    });
  }

  #refused(call: Call<SendCommand>, result: PutResult): boolean {
    const failure = failureOf(result);
    if (failure === undefined) return false;
    this.#counters.sendFailuresTotal++;
    call.reply({ ...failure, extra: this.#extra });
    return true;
  }

  #count(topic: Topic, messages: number, sizeBytes: number): void {
    this.#counters.messagesInTotal += messages;
    this.#counters.bytesInTotal += sizeBytes;
    topic.counters.messagesIn += messages;
    topic.counters.bytesIn += sizeBytes;
  }
}

/** Code and remark of a message that was not stored. */
function failureOf(result: PutResult): Pick<Reply<SendCommand>, 'code' | 'remark'> | undefined {
  const remark = result.cause ?? result.status;
  switch (result.status) {
    case 'ok':
    case 'flush disk timeout':
      return undefined;
    case 'message illegal':
      return { code: ResponseCode.MESSAGE_ILLEGAL, remark: `the message is illegal: ${remark}` };
    case 'service not available':
      return { code: ResponseCode.SERVICE_NOT_AVAILABLE, remark: `service not available now: ${remark}` };
    case 'busy':
      return { code: ResponseCode.SYSTEM_BUSY, remark: `[PC_SYNCHRONIZED]broker busy: ${remark}` };
    case 'unknown error':
      return { code: ResponseCode.SYSTEM_ERROR, remark };
  }
}

function codeOfStored(result: PutResult): number {
  return result.status === 'ok' ? ResponseCode.SUCCESS : ResponseCode.FLUSH_DISK_TIMEOUT;
}
