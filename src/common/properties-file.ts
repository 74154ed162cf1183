/**
 * Java's .properties text, UTF-8: `key=value` lines; `:` or white space separate too; `#` and `!` begin comments; a
 * backslash at the end of a line continues it; `\t \n \r \f \uXXXX` are escapes, any other `\c` is c. Of equal keys the
 * last one counts.
 */
export function parseProperties(text: string): Map<string, string> {
  const properties = new Map<string, string>();
  for (const line of logicalLines(text)) {
    const keyEnd = endOfKey(line);
    const separator = /^[ \t\f]*[=:]?[ \t\f]*/.exec(line.slice(keyEnd));
    const valueStart = keyEnd + (separator?.[0].length ?? 0);
    properties.set(unescapeText(line.slice(0, keyEnd)), unescapeText(line.slice(valueStart)));
  }
  return properties;
}

function logicalLines(text: string): string[] {
  const lines: string[] = [];
  let open: string | undefined;
  for (const raw of text.replace(/^\uFEFF/, '').split(/\r\n|\n|\r/)) {
    const line = raw.replace(/^[ \t\f]+/, '');
    if (open === undefined && (line === '' || line[0] === '#' || line[0] === '!')) continue;
    const whole = (open ?? '') + line;
    if (endsWithOpenBackslash(line)) {
      open = whole.slice(0, -1);
    } else {
      open = undefined;
      lines.push(whole);
    }
  }
  if (open !== undefined) lines.push(open);
  return lines;
}

/** An odd number of backslashes at the end: the last one is not itself escaped. */
function endsWithOpenBackslash(line: string): boolean {
  let count = 0;
  while (count < line.length && line[line.length - 1 - count] === '\\') count++;
  return count % 2 === 1;
}

function endOfKey(line: string): number {
  for (let at = 0; at < line.length; at++) {
    const char = line[at];
    if (char === '\\') at++;
    else if (char === '=' || char === ':' || char === ' ' || char === '\t' || char === '\f') return at;
  }
  return line.length;
}

function unescapeText(text: string): string {
  return text.replace(/\\(u[0-9a-fA-F]{4}|[\s\S]|$)/g, (_whole, escaped: string) => {
    if (escaped.length === 5) return String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return { t: '\t', n: '\n', r: '\r', f: '\f' }[escaped] ?? escaped;
  });
}

/** One `key=value` line per entry, in the given order; what `parseProperties` reads back unchanged. */
export function writeProperties(entries: Iterable<readonly [string, string]>): string {
  let text = '';
  for (const [key, value] of entries) {
    text += `${escapeText(key).replace(/[ =:#!]/g, '\\$&')}=${escapeText(value).replace(/^ /, '\\ ')}\n`;
  }
  return text;
}

function escapeText(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('\t', '\\t')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\f', '\\f');
}
