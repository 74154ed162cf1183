/**
 * Names and what they stand for, twice: as processes see them, and as they would be found after a crash. A change of
 * names becomes durable when its directory is synced; a crash keeps, for each directory, the changes up to some point, as
 * a file system with a journal does, or any of them, as one without.
 */
import { DiskError, type DiskErrorCode } from '../io/mod.ts';
import { FileImage, type Usage } from './file-image.ts';
import type { SimRandom } from './sim-random.ts';

export interface FileNode {
  kind: 'file';
  image: FileImage;
}

export interface DirectoryNode {
  kind: 'directory';
  names: Map<string, TreeNode>;
  durableNames: Map<string, TreeNode>;
}

export type TreeNode = FileNode | DirectoryNode;

interface Change {
  directory: DirectoryNode;
  name: string;
  node: TreeNode | undefined;
}

export class DirectoryTree {
  readonly #usage: Usage;
  readonly #root = newDirectory();
  /** Not yet durable, oldest first; the changes of one operation stand or fall together. */
  #pending: Change[][] = [];

  constructor(usage: Usage) {
    this.#usage = usage;
  }

  /** Undefined when nothing has this name; ENOTDIR when a parent is a file. */
  find(operation: string, path: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.#root;
    for (const name of partsOf(path)) {
      if (node === undefined) return undefined;
      if (node.kind === 'file') throw new DiskError('ENOTDIR', operation, path);
      node = node.names.get(name);
    }
    return node;
  }

  directory(operation: string, path: string): DirectoryNode {
    const node = this.find(operation, path);
    if (node === undefined) throw new DiskError('ENOENT', operation, path);
    if (node.kind !== 'directory') throw new DiskError('ENOTDIR', operation, path);
    return node;
  }

  createFile(path: string): FileNode {
    const node: FileNode = { kind: 'file', image: new FileImage(this.#usage) };
    this.#change([{ ...this.#place('open', path), node }]);
    return node;
  }

  makeDirectory(path: string): void {
    let directory = this.#root;
    const names = partsOf(path);
    for (const [depth, name] of names.entries()) {
      let node = directory.names.get(name);
      if (node?.kind === 'file') {
        throw new DiskError(depth === names.length - 1 ? 'EEXIST' : 'ENOTDIR', 'make directory', path);
      }
      if (node === undefined) {
        node = newDirectory();
        this.#change([{ directory, name, node }]);
      }
      directory = node;
    }
  }

  rename(from: string, to: string): void {
    const node = this.find('rename', from);
    if (node === undefined) throw new DiskError('ENOENT', 'rename', from);
    const replaced = this.find('rename', to);
    if (replaced === node) return;
    const refused = replaced === undefined ? undefined : whyNotReplaced(node, replaced);
    if (refused !== undefined) throw new DiskError(refused, 'rename', from);
    this.#change([
      { ...this.#place('rename', to), node },
      { ...this.#place('rename', from), node: undefined },
    ]);
    if (replaced?.kind === 'file') replaced.image.discard();
  }

  remove(path: string): void {
    const node = this.find('remove', path);
    if (node === undefined) throw new DiskError('ENOENT', 'remove', path);
    if (node.kind === 'directory') throw new DiskError('EISDIR', 'remove', path);
    this.#change([{ ...this.#place('remove', path), node: undefined }]);
    node.image.discard();
  }

  removeTree(path: string): void {
    const node = this.find('remove tree', path);
    if (node === undefined) return;
    if (node.kind === 'directory') {
      for (const name of [...node.names.keys()]) this.removeTree(`${path}/${name}`);
    } else {
      node.image.discard();
    }
    this.#change([{ ...this.#place('remove tree', path), node: undefined }]);
  }

  syncDirectory(path: string): void {
    const directory = this.directory('sync directory', path);
    const [synced, left] = partition(this.#pending, (changes) => touches(changes, directory));
    for (const changes of synced) makeDurable(changes);
    this.#pending = left;
  }

  crash(random: SimRandom): void {
    const probability = random.pick([0, 0.5, 1]);
    const journal = random.chance(0.75);
    const cut = new Set<DirectoryNode>();
    for (const changes of this.#pending) {
      if (changes.some(({ directory }) => cut.has(directory)) || !random.chance(probability)) {
        if (journal) for (const { directory } of changes) cut.add(directory);
      } else {
        makeDurable(changes);
      }
    }
    this.#pending = [];
    crashBelow(this.#root, random);
  }

  /** Every file at or below a path, sorted, with its own path. */
  filesBelow(path: string): { path: string; image: FileImage }[] {
    const node = this.find('list', path);
    if (node === undefined) return [];
    if (node.kind === 'file') return [{ path, image: node.image }];
    return [...node.names.keys()].sort().flatMap((name) => this.filesBelow(`${path}/${name}`));
  }

  #place(operation: string, path: string): { directory: DirectoryNode; name: string } {
    const parts = partsOf(path);
    const name = parts.pop();
    if (name === undefined) throw new DiskError('EACCES', operation, path);
    return { directory: this.directory(operation, `/${parts.join('/')}`), name };
  }

  #change(changes: Change[]): void {
    for (const { directory, name, node } of changes) setName(directory.names, name, node);
    this.#pending.push(changes);
  }
}

function newDirectory(): DirectoryNode {
  return { kind: 'directory', names: new Map(), durableNames: new Map() };
}

/** A relative path begins at the root: the simulated process was started there. */
function partsOf(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

function setName(names: Map<string, TreeNode>, name: string, node: TreeNode | undefined): void {
  if (node === undefined) names.delete(name);
  else names.set(name, node);
}

function makeDurable(changes: Change[]): void {
  for (const { directory, name, node } of changes) setName(directory.durableNames, name, node);
}

function touches(changes: Change[], directory: DirectoryNode): boolean {
  return changes.some((change) => change.directory === directory);
}

function crashBelow(directory: DirectoryNode, random: SimRandom): void {
  directory.names = new Map(directory.durableNames);
  for (const node of directory.names.values()) {
    if (node.kind === 'directory') crashBelow(node, random);
    else node.image.crash(random);
  }
}

function whyNotReplaced(node: TreeNode, replaced: TreeNode): DiskErrorCode | undefined {
  if (replaced.kind === 'file') return node.kind === 'file' ? undefined : 'ENOTDIR';
  if (node.kind === 'file') return 'EISDIR';
  return replaced.names.size === 0 ? undefined : 'ENOTEMPTY';
}

function partition<T>(items: readonly T[], first: (item: T) => boolean): [T[], T[]] {
  const yes: T[] = [];
  const no: T[] = [];
  for (const item of items) (first(item) ? yes : no).push(item);
  return [yes, no];
}
