/** `liftmq hello`: a few messages there and back through the client of this package. */
import { Client, ClientError, Producer, PushConsumer } from '../src/client/mod.ts';
import { createNodeEnv } from '../src/io/node/mod.ts';
import { sentenceOf } from './failure.ts';

const topic = 'HelloLiftMQ';
const messageCount = 5;
const waitMs = 20_000;

export async function hello(nameServers: readonly string[]): Promise<void> {
  const env = createNodeEnv({ log: { level: 'error' } });
  const client = new Client(env, { nameServers });
  try {
    const producer = new Producer(client, { group: 'hello-producer' });
    const wanted = new Set<string>();
    for (let n = 1; n <= messageCount; n++) {
      const { messageId, queue, queueOffset } = await producer.send({ topic, body: Buffer.from(`hello ${n}`) });
      wanted.add(messageId);
      console.log(`sent      hello ${n}  to ${queue.brokerName} queue ${queue.queueId} at offset ${queueOffset}`);
    }
    const { promise: all, resolve, reject } = Promise.withResolvers<void>();
    const tooLate = env.timers.after(waitMs, () => reject(new Error(`${wanted.size} messages did not come back`)));
    const consumer = new PushConsumer(client, {
      group: 'hello-consumer',
      subscriptions: { [topic]: '*' },
      from: 'first',
      listener: async (messages) => {
        for (const { messageId, body } of messages) {
          if (wanted.delete(messageId)) console.log(`received  ${Buffer.from(body)}`);
        }
        if (wanted.size === 0) resolve();
        return 'success';
      },
    });
    await Promise.all([consumer.start(), all]).finally(() => tooLate.cancel());
  } catch (error) {
    const sentence = error instanceof ClientError ? error.message : sentenceOf(error);
    if (sentence === undefined) throw error;
    console.error(`liftmq: ${sentence}`);
    process.exitCode = 1;
  } finally {
    await client.close();
    await env.workers.close();
  }
}
