/** Where the contract of a port is proved: each port is implemented twice, and one suite of sentences holds for both. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Env } from '../../src/io/mod.ts';
import { createNodeEnv } from '../../src/io/node/mod.ts';
import { SimWorld } from '../../src/testing/mod.ts';

export interface Site {
  env: Env;
  /** Another machine, where the ground has one. */
  peer: Env;
  /** How `peer` reaches `env`. */
  host: string;
  /** Empty and durable. */
  directory: string;
  sleep(ms: number): Promise<void>;
}

interface Ground {
  name: string;
  within(proof: (site: Site) => Promise<void>): Promise<void>;
}

const node: Ground = {
  name: 'Node',
  async within(proof) {
    const directory = await mkdtemp(join(tmpdir(), 'liftmq-contract-'));
    const env = createNodeEnv({ log: { level: 'silent' } });
    try {
      await proof({ env, peer: env, host: '127.0.0.1', directory, sleep: (ms) => sleep(ms) });
    } finally {
      await env.workers.close();
      await rm(directory, { recursive: true, force: true });
    }
  },
};

/** Each sentence under several seeds. */
const simulation: Ground = {
  name: 'the simulation',
  async within(proof) {
    for (const seed of [1, 2, 3, 4, 5]) {
      const world = new SimWorld({ seed });
      await world.run(async () => {
        const { env } = world.node('here');
        await env.disk.makeDirectory('/data');
        await env.disk.syncDirectory('/');
        const peer = world.node('there').env;
        await proof({ env, peer, host: 'here', directory: '/data', sleep: (ms) => world.sleep(ms) });
      });
    }
  },
};

/** `sentences` calls `holds` for each; every one is proved on both grounds. */
export function contract(
  port: string,
  sentences: (holds: (sentence: string, proof: (site: Site) => Promise<void>) => void) => void,
): void {
  for (const ground of [node, simulation]) {
    describe(`${port} of ${ground.name}`, () => {
      sentences((sentence, proof) => test(sentence, () => ground.within(proof)));
    });
  }
}
