/** A frame's header decoded whole, whatever it was serialized as: the general path. The hot one is header-scanner.ts. */

import { FrameError, Serialization } from './frame.ts';
import { decodeBinaryHeader } from './header-binary.ts';
import { decodeJsonHeader } from './header-json.ts';

export interface RemotingHeader {
  code: number;
  /** The name as sent; undefined when absent or, in the binary form, a number without a name. */
  language: string | undefined;
  version: number;
  opaque: number;
  flag: number;
  remark: string | undefined;
  extFields: Map<string, string>;
}

export const Flag = { RESPONSE: 1, ONEWAY: 2 } as const;

export interface HeaderLimits {
  readonly headerFieldsMax: number;
  readonly headerDepthMax: number;
}

/** Decodes `bytes[start, end)`. Throws FrameError for what cannot be read, naming the reason. */
export function decodeHeader(
  bytes: Buffer,
  start: number,
  end: number,
  serialization: number,
  limits: HeaderLimits,
): RemotingHeader {
  switch (serialization) {
    case Serialization.JSON:
      return decodeJsonHeader(bytes, start, end, limits);
    case Serialization.BINARY:
      return decodeBinaryHeader(bytes, start, end, limits);
    default:
      throw new FrameError(`serialization type ${serialization}: known are 0 (JSON) and 1 (ROCKETMQ)`);
  }
}
