import { type DirectoryLock, type Disk, DiskError } from '../io/mod.ts';

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

interface Unreadable {
  /** Below the root. */
  path: string;
  /** What is there, and the setting of RocketMQ's broker that made it so. */
  because: string;
  wayOut: string;
}

const exportConfig =
  'export it with mqadmin rocksDBConfigToJson and go back to JSON files, or move it away to start anew';
const inRocksConfig = 'configuration is in RocksDB (storeType=defaultRocksDB)';
const noAcl = 'move it away, if everybody may do everything here';

/** RocksDB databases. A broker makes some of them without using them: they count when there is data in them. */
const databases: readonly Unreadable[] = [
  {
    path: 'consumequeue_rocksdb',
    because: 'the queues are in RocksDB (storeType=defaultRocksDB)',
    wayOut: 'move it away: queues are built again from the commit log',
  },
  {
    path: 'consumequeue',
    because: 'the queues are in RocksDB (storeType=defaultRocksDB)',
    wayOut: 'move it away: queues are built again from the commit log',
  },
  {
    path: 'rocksdbstore',
    because:
      'index, timers or half messages are in RocksDB (indexRocksDBEnable, timerRocksDBEnable, transRocksDBEnable)',
    wayOut:
      'have RocketMQ deliver what waits there and unset them, or move it away, which loses timers and half messages',
  },
  {
    path: 'kvStore',
    because: 'POP state is in RocksDB (popConsumerKVServiceEnable)',
    wayOut: 'have RocketMQ move it to files first, or move it away: what was not acknowledged comes again',
  },
  { path: 'config/topics', because: `topic ${inRocksConfig}`, wayOut: exportConfig },
  { path: 'config/subscriptionGroups', because: `group ${inRocksConfig}`, wayOut: exportConfig },
  { path: 'config/consumerOffsets', because: `consumer offsets' ${inRocksConfig}`, wayOut: exportConfig },
  {
    path: 'config/metadata',
    because: 'all configuration is in one RocksDB (useSingleRocksDBForAllConfigs)',
    wayOut: exportConfig,
  },
  { path: 'config/rdb', because: 'configuration is in RocksDB (configManagerVersion=v2)', wayOut: exportConfig },
  { path: 'config/users', because: 'it has users of ACL 2.0 (authenticationEnabled)', wayOut: noAcl },
  { path: 'config/acls', because: 'it has rules of ACL 2.0 (authorizationEnabled)', wayOut: noAcl },
];

/** Directories that count when there is any file in them. */
const places: readonly Unreadable[] = [
  {
    path: 'consumequeue_ext',
    because: 'queue entries have filter extensions (enableConsumeQueueExt)',
    wayOut: 'unset it in RocketMQ and move the directory away together with consumequeue',
  },
  {
    path: 'batchconsumequeue',
    because: 'it has topics of queue.type=BatchCQ',
    wayOut: 'delete those topics with RocketMQ first',
  },
  // Beside it lies position-checkpoint, which every Java broker writes.
  {
    path: 'compaction/compactionLog',
    because: 'it has topics of cleanup.policy=COMPACTION',
    wayOut: 'delete those topics with RocketMQ first, or move it away: what was compacted there is lost',
  },
];

/** Files that count when they are not empty. */
const files: readonly Unreadable[] = [
  {
    path: 'epochFileCheckpoint',
    because: 'it is a replica under controllers (enableControllerMode), and its epochs would not be kept',
    wayOut: 'move it and brokerIdentity away, if this is the replica with the newest messages',
  },
  {
    path: 'config/tieredStoreMetadata.json',
    because: 'older messages lie in tiered storage (messageStorePlugIn)',
    wayOut: 'move it away, if they are not wanted any more',
  },
];

