#!/usr/bin/env node
/** The command `liftmq`. The rest is loaded late, so that an old Node gets a sentence and a new one its compile cache. */
import { enableCompileCache } from 'node:module';

const oldest = [22, 18] as const;
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);

if (major < oldest[0] || (major === oldest[0] && minor < oldest[1])) {
  console.error(`liftmq: this is Node ${process.versions.node}; LiftMQ needs ${oldest.join('.')} or newer`);
  process.exitCode = 1;
} else {
  enableCompileCache();
  // Read when the first file is touched, which is later. With four threads, cold reads and directory work (io/node/lane.ts)
  // could leave one for the log and the writers of queues and index.
  process.env.UV_THREADPOOL_SIZE ??= '8';
  const { runCommand } = await import('./command-line.ts');
  await runCommand(process.argv);
}
