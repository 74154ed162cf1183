import { type DestinationStream, destination as openDestination, pino, stdSerializers, stdTimeFunctions } from 'pino';
import type { Log } from '../log.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

export interface LogOptions {
  /** Default `info`. */
  level?: LogLevel;
  /** Takes one JSON line per call; default is standard output, written in the background. */
  destination?: DestinationStream;
}

/** A reader of our output who stalls must not stop the broker, nor fill its memory: beyond this the newest lines are dropped. */
const unwrittenBytesMax = 4 * 1024 * 1024;

/** One JSON object per line: `level` (a word), `time` (ISO 8601), `event`, the fields, `msg`. */
export function createNodeLog(options: LogOptions = {}): Log {
  const destination = options.destination ?? openDestination({ dest: 1, sync: false, maxLength: unwrittenBytesMax });
  const logger = pino(
    {
      level: options.level ?? 'info',
      base: null,
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      serializers: { error: stdSerializers.errWithCause, cause: stdSerializers.errWithCause },
    },
    destination,
  );
  return {
    debug: (event, fields, message) => logger.debug({ ...fields, event }, message),
    info: (event, fields, message) => logger.info({ ...fields, event }, message),
    warn: (event, fields, message) => logger.warn({ ...fields, event }, message),
    error: (event, fields, message) => logger.error({ ...fields, event }, message),
  };
}
