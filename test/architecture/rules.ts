/**
 * The structure of the sources as rules over their text: which folder may import which, and that nothing but
 * `src/io/node` touches time, chance or the outside world. Pure, so that the rules themselves are tested.
 */

/** Each folder imports only from those on earlier lines; folders on one line do not know each other. */
const order: readonly (readonly string[])[] = [
  ['common'],
  ['io'],
  ['io/node', 'message'],
  ['remoting', 'filter', 'store'],
  ['timer', 'ha', 'auth', 'controller'],
  ['namesrv', 'broker', 'client'],
  ['status', 'proxy', 'admin'],
  ['console'],
  ['testing'],
];

/** The real world is for those who assemble processes, and for the simulation's one turn of the real event loop. */
const mayImportNodeAdapters = ['testing'];

/** Modules of Node that compute and do nothing else. */
const pureModules = ['node:zlib', 'node:buffer'];

/** Packages, and the folders that may import them. */
const packages: Readonly<Record<string, readonly string[]>> = { pino: ['io/node'] };

const ambient: readonly { pattern: RegExp; instead: string }[] = [
  { pattern: /\bDate\.now\b|\bnew Date\(\s*\)|\bperformance\s*\./, instead: 'the Clock port' },
  { pattern: /\bMath\.random\b|\bcrypto\s*\.|\brandomUUID\b/, instead: 'the Random port' },
  { pattern: /\b(?:setTimeout|setInterval|setImmediate|queueMicrotask)\s*\(|\bnextTick\b/, instead: 'the Timers port' },
  {
    pattern: /(?<![.#\w])process\s*\.|\bglobalThis\b|\bfetch\s*\(|\bconsole\s*\./,
    instead: 'the Host, Network or Log port',
  },
  {
    pattern: /\bWeakRef\b|\bFinalizationRegistry\b|\blocaleCompare\b|\bIntl\s*\.|\btoLocale\w+/,
    instead: 'something that runs the same everywhere',
  },
];

export interface Source {
  /** Relative to the repository, with `/`. */
  path: string;
  text: string;
}

interface Import {
  /** A repository path, or a module name. */
  target: string;
  /** Names taken; `*` for everything. */
  names: readonly string[];
}

/** The text without comments, and with string contents blanked unless they are module names. */
export function stripped(text: string): { code: string; withStrings: string } {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|(?<=[=(,:!&|?;{}\n]\s*)\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])+\/[a-z]*/g;
  const withStrings = text.replace(token, (part) => (/^(?:\/\/|\/\*)/.test(part) ? ' ' : part));
  const code = withStrings.replace(token, (part) =>
    part.startsWith('`') ? part.replace(/(^|\})[^$]*?(\$\{|`$)/g, '$1$2') : part.startsWith('/') ? '/./' : "''",
  );
  return { code, withStrings };
}

function resolve(from: string, specifier: string): string {
  if (!specifier.startsWith('.')) return specifier;
  const parts = from.split('/').slice(0, -1);
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '.') parts.push(part);
  }
  return parts.join('/');
}

export function importsOf(source: Source): Import[] {
  const { withStrings } = stripped(source.text);
  const found: Import[] = [];
  const statement = /\b(?:import|export)\s+(?:type\s+)?([^'"();=]*?)\s*from\s*['"]([^'"]+)['"]/g;
  for (const [, clause = '', specifier = ''] of withStrings.matchAll(statement)) {
    const braces = /\{([^}]*)\}/.exec(clause);
    const names = braces
      ? (braces[1] ?? '')
          .split(',')
          .map(
            (name) =>
              name
                .trim()
                .replace(/^type\s+/, '')
                .split(/\s+as\s+/)[0] ?? '',
          )
          .filter(Boolean)
      : [];
    if (!braces || /^\s*\w/.test(clause.replace(/\{[^}]*\}/, ''))) names.push('*');
    found.push({ target: resolve(source.path, specifier), names });
  }
  for (const [, specifier = ''] of withStrings.matchAll(/\bimport\s*\(\s*['"]([^'"]+)['"]/g))
    found.push({ target: resolve(source.path, specifier), names: ['*'] });
  for (const [, specifier = ''] of withStrings.matchAll(/\bimport\s+['"]([^'"]+)['"]/g))
    found.push({ target: resolve(source.path, specifier), names: ['*'] });
  for (const [, specifier = ''] of withStrings.matchAll(/\bnew URL\(\s*['"](\.[^'"]+)['"]/g))
    found.push({ target: resolve(source.path, specifier), names: ['*'] });
  return found;
}

/** `src/io/node/disk.ts` → `io/node`; undefined outside `src`. */
export function folderOf(path: string): string | undefined {
  if (!path.startsWith('src/')) return undefined;
  if (path.startsWith('src/io/node/')) return 'io/node';
  return path.split('/')[1];
}

/** Tests, and what several tests beside the code share. */
const isTest = (path: string): boolean =>
  /(?:\.test|\/fixture)\.ts$/.test(path) || /^(?:test|bench|scripts)\//.test(path);

/** Names that a file declares for others. */
export function exportsOf(source: Source): string[] {
  const { code } = stripped(source.text);
  const names: string[] = [];
  for (const [, name = ''] of code.matchAll(
    /\bexport\s+(?:declare\s+)?(?:abstract\s+)?(?:async\s+)?(?:const|let|function\*?|class|interface|type)\s+([A-Za-z_$][\w$]*)/g,
  ))
    names.push(name);
  for (const [, list = ''] of code.matchAll(/\bexport\s+(?:type\s+)?\{([^}]*)\}/g))
    for (const item of list.split(',')) {
      const name = item
        .trim()
        .replace(/^type\s+/, '')
        .split(/\s+as\s+/)
        .at(-1)
        ?.trim();
      if (name) names.push(name);
    }
  return [...new Set(names)];
}

function rank(folder: string): number {
  return order.findIndex((line) => line.includes(folder));
}

export function importFaults(sources: readonly Source[]): string[] {
  const faults: string[] = [];
  for (const source of sources) {
    const folder = folderOf(source.path);
    if (folder === undefined || isTest(source.path)) continue;
    if (rank(folder) < 0) faults.push(`${source.path}: folder ${folder} has no place in the order`);
    for (const { target } of importsOf(source)) {
      if (target.startsWith('node:')) {
        if (folder !== 'io/node' && !pureModules.includes(target))
          faults.push(`${source.path}: imports ${target}; only src/io/node may`);
        continue;
      }
      const other = folderOf(target);
      if (other === undefined) {
        if (!packages[target]?.includes(folder)) faults.push(`${source.path}: imports ${target}`);
        continue;
      }
      if (other === folder) continue;
      const inside = folder.startsWith(`${other}/`);
      if (!inside && !target.endsWith('/mod.ts'))
        faults.push(`${source.path}: imports ${target}; only src/${other}/mod.ts is open to others`);
      if (other === 'io/node' ? !mayImportNodeAdapters.includes(folder) : rank(other) >= rank(folder))
        faults.push(`${source.path}: ${folder} may not import ${other}`);
    }
  }
  return faults;
}

export function ambientFaults(sources: readonly Source[]): string[] {
  const faults: string[] = [];
  for (const source of sources) {
    const folder = folderOf(source.path);
    if (folder === undefined || folder === 'io/node' || isTest(source.path)) continue;
    const { code } = stripped(source.text);
    for (const { pattern, instead } of ambient) {
      const hit = pattern.exec(code);
      if (hit) faults.push(`${source.path}: ${hit[0].trim()}; use ${instead}`);
    }
  }
  return faults;
}

/** A type that other declarations of its file mention: the compiler must be able to name it in theirs. */
function isPartOfSignature(source: Source, name: string): boolean {
  const { code } = stripped(source.text);
  const declaresType = new RegExp(`\\bexport\\s+(?:interface|type)\\s+${name}\\b`).test(code);
  return declaresType && [...code.matchAll(new RegExp(`\\b${name}\\b`, 'g'))].length > 1;
}

/** Exports that nobody imports, and files that no entry point reaches. `entries` are the processes and the published modules. */
export function unusedFaults(sources: readonly Source[], entries: readonly string[]): string[] {
  const faults: string[] = [];
  const byPath = new Map(sources.map((source) => [source.path, source]));
  const used = new Map<string, Set<string>>();
  for (const source of sources)
    for (const { target, names } of importsOf(source)) {
      const set = used.get(target) ?? new Set<string>();
      for (const name of names) set.add(name);
      used.set(target, set);
    }
  for (const source of sources) {
    if (isTest(source.path) || entries.includes(source.path)) continue;
    const users = used.get(source.path);
    if (users?.has('*')) continue;
    for (const name of exportsOf(source))
      if (!users?.has(name) && !isPartOfSignature(source, name))
        faults.push(`${source.path}: export ${name} is used by nobody`);
  }
  const reached = new Set<string>();
  const walk = (path: string): void => {
    const source = byPath.get(path);
    if (source === undefined || reached.has(path)) return;
    reached.add(path);
    for (const { target } of importsOf(source)) walk(target);
  };
  for (const entry of entries) walk(entry);
  for (const source of sources)
    if (!isTest(source.path) && !reached.has(source.path)) faults.push(`${source.path}: reached from no entry point`);
  return faults;
}
