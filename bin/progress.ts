/** How far a long command is: a bar on a terminal, otherwise a line now and then; on stderr, so that results can be piped. */
const barWidth = 24;
const barPeriodMs = 100;
const linePeriodMs = 5000;

export class Progress {
  readonly #title: string;
  readonly #isTerminal = process.stderr.isTTY;
  readonly #beganMs = performance.now();
  #toldMs = Number.NEGATIVE_INFINITY;
  #hasBar = false;

  constructor(title: string) {
    this.#title = title;
    // A command that is done before anybody wonders says nothing.
    if (!this.#isTerminal) this.#toldMs = this.#beganMs;
  }

  update(doneBytes: number, totalBytes: number): void {
    const now = performance.now();
    if (now - this.#toldMs < (this.#isTerminal ? barPeriodMs : linePeriodMs)) return;
    this.#toldMs = now;
    const line = progressLine(this.#title, doneBytes, totalBytes, (now - this.#beganMs) / 1000);
    if (!this.#isTerminal) {
      console.error(line);
      return;
    }
    this.#hasBar = true;
    const filled = Math.round(barWidth * ratioOf(doneBytes, totalBytes));
    process.stderr.write(`\r\x1b[K[${'#'.repeat(filled)}${'-'.repeat(barWidth - filled)}] ${line}`);
  }

  /** Takes the bar away. */
  end(): void {
    if (this.#hasBar) process.stderr.write('\r\x1b[K');
  }
}

export function progressLine(title: string, doneBytes: number, totalBytes: number, seconds: number): string {
  const rate = seconds > 0 ? doneBytes / seconds : 0;
  const left = rate > 0 ? `, ${Math.ceil(Math.max(0, totalBytes - doneBytes) / rate)} s left` : '';
  const percent = Math.floor(100 * ratioOf(doneBytes, totalBytes));
  return `${title} ${percent} %, ${sizeText(doneBytes)} of ${sizeText(totalBytes)}, ${sizeText(rate)}/s${left}`;
}

function ratioOf(done: number, total: number): number {
  return total <= 0 ? 1 : Math.max(0, Math.min(1, done / total));
}

export function sizeText(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < units.length - 1) {
    size /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? Math.round(size) : size.toFixed(1)} ${units[unit]}`;
}
