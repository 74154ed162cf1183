/** Queues of ordered consumers: taken and renewed (41), given up (42). */
import type { JsonObject } from '../../common/mod.ts';
import { type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import { asObject } from '../json-state.ts';
import type { MessageQueue, QueueLocks } from '../queue-locks.ts';
import { jsonBody, readBody } from './bodies.ts';

/** Queues in one request. */
const queuesMax = 65_536;
/** Characters of a name. */
const nameLengthMax = 1024;

export function lockHandlers(locks: QueueLocks): HandlersOf<'broker', 'lockBatchMq' | 'unlockBatchMq'> {
  return {
    lockBatchMq(_header, body) {
      const { group, clientId, queues } = readRequest(readBody(body));
      return { body: jsonBody({ lockOKMQSet: locks.lock(group, clientId, queues) }) };
    },

    unlockBatchMq(_header, body) {
      const { group, clientId, queues } = readRequest(readBody(body));
      locks.unlock(group, clientId, queues);
      return {};
    },
  };
}

function readRequest(json: JsonObject): { group: string; clientId: string; queues: MessageQueue[] } {
  const { consumerGroup, clientId, mqSet } = json;
  if (typeof consumerGroup !== 'string' || typeof clientId !== 'string') {
    throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'the request names no consumerGroup or no clientId');
  }
  if (!Array.isArray(mqSet) || mqSet.length > queuesMax) {
    throw new ResponseError(ResponseCode.SYSTEM_ERROR, `mqSet must be a list of at most ${queuesMax} queues`);
  }
  const queues = mqSet.map((item) => {
    const { topic, brokerName, queueId } = asObject(item) ?? {};
    if (typeof topic !== 'string' || typeof brokerName !== 'string' || typeof queueId !== 'number') {
      throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'a queue needs topic, brokerName and queueId');
    }
    if (topic.length + brokerName.length > nameLengthMax) {
      throw new ResponseError(
        ResponseCode.SYSTEM_ERROR,
        `names of more than ${nameLengthMax} characters are no queue's`,
      );
    }
    return { topic, brokerName, queueId };
  });
  return { group: consumerGroup, clientId, queues };
}
