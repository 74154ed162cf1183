/**
 * Defects that Apache RocketMQ had or has, as its issues tell, one row each. Where our design could have a defect too,
 * a mutant brings it back (`NN-name.patch` beside this file), and what is named in its row must notice: the simulation
 * of whole clusters, the tests beside the code, or both. The others say what must exist here before they can.
 */
import type { FaultKind } from '../../src/testing/mod.ts';

export interface Defect {
  number: number;
  /** In github.com/apache/rocketmq, unless a repository is named. */
  issues: string;
  sentence: string;
  shown: Mutant | { later: string };
}

export interface Mutant {
  /** File name without `.patch`. */
  patch: string;
  simulation?: Simulation;
  /** Test files that fail. */
  tests?: readonly string[];
}

export interface Simulation {
  /** Default: each seed chooses. */
  faults?: readonly FaultKind[];
  /** Virtual time under faults; default 15. */
  seconds?: number;
  /** Default 200. */
  seedsMax?: number;
}

const recovery = 'src/store/recovery.test.ts';
const crash = 'src/store/crash.test.ts';
const trouble = 'src/store/trouble.test.ts';
const retention = 'src/store/retention.test.ts';
const stateFile = 'src/io/state-file.test.ts';
const delayed = 'src/broker/delayed-delivery.test.ts';
const nameServerRegistration = 'src/namesrv/registration.test.ts';

const needs = {
  replication: { later: 'needs replication' },
  controller: { later: 'needs replication and the controller' },
  dledger: { later: 'needs replication; DLedger itself is not planned' },
  timers: { later: 'needs timers at any time' },
  slaveActingMaster: { later: 'needs replication and slaves that act for their master' },
  transactions: { later: 'needs transactions' },
  pop: { later: 'needs POP consumption' },
  lightQueues: { later: 'needs light queues (LMQ)' },
  tieredStorage: { later: 'needs tiered storage' },
  compaction: { later: 'needs compacted topics' },
} as const;

