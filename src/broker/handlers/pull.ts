/**
 * Pulls (11, 361): messages of one queue from an offset on, by tag. What finds nothing is held when the client allows it
 * (RocketMQ: PullMessageProcessor, DefaultPullMessageResultHandler).
 */
import type { Log } from '../../io/mod.ts';
import { PullSysFlag } from '../../message/mod.ts';
import {
  type Call,
  type HandlersOf,
  type HeaderView,
  type Reply,
  ResponseCode,
  ResponseError,
  slotsOf,
} from '../../remoting/mod.ts';
import type { GetResult, GetStatus, MessageStore } from '../../store/mod.ts';
import type { Subscription } from '../client-registry.ts';
import type { ConsumerOffsets } from '../consumer-offsets.ts';
import type { BrokerCounters } from '../counters.ts';
import type { LongPolling } from '../long-polling.ts';
import type { SubscriptionGroup } from '../subscription-groups.ts';
import type { Topic } from '../topic.ts';
import type { Traffic } from '../traffic.ts';
import { Forbidden, type Pull, type PullCheckParts, PullChecks } from './pull-checks.ts';

export interface PullParts extends PullCheckParts {
  readonly store: Pick<MessageStore, 'get'>;
  readonly offsets: ConsumerOffsets;
  readonly polling: LongPolling;
  readonly counters: BrokerCounters;
  readonly traffic: Pick<Traffic, 'pulled'>;
  readonly log: Log;
  readonly config: PullCheckParts['config'] & {
    readonly longPollingEnable: boolean;
    readonly shortPollingTimeMills: number;
    readonly slaveReadEnable: boolean;
  };
}

type PullCommand = 'pullMessage' | 'litePullMessage';
type PullCall = Call<PullCommand>;

/** Messages of one answer; the store's own limits lie below it. */
const messagesMax = 4096;
/** How long a pull may be held; clients ask for 15 to 20 s. */
const holdMaxMs = 30 * 60_000;

