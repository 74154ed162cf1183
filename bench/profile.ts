/** Reads what `node --cpu-prof` writes: the functions, and the files, in which the time went. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  readonly lineNumber: number;
}

/** The part of Chrome's .cpuprofile that counts here: after `timeDeltas[i]` microseconds node `samples[i]` ran. */
export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[];
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

export interface SelfTime {
  readonly where: string;
  readonly micros: number;
}

function nameOf(frame: CallFrame): string {
  const name = frame.functionName || '(anonymous)';
  return frame.url === '' ? name : `${name}  ${fileOf(frame)}:${frame.lineNumber + 1}`;
}

function fileOf(frame: CallFrame): string {
  if (frame.url === '') return frame.functionName;
  return frame.url.replace(/^file:\/\/.*?\/(src|bin|dist|node_modules)\//, '$1/');
}

/** Self time by whatever `keyOf` says of a frame, largest first. */
export function selfTimes(profile: CpuProfile, keyOf: (frame: CallFrame) => string): SelfTime[] {
  const keys = new Map(profile.nodes.map((node) => [node.id, keyOf(node.callFrame)]));
  const micros = new Map<string, number>();
  for (const [i, id] of profile.samples.entries()) {
    const key = keys.get(id) ?? '(unknown)';
    micros.set(key, (micros.get(key) ?? 0) + (profile.timeDeltas[i] ?? 0));
  }
  return [...micros].map(([where, time]) => ({ where, micros: time })).sort((a, b) => b.micros - a.micros);
}

/** For each thread's profile in the directory: the busiest functions and files, as shares of the time not idle. */
export function describeProfiles(directory: string, functionCount: number): string {
  const files = readdirSync(directory).filter((file) => file.endsWith('.cpuprofile'));
  return files
    .map((file) => {
      const profile: CpuProfile = JSON.parse(readFileSync(join(directory, file), 'utf8'));
      const sections = [selfTimes(profile, nameOf).slice(0, functionCount), selfTimes(profile, fileOf).slice(0, 20)];
      const busy = selfTimes(profile, nameOf)
        .filter(({ where }) => where !== '(idle)')
        .reduce((sum, { micros }) => sum + micros, 0);
      const lines = sections.map((times) =>
        times
          .filter(({ where }) => where !== '(idle)')
          .map(({ where, micros }) => `${((micros / busy) * 100).toFixed(1).padStart(6)} %  ${where}`)
          .join('\n'),
      );
      return `${file}: busy for ${(busy / 1e6).toFixed(2)} s\n\n${lines.join('\n\n')}\n`;
    })
    .join('\n');
}