export const defects: readonly Defect[] = [
  {
    number: 1,
    issues: '#8239',
    sentence:
      'With synchronous flush the queue entry is dispatched before the sync: a consumer commits past it, power fails, new messages take the same offsets and are skipped.',
    shown: { patch: '01-visible-before-sync', simulation: { faults: ['crash broker', 'slow disk'], seedsMax: 500 } },
  },
  {
    number: 2,
    issues: '#2706 #7016 #5235 #3129',
    sentence: 'A sync fails, or the file system is read-only, and sends are still answered with SEND_OK.',
    shown: {
      patch: '02-sync-failure-unnoticed',
      simulation: { faults: ['failing sync', 'crash broker'] },
      tests: [trouble, crash],
    },
  },
  {
    number: 3,
    issues: '#467',
    sentence: 'What was not dispatched at an abnormal stop never is.',
    shown: { patch: '03-tail-not-dispatched', simulation: { faults: ['kill broker'] }, tests: [recovery, crash] },
  },
  {
    number: 4,
    issues: '#405',
    sentence: 'Power fails between the flush of the log and the dispatch: the index never knows those messages.',
    shown: { patch: '04-tail-not-indexed', simulation: { faults: ['kill broker'] }, tests: [crash] },
  },
  {
    number: 5,
    issues: '#1434',
    sentence: 'A crash just after the log rolled: the last records of the file before are never indexed.',
    shown: { patch: '05-only-last-segment', simulation: { faults: ['kill broker'] } },
  },
  {
    number: 6,
    issues: '#7355',
    sentence: 'The newest queue file is lost: offsets jump ("logic queue order maybe wrong").',
    shown: { patch: '06-lost-queue-file-unnoticed', tests: [recovery] },
  },
  {
    number: 7,
    issues: '#9728 #10108',
    sentence: 'An empty last queue file and a lost tail of the log: the start throws.',
    shown: { patch: '07-empty-queue-file', simulation: { faults: ['crash broker'] } },
  },
  {
    number: 8,
    issues: '#678',
    sentence:
      'The flush of the index moves the shared checkpoint past queue entries that are not flushed: a gap after a crash.',
    shown: { patch: '08-checkpoint-before-queues', simulation: { faults: ['crash broker'] } },
  },
  {
    number: 9,
    issues: '#6703',
    sentence: 'Asynchronous flush and kill -9: the confirmed offset lies beyond the valid end of the log.',
    shown: { patch: '09-end-beyond-valid', simulation: { faults: ['crash broker'] }, tests: [recovery] },
  },
  {
    number: 10,
    issues: '#7233 #1456',
    sentence: "The checkpoint's timestamp does not advance: every start reads the whole log.",
    shown: { patch: '10-checkpoint-stays', tests: [recovery] },
  },
  {
    number: 11,
    issues: '#7523',
    sentence: 'With the transient store pool and synchronous flush every send is answered FLUSH_DISK_TIMEOUT.',
    shown: { later: 'cannot be: there is no transient store pool, the switch is accepted and changes nothing' },
  },
  {
    number: 12,
    issues: '#2865',
    sentence: 'The offsets of a batch are assigned outside the lock: two messages have one offset.',
    shown: { patch: '12-batch-offset-too-early', simulation: {} },
  },
  {
    number: 13,
    issues: '#7511 #8762',
    sentence: 'Two messages that are dispatched to one light queue at the same time get one offset: one is lost.',
    shown: needs.lightQueues,
  },
  {
    number: 14,
    issues: '#8698',
    sentence: 'Dispatch in groups: the last messages, up to fifteen, never become visible.',
    shown: { patch: '14-last-of-a-group-hidden', simulation: { faults: [] } },
  },
  {
    number: 15,
    issues: '#4226',
    sentence:
      'A message of maximum size grows by the properties of a retry or delay: it cannot be delivered, and blocks its delay level for ever.',
    shown: { patch: '15-undeliverable-blocks-level', tests: [delayed] },
  },
  {
    number: 16,
    issues: '#7539',
    sentence: 'Creating an index file fails, again and again: what the attempts leave fills the disk.',
    shown: { patch: '16-index-files-pile-up', tests: ['src/store/message-index.test.ts'] },
  },
  {
    number: 17,
    issues: '#8007 #3868',
    sentence: 'Recovery after a crash deletes an index file that has valid entries.',
    shown: {
      patch: '17-index-file-dropped',
      simulation: { faults: ['kill broker'] },
      tests: ['src/store/message-index.test.ts'],
    },
  },
  {
    number: 18,
    issues: '#9328 #3401 #10518',
    sentence: 'The files of consumer offsets and delay offsets are torn by a power failure: no start, or offsets lost.',
    shown: { patch: '18-state-file-in-place', simulation: { faults: ['crash broker'] }, tests: [stateFile] },
  },
  {
    number: 19,
    issues: '#9412',
    sentence: 'The backup of a file is deleted before the new one is flushed: no start.',
    shown: { patch: '19-backup-dropped-early', simulation: { faults: ['crash broker'] }, tests: [stateFile] },
  },
  {
    number: 20,
    issues: '#5091',
    sentence: 'With 200,000 queue files a cold recovery takes minutes.',
    shown: { later: 'needs the shared queue index for a million queues, whose start is measured' },
  },
  {
    number: 21,
    issues: '#1400',
    sentence: 'The check of the free space waits behind slow deletions: the disk fills to the last byte.',
    shown: { patch: '21-space-check-behind-deletion', tests: [retention] },
  },
  {
    number: 22,
    issues: '#2398 alibaba/rocketmq#331',
    sentence: 'Space is freed, and the broker takes no messages until it is started anew.',
    shown: { patch: '22-full-for-ever', simulation: { faults: ['full disk'] }, tests: [trouble] },
  },
  {
    number: 23,
    issues: '#4549',
    sentence: 'A full disk makes the broker delete messages that nobody has consumed.',
    shown: { patch: '23-forced-without-leave', tests: [retention] },
  },
  {
    number: 24,
    issues: '#8334',
    sentence: 'A leaked reference to a file: the expired log is never deleted.',
    shown: { patch: '24-held-segment-stays', tests: [trouble] },
  },
  {
    number: 25,
    issues: '#5663',
    sentence:
      'The answer to a change of the SyncStateSet is lost: acknowledged with the old set, elected from the new one.',
    shown: needs.controller,
  },
  {
    number: 26,
    issues: '#7689',
    sentence:
      'Master and leading controller are killed together: new messages share offsets with a tail above the confirmed offset.',
    shown: needs.controller,
  },
  {
    number: 27,
    issues: '#6662',
    sentence: 'The master of a minority, with its slave, advances the confirmed offset.',
    shown: needs.controller,
  },
  {
    number: 28,
    issues: '#7017',
    sentence: 'An isolated site goes on to acknowledge; when the network heals, its messages are lost.',
    shown: needs.controller,
  },
  {
    number: 29,
    issues: '#10666',
    sentence: 'The log is truncated in memory only: its stale, valid tail comes back at a restart.',
    shown: {
      patch: '29-cut-in-memory-only',
      simulation: { faults: ['crash broker'], seedsMax: 1000 },
      tests: ['src/store/torn-tail.test.ts'],
    },
  },
  {
    number: 30,
    issues: '#10668',
    sentence: 'Timer entries point behind the end of a truncated log: no timer fires any more.',
    shown: needs.timers,
  },
  {
    number: 31,
    issues: '#9689',
    sentence: 'The same master is elected again with a new epoch: replication stops.',
    shown: needs.controller,
  },
  {
    number: 32,
    issues: 'PR #9942',
    sentence: 'The epoch files differ after a switch without data.',
    shown: needs.controller,
  },
  {
    number: 33,
    issues: '#3015 #1155',
    sentence: "A slave acknowledges an offset above the master's end: synchronous sends are answered without a copy.",
    shown: needs.replication,
  },
  {
    number: 34,
    issues: '#3388',
    sentence: "A slave whose offset lies below the master's first one never catches up.",
    shown: needs.replication,
  },
  {
    number: 35,
    issues: 'PR #189',
    sentence: 'A log whose first file does not begin at 0 is never flushed.',
    shown: { patch: '35-first-file-not-zero', tests: [retention] },
  },
  {
    number: 36,
    issues: '#4771',
    sentence: 'The log is truncated and consumer offsets are not: later messages are skipped.',
    shown: { patch: '36-consumer-offsets-not-cut', tests: ['src/broker/handlers/offsets.test.ts'] },
  },
  {
    number: 37,
    issues: 'PR #6345',
    sentence: 'A master that becomes master again rolls back the next offsets of its queues.',
    shown: needs.controller,
  },
  {
    number: 38,
    issues: '#1094 #1440',
    sentence: 'An old master returns, and its stale offsets overwrite the newer ones: everything is consumed again.',
    shown: needs.replication,
  },
  {
    number: 39,
    issues: '#8509 #9711',
    sentence: 'Offsets of light queues are not replicated, or their version never grows.',
    shown: needs.replication,
  },
  {
    number: 40,
    issues: 'openmessaging/dledger#316',
    sentence: 'The committed index lies beyond the end after a truncation: the leader never serves.',
    shown: needs.dledger,
  },
  {
    number: 41,
    issues: '#2830',
    sentence: 'Consumers see messages before they are flushed or replicated.',
    shown: { patch: '41-visible-when-staged', simulation: { faults: ['crash broker', 'slow disk'] } },
  },
  {
    number: 42,
    issues: '#8539',
    sentence: 'A slave that is promoted has wrong next offsets.',
    shown: needs.replication,
  },
  {
    number: 43,
    issues: '#11043 #5374',
    sentence: 'An unregistration that comes late removes a fresh registration.',
    shown: { patch: '43-late-unregistration', tests: ['src/namesrv/name-server.test.ts'] },
  },
  {
    number: 44,
    issues: '#1464',
    sentence: 'A node that was started anew registers as id 0, and hides the master.',
    shown: { patch: '44-id-taken-over', tests: [nameServerRegistration] },
  },
  {
    number: 45,
    issues: '#10438',
    sentence: 'A registration carries a topic table and the version of another: routes stay stale.',
    shown: { patch: '45-version-behind-table', tests: ['src/broker/registration.test.ts'] },
  },
  {
    number: 46,
    issues: '#9411',
    sentence:
      'A topic is created between the restart of a name server and the first registration: the other topics have no route.',
    shown: { patch: '46-topic-before-broker', tests: [nameServerRegistration] },
  },
  {
    number: 47,
    issues: '#7927 #7923',
    sentence: 'A slave that acts for its master tries a dead master four times, and drops the timer message.',
    shown: needs.slaveActingMaster,
  },
  {
    number: 48,
    issues: '#7480',
    sentence: "The timers' checkpoint is not corrected after a truncation.",
    shown: needs.timers,
  },
  {
    number: 49,
    issues: '#1934 #2259 PR #2518',
    sentence: 'Delay offsets are not read again at a switch: a flood of duplicates.',
    shown: needs.replication,
  },
  {
    number: 50,
    issues: '#1869',
    sentence: 'A delay offset is wrong: the level never delivers.',
    shown: { patch: '50-delay-position-beyond-end', tests: [delayed] },
  },
  {
    number: 51,
    issues: '#3473',
    sentence: 'A stop does not write the delay offsets: duplicates.',
    shown: { patch: '51-delay-positions-not-saved', tests: [delayed] },
  },
  {
    number: 52,
    issues: '#7601',
    sentence: 'An exception in the escape to another master: duplicates.',
    shown: needs.slaveActingMaster,
  },
  {
    number: 53,
    issues: '#544',
    sentence: 'A half message at exactly the millisecond of its immunity is never checked.',
    shown: needs.transactions,
  },
  {
    number: 54,
    issues: '#9500',
    sentence: 'An exception in the loop of checks: half messages are starved for ever.',
    shown: needs.transactions,
  },
  {
    number: 55,
    issues: '#8311',
    sentence: 'A half message is discarded that was never checked.',
    shown: needs.transactions,
  },
  { number: 56, issues: '#7914', sentence: 'Revival loses some of the unacknowledged messages.', shown: needs.pop },
  {
    number: 57,
    issues: '#8835',
    sentence: 'All acknowledgements of a pop but one are in time, and all but one are delivered again.',
    shown: needs.pop,
  },
  {
    number: 58,
    issues: '#7724',
    sentence: 'Revival reads the next message, and delivers the wrong one again.',
    shown: needs.pop,
  },
  {
    number: 59,
    issues: '#9626',
    sentence: 'An offset is committed before the records of acknowledgement are flushed: loss in a crash.',
    shown: needs.pop,
  },
  {
    number: 60,
    issues: '#5408',
    sentence: 'More acknowledgements than checkpoints: revival never advances.',
    shown: needs.pop,
  },
  { number: 61, issues: '#3503', sentence: 'After a restart a POP group begins at 0 again.', shown: needs.pop },
  {
    number: 62,
    issues: '#10827',
    sentence: 'A retry in order with the same attempt id gets nothing: the head of the queue is blocked for hours.',
    shown: needs.pop,
  },
  { number: 63, issues: '#8268', sentence: 'In order, without a match: the offset repeats.', shown: needs.pop },
  { number: 64, issues: '#6339', sentence: "A message's flag is lost in revival.", shown: needs.pop },
  { number: 65, issues: '#9105', sentence: 'Light queues and POP together: duplicates.', shown: needs.pop },
  {
    number: 66,
    issues: '#10229 #9369',
    sentence: 'A reset of offsets is ignored, or loops, for POP in order.',
    shown: needs.pop,
  },
  {
    number: 67,
    issues: '#11174 #10941',
    sentence: 'A receipt handle is dropped when its acknowledgement or clean-up fails.',
    shown: { later: 'needs POP consumption and the proxy' },
  },
  {
    number: 68,
    issues: '#10955',
    sentence: 'A consumer in order asks for the maximum offset again at its first pull, and silently skips messages.',
    shown: { patch: '68-ordered-start-asked-twice', tests: ['src/client/push-consumer.test.ts'] },
  },
  {
    number: 69,
    issues: '#2705',
    sentence: 'The network fails, and the consumer begins again at the first offset: three days are replayed.',
    shown: { patch: '69-unknown-offset-means-first', tests: ['src/client/push-consumer.test.ts'] },
  },
  {
    number: 70,
    issues: '#9455',
    sentence: 'The clock jumps to 2050 and back: the broker cannot register any more.',
    shown: {
      patch: '70-future-stamp',
      simulation: { faults: ['clock jump', 'kill name server'] },
    },
  },
  {
    number: 71,
    issues: '#6448',
    sentence: 'Durations are measured with the wall clock.',
    shown: {
      patch: '71-wall-clock-for-durations',
      simulation: { faults: ['clock jump', 'kill consumer'] },
      tests: ['src/broker/queue-locks.test.ts'],
    },
  },
  {
    number: 72,
    issues: '#6679',
    sentence: "A client's clock goes back: its new subscription is never taken.",
    shown: { patch: '72-subscription-by-clock', tests: ['src/broker/client-registry.test.ts'] },
  },
  {
    number: 73,
    issues: '#3469 #3630',
    sentence: 'All threads of the broker are blocked, or spin at a watermark.',
    shown: { patch: '73-spin-without-room', tests: ['src/store/queue-pages.test.ts'] },
  },
  {
    number: 74,
    issues: '#8409',
    sentence: 'A failed commit at the end of a tiered file is ignored.',
    shown: needs.tieredStorage,
  },
  {
    number: 75,
    issues: '#7363',
    sentence: 'The next offset of a tiered queue goes to and fro: duplicates.',
    shown: needs.tieredStorage,
  },
  {
    number: 76,
    issues: '#7540',
    sentence: 'A wrong first offset of a compacted topic hides keys that live.',
    shown: needs.compaction,
  },
  { number: 77, issues: '#6587', sentence: 'A compacted topic is dead after a restart.', shown: needs.compaction },
];
