import { createNodeEnv } from '../src/io/node/mod.ts';
import { truncateLog } from '../src/store/mod.ts';

/** `liftmq truncate`: prints what it did, or why it did nothing. */
export async function truncate(root: string, commitLog: string, offset: number): Promise<void> {
  try {
    await truncateLog(createNodeEnv({ log: { level: 'silent' } }).disk, root, commitLog, offset, process.pid);
    console.log(`${commitLog} ends at ${offset} now; start the broker to recover the store`);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    console.error(`liftmq: ${error.message}`);
    process.exitCode = 1;
  }
}