export function pullHandlers(parts: PullParts): HandlersOf<'broker', PullCommand> {
  const { store, offsets, polling, counters, traffic, log, config } = parts;
  const checks = new PullChecks(parts);

  /** `first`: it has not been held yet. Answers by the call, or holds it. */
  function pull(request: Pull, call: PullCall, first: boolean): void {
    const group = checks.group(request);
    const topic = checks.topic(request);
    const subscription = checks.subscription(request, group, call.peer);
    const result = store.get({
      topic: request.topic,
      queueId: request.queueId,
      offset: request.offset,
      maxMessages: request.maxMessages,
      accepts: subscription.accepts,
    });
    if (!(result instanceof Promise)) {
      answer(request, call, first, group, topic, subscription, result);
      return;
    }
    result.then(
      (late) => answer(request, call, first, group, topic, subscription, late),
      (cause) => fail(call, cause),
    );
  }

  function answer(
    request: Pull,
    call: PullCall,
    first: boolean,
    group: SubscriptionGroup,
    topic: Topic,
    subscription: Subscription,
    result: GetResult,
  ): void {
    const code = codeOf(result.status, request.offset);
    offsets.notePulled(request.group, request.topic, request.queueId, result.nextOffset);
    if (first && (request.sysFlag & PullSysFlag.COMMIT_OFFSET) !== 0 && request.commitOffset >= 0) {
      offsets.commit(request.group, request.topic, request.queueId, request.commitOffset);
    }
    const mayWait = code === ResponseCode.PULL_NOT_FOUND && first && (request.sysFlag & PullSysFlag.SUSPEND) !== 0;
    if (mayWait && hold(request, call, subscription)) {
      result.release();
      return;
    }
    const suggestWhichBrokerId = !config.slaveReadEnable
      ? 0
      : result.behindMemory
        ? group.whichBrokerWhenConsumeSlowly
        : group.brokerId;
    const reply: Reply<PullCommand> = {
      code,
      remark: result.status,
      fields: {
        suggestWhichBrokerId,
        nextBeginOffset: result.nextOffset,
        minOffset: result.minOffset,
        maxOffset: result.maxOffset,
        topicSysFlag: topic.topicSysFlag,
        groupSysFlag: group.groupSysFlag,
      },
    };
    if (result.status !== 'FOUND') {
      counters.pullsMissedTotal++;
      if (code === ResponseCode.PULL_OFFSET_MOVED) noteMoved(request, result);
      result.release();
      call.reply(reply);
      return;
    }
    counters.pullsFoundTotal++;
    traffic.pulled(request.group, request.topic, result.messageCount);
    counters.messagesOutTotal += result.messageCount;
    counters.bytesOutTotal += result.sizeBytes;
    topic.counters.messagesOut += result.messageCount;
    topic.counters.bytesOut += result.sizeBytes;
    reply.body = result.chunks;
    reply.taken = () => result.release();
    call.reply(reply);
  }

  /** False when there is no room to hold it. */
  function hold(request: Pull, call: PullCall, subscription: Subscription): boolean {
    const wantedMs = config.longPollingEnable ? request.holdMs : config.shortPollingTimeMills;
    return polling.hold({
      peer: call.peer,
      topic: request.topic,
      queueId: request.queueId,
      offset: request.offset,
      accepts: subscription.accepts,
      holdMs: Math.min(wantedMs, holdMaxMs),
      run: () => {
        try {
          pull(request, call, false);
        } catch (error) {
          fail(call, error);
        }
      },
      // Nobody hears it, but the call is over.
      drop: () => call.reply({ code: ResponseCode.PULL_NOT_FOUND }),
    });
  }

  function noteMoved(request: Pull, result: GetResult): void {
    const { group, topic, queueId, offset } = request;
    const { nextOffset, minOffset, maxOffset } = result;
    log.info(
      'broker.pull-offset-moved',
      { group, topic, queueId, offset, nextOffset, minOffset, maxOffset },
      `group ${group} asked ${topic}-${queueId} from ${offset}, outside ${minOffset}..${maxOffset}: sent to ${nextOffset}`,
    );
  }

  /** Of a pull whose handler has returned. */
  function fail(call: PullCall, error: unknown): void {
    if (error instanceof ResponseError) {
      call.reply(refusalReply(error));
      return;
    }
    log.error('broker.pull-failed', { cause: error }, 'a pull failed while reading');
    const why = error instanceof Error ? error.message : String(error);
    call.reply({ code: ResponseCode.SYSTEM_ERROR, remark: `the messages could not be read: ${why}` });
  }

  const receive =
    (slots: ReturnType<typeof slotsOf<PullCommand>>) => (header: HeaderView, _: unknown, call: PullCall) => {
      const request: Pull = {
        group: header.name(slots.consumerGroup),
        topic: header.name(slots.topic),
        queueId: header.i32(slots.queueId),
        offset: header.i64(slots.queueOffset),
        maxMessages: Math.max(1, Math.min(messagesMax, header.i32(slots.maxMsgNums))),
        sysFlag: header.i32(slots.sysFlag),
        commitOffset: header.i64(slots.commitOffset),
        holdMs: Math.max(0, header.i64(slots.suspendTimeoutMillis)),
        expression: header.has(slots.subscription) ? header.name(slots.subscription) : '',
        expressionType: header.has(slots.expressionType) ? header.name(slots.expressionType) : '',
        subVersion: header.i64(slots.subVersion),
        lite: call.name === 'litePullMessage',
      };
      if (header.has(slots.liteTopic) && header.name(slots.liteTopic) !== '') {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'lite topics are not served by this version');
      }
      try {
        pull(request, call, true);
      } catch (error) {
        if (error instanceof Forbidden) return refusalReply(error);
        throw error;
      }
      return undefined;
    };

  return {
    pullMessage: receive(slotsOf('pullMessage')),
    litePullMessage: receive(slotsOf('litePullMessage')),
  };
}

function refusalReply(error: ResponseError): Reply<PullCommand> {
  const reply: Reply<PullCommand> = { code: error.code, remark: error.message };
  if (error instanceof Forbidden) reply.fields = { forbiddenType: error.forbiddenType };
  return reply;
}

/** The table of behaviour.md 5. */
function codeOf(status: GetStatus, requestedOffset: number): number {
  switch (status) {
    case 'FOUND':
      return ResponseCode.SUCCESS;
    case 'NO_MATCHED_MESSAGE':
    case 'MESSAGE_WAS_REMOVING':
      return ResponseCode.PULL_RETRY_IMMEDIATELY;
    case 'OFFSET_FOUND_NULL':
    case 'OFFSET_OVERFLOW_ONE':
      return ResponseCode.PULL_NOT_FOUND;
    case 'NO_MATCHED_LOGIC_QUEUE':
    case 'NO_MESSAGE_IN_QUEUE':
      return requestedOffset === 0 ? ResponseCode.PULL_NOT_FOUND : ResponseCode.PULL_OFFSET_MOVED;
    case 'OFFSET_TOO_SMALL':
    case 'OFFSET_OVERFLOW_BADLY':
      return ResponseCode.PULL_OFFSET_MOVED;
  }
}
