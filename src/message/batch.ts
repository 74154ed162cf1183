import { assert } from '../common/mod.ts';

/**
 * The body of a batch send (320): messages of one topic and queue, one after the other, big-endian:
 *
 *     i32 total size   i32 magic 0   i32 body CRC 0   i32 flag
 *     i32 body length, body
 *     i16 properties length, properties
 *
 * The broker stores each as a record of its own. Total size, magic and CRC are not looked at, as in Apache.
 */
export interface BatchMessage {
  flag: number;
  body: Uint8Array;
  /** UTF-8 (properties.ts). */
  properties: Uint8Array;
}

/** The batch's bytes do not add up. */
export class BatchError extends Error {
  override readonly name = 'BatchError';
}

const headSize = 20;

export function encodeBatch(messages: readonly BatchMessage[]): Uint8Array {
  let size = 0;
  for (const message of messages) size += sizeOf(message);
  const bytes = Buffer.alloc(size);
  let at = 0;
  for (const message of messages) {
    assert(message.properties.length <= 0x7fff, 'properties fit their length field');
    bytes.writeInt32BE(sizeOf(message), at);
    bytes.writeInt32BE(message.flag, at + 12);
    bytes.writeInt32BE(message.body.length, at + 16);
    bytes.set(message.body, at + headSize);
    at += headSize + message.body.length;
    bytes.writeInt16BE(message.properties.length, at);
    bytes.set(message.properties, at + 2);
    at += 2 + message.properties.length;
  }
  return bytes;
}

/** The messages as views of `body`. Throws BatchError, which says where it stopped making sense. */
export function decodeBatch(body: Uint8Array): BatchMessage[] {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const messages: BatchMessage[] = [];
  let at = 0;
  while (at < bytes.length) {
    const wrong = (what: string) => new BatchError(`message ${messages.length} of the batch, at byte ${at}: ${what}`);
    if (bytes.length - at < headSize) throw wrong(`${bytes.length - at} bytes are left, its head needs ${headSize}`);
    const bodyAt = at + headSize;
    const bodyLength = bytes.readInt32BE(at + 16);
    if (bodyLength < 0 || bodyLength > bytes.length - bodyAt - 2) throw wrong(`its body has ${bodyLength} bytes`);
    const propertiesAt = bodyAt + bodyLength + 2;
    const propertiesLength = bytes.readInt16BE(propertiesAt - 2);
    if (propertiesLength < 0 || propertiesLength > bytes.length - propertiesAt) {
      throw wrong(`its properties have ${propertiesLength} bytes`);
    }
    messages.push({
      flag: bytes.readInt32BE(at + 12),
      body: bytes.subarray(bodyAt, bodyAt + bodyLength),
      properties: bytes.subarray(propertiesAt, propertiesAt + propertiesLength),
    });
    at = propertiesAt + propertiesLength;
  }
  return messages;
}

function sizeOf(message: BatchMessage): number {
  return headSize + message.body.length + 2 + message.properties.length;
}
