/** What the channels of one server or one client share, and the one flush that ends a turn of the event loop. */
import type { Clock, Log, Timers } from '../io/mod.ts';
import { type Channel, type ChannelHub, Counters } from './channel.ts';
import { Deadlines } from './deadlines.ts';
import type { Dispatch } from './dispatch.ts';
import type { FrameError } from './frame.ts';
import { type FrameKind, frameKind } from './frame-writer.ts';
import { Flag } from './header.ts';
import { HeaderScanner } from './header-scanner.ts';
import type { RemotingLimits } from './limits.ts';
import { BlockPool } from './outbox.ts';

/** Lines about bad input per sweep; beyond it only the counters tell. */
const badInputLinesMax = 20;

export class Hub implements ChannelHub {
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: Log;
  readonly limits: RemotingLimits;
  readonly dispatch: Dispatch;
  readonly requestKind: FrameKind;
  readonly onewayKind: FrameKind;
  readonly scanner: HeaderScanner;
  readonly pool = new BlockPool();
  readonly deadlines: Deadlines;
  readonly counters = new Counters();
  goingAway = false;
  channelCount = 0;
  sweptMs: number;
  #toFlush: Channel[] = [];
  #linesLeft = badInputLinesMax;
  #linesDropped = 0;

  constructor(
    ports: { readonly clock: Clock; readonly timers: Timers; readonly log: Log },
    dispatch: Dispatch,
    language: string,
    limits: RemotingLimits,
  ) {
    this.clock = ports.clock;
    this.timers = ports.timers;
    this.log = ports.log;
    this.limits = limits;
    this.dispatch = dispatch;
    this.requestKind = frameKind(0, language);
    this.onewayKind = frameKind(Flag.ONEWAY, language);
    this.scanner = new HeaderScanner(dispatch.hotRows, limits.headerFieldsMax);
    this.deadlines = new Deadlines(ports.clock, ports.timers);
    this.sweptMs = ports.clock.monotonicMs();
  }

  flushLater(channel: Channel): void {
    this.#toFlush.push(channel);
    if (this.#toFlush.length > 1) return;
    this.timers.soon(() => {
      const channels = this.#toFlush;
      this.#toFlush = [];
      for (const waiting of channels) waiting.flush();
    });
  }

  badFrame(channel: Channel, error: FrameError): void {
    this.counters.badFrames++;
    this.complain(
      'remoting.bad-frame',
      { peer: channel.address },
      `closing ${channel.address}: it sent ${error.message}`,
    );
    channel.destroy();
  }

  /** A warning about what a peer did: at most so many a sweep, so that nobody can fill the log. */
  complain(event: string, fields: Record<string, unknown>, message: string): void {
    if (this.#linesLeft > 0) {
      this.#linesLeft--;
      this.log.warn(event, fields, message);
    } else this.#linesDropped++;
  }

  /** Notes the time, for what is judged by sweeps. */
  touch(): void {
    this.sweptMs = this.clock.monotonicMs();
  }

  sweep(): number {
    this.touch();
    if (this.#linesDropped > 0) {
      const dropped = this.#linesDropped;
      this.log.warn('remoting.lines-dropped', { dropped }, `${dropped} more warnings about peers were left out`);
    }
    this.#linesLeft = badInputLinesMax;
    this.#linesDropped = 0;
    return this.sweptMs;
  }
}
