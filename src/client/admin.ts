import { Perm } from '../message/mod.ts';
import type { Client } from './client.ts';

export interface TopicSettings {
  topic: string;
  queueCount: number;
  /** Default: read and write. */
  perm?: number;
}

/** Creates or changes a topic at one broker. Throws ClientError and RemotingError. */
export async function createTopic(client: Client, address: string, settings: TopicSettings): Promise<void> {
  await client.call(address, 'updateAndCreateTopic', {
    topic: settings.topic,
    defaultTopic: 'TBW102',
    readQueueNums: settings.queueCount,
    writeQueueNums: settings.queueCount,
    perm: settings.perm ?? Perm.READ | Perm.WRITE,
    topicFilterType: 'SINGLE_TAG',
    topicSysFlag: 0,
    order: false,
  });
}
