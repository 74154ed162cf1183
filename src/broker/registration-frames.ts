import { crc32, writeLooseJson } from '../common/mod.ts';
import type { Clock, Timers } from '../io/mod.ts';
import { type DataVersion, stepVersion } from './data-version.ts';
import { bytesInSlices, listed, membersOf } from './slices.ts';
import { configOf, type Topic } from './topic.ts';

/** The body of one REGISTER_BROKER: some or all topics, and the version of the table that they are from. */
export interface RegistrationFrame {
  readonly body: Uint8Array;
  /** As the header says it. */
  readonly bodyCrc32: number;
}

/** Bytes of topics in one registration, below the 16 MiB of a frame: some 80,000 topics. */
const topicBytesMax = 15 * 1024 * 1024;

/**
 * Topics that do not fit into one registration go in several, each with a version of its own: name servers take changes
 * of topics that they know from a new version only.
 */
export async function registrationFrames(
  topics: readonly Topic[],
  version: DataVersion,
  brokerPermission: number,
  ports: { clock: Clock; timers: Timers },
): Promise<RegistrationFrame[]> {
  // All versions are taken now, so that what changes while the texts are made has a later one.
  const parts = split(topics).map((part, index) => {
    if (index > 0) stepVersion(version, ports.clock);
    return { part, version: writeLooseJson(version) };
  });
  const frames: RegistrationFrame[] = [];
  for (const { part, version: ownVersion } of parts) {
    const text = listed(
      `{"filterServerList":[],"topicConfigSerializeWrapper":{"dataVersion":${ownVersion},` +
        `"mappingDataVersion":${ownVersion},"topicConfigTable":{`,
      membersOf(rowsOf(part, brokerPermission)),
      '},"topicQueueMappingDetailMap":{},"topicQueueMappingInfoMap":{}}}',
    );
    const body = Buffer.concat(await bytesInSlices(text, ports.timers));
    frames.push({ body, bodyCrc32: crc32(body) & 0x7fff_ffff });
  }
  return frames;
}

/** At least one part, though it be empty. */
function split(topics: readonly Topic[]): (readonly Topic[])[] {
  const parts: Topic[][] = [[]];
  let bytes = 0;
  for (const topic of topics) {
    const own = Buffer.byteLength(topic.json) + topic.topicName.length + 4;
    if (bytes + own > topicBytesMax) {
      parts.push([]);
      bytes = 0;
    }
    bytes += own;
    parts[parts.length - 1].push(topic);
  }
  return parts;
}

const readWrite = 6;

/** A topic loses what the broker itself may not do. */
function* rowsOf(topics: readonly Topic[], brokerPermission: number): Iterable<[string, string]> {
  const all = (brokerPermission & readWrite) === readWrite;
  for (const topic of topics) {
    const json = all ? topic.json : writeLooseJson({ ...configOf(topic), perm: topic.perm & brokerPermission });
    yield [topic.topicName, json];
  }
}
