/** Single messages: by key (12) and by their place in the log (33). */
import { type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { MessageStore } from '../../store/mod.ts';

/** Queries by unique key come with this extField, and with a maxNum that is replaced. */
const uniqueKeyFlag = '_UNIQUE_KEY_QUERY';

export function queryHandlers(parts: {
  readonly store: Pick<MessageStore, 'queryIndex' | 'recordAt'>;
  readonly config: { readonly maxMsgsNumBatch: number; readonly defaultQueryMaxNum: number };
}): HandlersOf<'broker', 'queryMessage' | 'viewMessageById'> {
  const { store, config } = parts;
  return {
    async queryMessage(header, _body, _call, extra) {
      const unique = extra.get(uniqueKeyFlag) === 'true';
      const wanted = unique ? config.defaultQueryMaxNum : header.maxNum;
      const found = await store.queryIndex({
        topic: header.topic,
        key: header.key,
        maxMessages: Math.max(1, Math.min(wanted, config.maxMsgsNumBatch)),
        beginTimestampMs: header.beginTimestamp,
        endTimestampMs: header.endTimestamp,
      });
      const fields = {
        indexLastUpdateTimestamp: found.indexLastUpdateTimestampMs,
        indexLastUpdatePhyoffset: found.indexLastUpdatePhysicalOffset,
      };
      if (found.records.length > 0) return { fields, body: found.records };
      return {
        code: ResponseCode.QUERY_NOT_FOUND,
        remark: 'can not find message, maybe time range not correct',
        fields,
      };
    },

    async viewMessageById({ offset }) {
      const record = offset < 0 ? undefined : await store.recordAt(offset);
      if (record === undefined) {
        throw new ResponseError(ResponseCode.SYSTEM_ERROR, `can not find message by the offset, ${offset}`);
      }
      return { body: record };
    },
  };
}