async function refuseUnreadable(disk: Disk, root: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (!name.startsWith('dledger-')) continue;
    refuse(root, {
      path: name,
      because: 'the log was written by DLedger (enableDLegerCommitLog)',
      wayOut: 'consume it to its end with RocketMQ, or begin with an empty directory',
    });
  }
  for (const database of databases) {
    if (await holdsDatabase(disk, `${root}/${database.path}`)) refuse(root, database);
  }
  for (const place of places) if (await holdsFiles(disk, `${root}/${place.path}`)) refuse(root, place);
  for (const file of files) if ((await sizeOf(disk, `${root}/${file.path}`)) > 0) refuse(root, file);
}

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
  await refuseUnreadable(disk, root, names);
  try {
    const lock = await disk.lockDirectory(root);
    // A Java broker locks this file, and leaves it behind.
    const file = await disk.open(`${root}/${lockFile}`, 'create');
    await file.close();
    return lock;
  } catch (error) {
    throw new Error(`the store directory ${root} cannot be used: ${reasonOf(error)}`, { cause: error });
  }
}

function refuse(root: string, { path, because, wayOut }: Unreadable): never {
  throw new Error(`${root}/${path} cannot be read: ${because}; ${wayOut}`);
}

async function entriesOf(disk: Disk, path: string): Promise<Awaited<ReturnType<Disk['list']>>> {
  try {
    return await disk.list(path);
  } catch (error) {
    if (error instanceof DiskError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return [];
    throw error;
  }
}

/** Whether there is a directory with a file in it, at any depth. */
async function holdsFiles(disk: Disk, path: string): Promise<boolean> {
  for (const { name, kind } of await entriesOf(disk, path)) {
    if (kind !== 'directory' || (await holdsFiles(disk, `${path}/${name}`))) return true;
  }
  return false;
}

/** Whether a RocksDB there has a table, or something in its write-ahead log. */
async function holdsDatabase(disk: Disk, path: string): Promise<boolean> {
  for (const { name } of await entriesOf(disk, path)) {
    if (/^\d+\.sst$/.test(name)) return true;
    if (/^\d+\.log$/.test(name) && (await sizeOf(disk, `${path}/${name}`)) > 0) return true;
  }
  return false;
}

async function sizeOf(disk: Disk, path: string): Promise<number> {
  try {
    return (await disk.stat(path)).sizeBytes;
  } catch (error) {
    if (error instanceof DiskError && (error.code === 'ENOENT' || error.code === 'ENOTDIR')) return 0;
    throw error;
  }
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
const openMarkSizeMax = 64;

/** Who left the store open: nobody, a process of ours, or somebody whose records we do not know. */
export type LeftOpen = 'by nobody' | 'by us' | 'by others';

export async function readOpenMark(disk: Disk, root: string): Promise<LeftOpen> {
  if (!(await disk.list(root)).some(({ name }) => name === openMark)) return 'by nobody';
  const file = await disk.open(`${root}/${openMark}`, 'read');
  try {
    const bytes = new Uint8Array(openMarkSizeMax);
    const length = await file.read(bytes, 0, bytes.length, 0);
    const text = Buffer.from(bytes.subarray(0, length)).toString('latin1');
    return new RegExp(`^\\d+ ${ownName}$`).test(text) ? 'by us' : 'by others';
  } finally {
    await file.close();
  }
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

/**
 * A Java broker writes `lock` into the file of that name whenever it opens the store. Ours writes its own name there once
 * everything behind its checkpoint is its own, so that it knows of a Java broker that came and went since.
 */
const lockFile = 'lock';
const javaText = 'lock';

export async function wasOpenedByJava(disk: Disk, root: string): Promise<boolean> {
  const file = await disk.open(`${root}/${lockFile}`, 'read');
  try {
    const bytes = new Uint8Array(javaText.length);
    const length = await file.read(bytes, 0, bytes.length, 0);
    return Buffer.from(bytes.subarray(0, length)).toString('latin1') === javaText;
  } finally {
    await file.close();
  }
}

export async function forgetJava(disk: Disk, root: string): Promise<void> {
  const file = await disk.open(`${root}/${lockFile}`, 'write');
  try {
    const text = Buffer.from(ownName, 'utf8');
    await file.write(text, 0, text.length, 0);
    await file.syncData();
  } finally {
    await file.close();
  }
}

export async function markClosed(disk: Disk, root: string): Promise<void> {
  await disk.remove(`${root}/${openMark}`);
  await disk.syncDirectory(root);
}
