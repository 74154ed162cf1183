// Bodies that tell which message they are, and whether a byte of them changed: the number, then bytes that follow from it.

const idSize = 8;

export function encodePayload(id: number, sizeBytes: number): Buffer {
  const body = Buffer.alloc(idSize + sizeBytes);
  body.writeBigInt64BE(BigInt(id));
  fill(id, body);
  return body;
}

/** The message's number. Throws when a byte is not what the number says. */
export function decodePayload(body: Uint8Array): number {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  const id = Number(bytes.readBigInt64BE());
  if (!bytes.equals(encodePayload(id, bytes.length - idSize))) {
    throw new Error(`the body of message ${id} was changed`);
  }
  return id;
}

function fill(id: number, body: Buffer): void {
  let state = (id * 2_654_435_761 + 1) >>> 0;
  for (let i = idSize; i < body.length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    body[i] = state >>> 24;
  }
}
