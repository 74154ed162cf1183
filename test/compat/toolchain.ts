// What the compatibility suite needs beyond Node: Java 17 and Maven. Without them it says so and skips; where both
// exist, whatever goes wrong is a failure.

import { spawnSync } from 'node:child_process';
import path from 'node:path';

const javaProject = path.join(import.meta.dirname, 'java');
const classPath = [path.join(javaProject, 'target', 'classes'), path.join(javaProject, 'target', 'lib', '*')].join(
  path.delimiter,
);

/** Why the suite cannot run here, or undefined when it can. */
export function missingToolchain(): string | undefined {
  const missing = ['java', 'mvn'].filter((tool) => spawnSync(tool, ['-version']).error !== undefined);
  return missing.length === 0 ? undefined : `${missing.join(' and ')} not found on PATH`;
}

/** Compiles our Java programs and gathers the official jars below java/target. */
export function buildJavaPrograms(): void {
  const build = spawnSync('mvn', ['-q', '-B', 'package'], { cwd: javaProject, stdio: ['ignore', 2, 2] });
  if (build.status !== 0) {
    throw new Error(`mvn package in test/compat/java failed with status ${build.status}`);
  }
}

/** For processes that are started often and do little: the second compiler would not pay. */
export const quickStart: readonly string[] = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC'];

/** Arguments of `java` for a class of ours or of the official jars; its home, logs and offsets stay in `home`. */
export function javaArguments(options: {
  mainClass: string;
  arguments: readonly string[];
  home: string;
  heapMiB: number;
  jvm?: readonly string[];
}): string[] {
  return [
    `-Xms${Math.min(options.heapMiB, 1024)}m`,
    `-Xmx${options.heapMiB}m`,
    `-Duser.home=${options.home}`,
    ...(options.jvm ?? []),
    '-cp',
    classPath,
    options.mainClass,
    ...options.arguments,
  ];
}
