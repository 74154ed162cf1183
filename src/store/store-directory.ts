import { type DirectoryLock, type Disk, DiskError, readStateFile } from '../io/mod.ts';

/** The root directory: that it is ours to use, and nothing in it that we would silently leave out. */

/** Names that a store of RocketMQ or of ours has in its root. */
const storeNames = new Set([
  'commitlog',
  'consumequeue',
  'index',
  'config',
  'checkpoint',
  'checkpoint.liftmq',
  'abort',
  'lock',
  'liftmq.lock',
  'timerwheel',
  'timerlog',
  'rocksdbstore',
  'epochFileCheckpoint',
  'brokerIdentity',
]);

/** What a Java broker may keep where we cannot read it, and what to do. */
const unreadable: readonly { path: string; because: string }[] = [
  { path: 'consumequeue_rocksdb', because: 'its queues are in RocksDB (storeType=defaultRocksDB)' },
  { path: 'consumequeue_ext', because: 'its queue entries have filter extensions (enableConsumeQueueExt)' },
  { path: 'batchconsumequeue', because: 'it has topics of queue.type=BatchCQ' },
  // Beside it lies position-checkpoint, which every Java broker writes.
  { path: 'compaction/compactionLog', because: 'it has topics of cleanup.policy=COMPACTION' },
  { path: 'kvStore', because: 'POP state is in RocksDB (popConsumerKVServiceEnable)' },
  { path: 'config/topics', because: 'its configuration is in RocksDB (storeType=defaultRocksDB)' },
  { path: 'config/subscriptionGroups', because: 'its configuration is in RocksDB (storeType=defaultRocksDB)' },
  { path: 'config/consumerOffsets', because: 'its configuration is in RocksDB (storeType=defaultRocksDB)' },
  { path: 'config/users', because: 'it has users of ACL 2.0 (authenticationEnabled)' },
  { path: 'config/acls', because: 'it has rules of ACL 2.0 (authorizationEnabled)' },
];

/** Takes the directory. Rejects with an Error whose sentence says what is wrong with it. */
export async function takeDirectory(disk: Disk, root: string): Promise<DirectoryLock> {
  try {
    await disk.makeDirectory(root);
  } catch (error) {
    throw new Error(`the store directory ${root} cannot be made: ${reasonOf(error)}`, { cause: error });
  }
  const names = (await disk.list(root)).map(({ name }) => name);
  if (names.length > 0 && !names.some((name) => storeNames.has(name))) {
    throw new Error(
      `${root} is neither empty nor a RocketMQ store (it has ${names.slice(0, 3).join(', ')}): choose another`,
    );
  }
  for (const name of names) if (name.startsWith('dledger-')) refuse(root, name, 'its log was written by DLedger');
  for (const { path, because } of unreadable)
    if (await holdsFiles(disk, `${root}/${path}`)) refuse(root, path, because);
  try {
    const lock = await disk.lockDirectory(root);
    // A Java broker locks this file, and leaves it behind.
    const file = await disk.open(`${root}/lock`, 'create');
    await file.close();
    return lock;
  } catch (error) {
    throw new Error(`the store directory ${root} cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

function refuse(root: string, path: string, because: string): never {
  throw new Error(`${root}/${path} cannot be read: ${because}. Migrate it with RocketMQ first, or remove it`);
}

/** Whether there is a directory with a file in it, at any depth. */
async function holdsFiles(disk: Disk, path: string): Promise<boolean> {
  let entries: Awaited<ReturnType<Disk['list']>>;
  try {
    entries = await disk.list(path);
  } catch (error) {
    if (error instanceof DiskError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return false;
    throw error;
  }
  for (const { name, kind } of entries) {
    if (kind !== 'directory' || (await holdsFiles(disk, `${path}/${name}`))) return true;
  }
  return false;
}

function reasonOf(error: unknown): string {
  if (!(error instanceof DiskError)) return String(error);
  const cause = error.cause instanceof Error && error.code === 'EEXIST' ? error.cause.message : error.message;
  return error.code === 'EACCES' || error.code === 'EROFS' ? `not writable (${cause})` : cause;
}

/**
 * The file `abort` is there while a store is open: its text is the pid of the process, and, once everything behind our
 * checkpoint is known to be of our own making, our name. A Java broker that opens the store replaces the text.
 */
const openMark = 'abort';
const ownName = 'liftmq';

/** Who left the store open: nobody, a process of ours, or somebody whose records we do not know. */
export type LeftOpen = 'by nobody' | 'by us' | 'by others';

export async function readOpenMark(disk: Disk, root: string): Promise<LeftOpen> {
  const bytes = await readStateFile(disk, `${root}/${openMark}`);
  if (bytes === undefined)
    return (await disk.list(root)).some(({ name }) => name === openMark) ? 'by others' : 'by nobody';
  return Buffer.from(bytes).toString('latin1').endsWith(` ${ownName}`) ? 'by us' : 'by others';
}

export async function markOpen(disk: Disk, root: string, pid: number, by: 'by us' | 'by others'): Promise<void> {
  const file = await disk.open(`${root}/${openMark}`, 'create');
  try {
    const text = Buffer.from(by === 'by us' ? `${pid} ${ownName}` : String(pid), 'utf8');
    await file.truncate(0);
    await file.write(text, 0, text.length, 0);
    await file.syncData();
  } finally {
    await file.close();
  }
  await disk.syncDirectory(root);
}

export async function markClosed(disk: Disk, root: string): Promise<void> {
  await disk.remove(`${root}/${openMark}`);
  await disk.syncDirectory(root);
}
