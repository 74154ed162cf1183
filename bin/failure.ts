import { DiskError, NetworkError } from '../src/io/mod.ts';

/** The start cannot go on for a reason that the user can mend; the message is the sentence for him. */
export class StartFailure extends Error {
  override readonly name = 'StartFailure';
}

/** One sentence for a failure that comes from the outside; undefined for a bug, which deserves its stack. */
export function sentenceOf(error: unknown): string | undefined {
  if (error instanceof StartFailure) return error.message;
  if (error instanceof NetworkError) return networkSentence(error);
  if (error instanceof DiskError) return diskSentence(error);
  return error instanceof Error && error.constructor === Error ? withCause(error) + wayOut(error.cause) : undefined;
}

function networkSentence(error: NetworkError): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return `${error.message}: another process listens there; stop it, or choose another port (see --help)`;
    case 'EACCES':
      return `${error.message}: this user may not listen there; ports below 1024 need a privilege`;
    case 'EADDRNOTAVAIL':
      return `${error.message}: no interface of this machine has the address`;
    default:
      return error.message;
  }
}

function diskSentence(error: DiskError): string {
  switch (error.code) {
    case 'EACCES':
    case 'EROFS':
      return `${error.path} cannot be written: ${withCause(error)}${wayOut(error)}`;
    case 'ENOSPC':
      return `no space left at ${error.path}`;
    default:
      return withCause(error) + wayOut(error);
  }
}

const badPlaces: ReadonlySet<unknown> = new Set(['EACCES', 'EROFS', 'ENOENT', 'ENOTDIR', 'EEXIST']);

function wayOut(cause: unknown): string {
  return cause instanceof DiskError && badPlaces.has(cause.code) ? '; choose another directory with --data' : '';
}

/** Some causes are told already. */
function withCause({ message, cause }: Error): string {
  return cause instanceof Error && !message.includes(cause.message) ? `${message} (${cause.message})` : message;
}
