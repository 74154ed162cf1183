/** KV configuration, which clients and brokers share, and the name server's own. */
import { type HandlersOf, ResponseCode, ResponseError } from '../../remoting/mod.ts';
import type { KvConfig } from '../kv-config.ts';
import { looseJson } from '../route-json.ts';
import type { RuntimeConfig } from '../runtime-config.ts';

type ConfigCommands =
  | 'putKvConfig'
  | 'getKvConfig'
  | 'deleteKvConfig'
  | 'getKvlistByNamespace'
  | 'updateNamesrvConfig'
  | 'getNamesrvConfig';

export function configHandlers(kvConfig: KvConfig, config: RuntimeConfig): HandlersOf<'namesrv', ConfigCommands> {
  return {
    async putKvConfig({ namespace, key, value }, _body, _call, extra) {
      if (!namespace || !key) throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'namespace or key is null');
      if (!extra.has('value')) throw new ResponseError(ResponseCode.SYSTEM_ERROR, 'value is null');
      await kvConfig.put(namespace, key, value);
      return {};
    },

    getKvConfig({ namespace, key }) {
      const value = kvConfig.get(namespace, key);
      if (value === undefined) throw notFound(`Namespace: ${namespace} Key: ${key}`);
      return { fields: { value } };
    },

    async deleteKvConfig({ namespace, key }) {
      await kvConfig.delete(namespace, key);
      return {};
    },

    getKvlistByNamespace({ namespace }) {
      const table = kvConfig.list(namespace);
      if (table === undefined) throw notFound(`Namespace: ${namespace}`);
      return { body: looseJson({ table }) };
    },

    async updateNamesrvConfig(_header, body) {
      await config.change(new TextDecoder().decode(body));
      return {};
    },

    getNamesrvConfig: () => ({ body: new TextEncoder().encode(config.text()) }),
  };
}

function notFound(what: string): ResponseError {
  return new ResponseError(ResponseCode.QUERY_NOT_FOUND, `No config item, ${what}`);
}
