/** `npm run docs`: writes docs/commands.md from the commands table. */
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Access, type Command, commands, type Role } from '../src/remoting/mod.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
/** From the repository's root. */
export const commandsDocumentPath = 'docs/commands.md';

const roleTitles: Readonly<Record<Role, string>> = {
  broker: 'To a broker',
  namesrv: 'To the name server',
  client: 'To a client, over the connection that it opened',
  controller: 'To the controller',
  container: 'To a broker container',
};

export function commandsDocument(): string {
  const rows: Command[] = Object.values(commands);
  const served = rows.filter((row) => row.served).length;
  const sections = Object.entries(roleTitles).map(([role, title]) => section(title, rows, role as Role));
  return `<!-- Written by \`npm run docs\` from src/remoting/commands.ts. Do not edit. -->

# Remoting commands

All ${rows.length} request codes of RocketMQ 5.5, of which LiftMQ serves ${served}. What is not served is answered with code 3.

- **Header fields** travel in \`extFields\` as text: \`name\` with its kind where it is not text, \`name?\` when it may be
  absent, \`a = name\` when it travels under another name. Fields that a row does not name are ignored.
- **Kinds**: \`i32\`, \`i64\` (refused beyond ±(2^53−1)), \`time\` (milliseconds; Long.MAX means "no end"), \`bool\`.
- **Strict** rows refuse a request that lacks a required field; elsewhere it reads as 0, false or the empty text, as in
  RocketMQ.
- **Access** is what ACL 2.0 asks for: any one of the actions on each resource.

${sections.join('\n')}`;
}

function section(title: string, rows: readonly Command[], role: Role): string {
  const mine = rows.filter(({ to }) => to === role).sort((a, b) => a.code - b.code);
  const lines = mine.map(
    (row) =>
      `| ${row.code} | ${row.name} | ${row.served ? 'yes' : ''} | ${row.strict ? 'strict: ' : ''}${fieldsText(row.request)} | ${fieldsText(row.response)} | ${accessText(row.access)} |`,
  );
  return `## ${title}

| Code | Name | Served | Request | Response | Access |
|---:|---|---|---|---|---|
${lines.join('\n')}
`;
}

function fieldsText(fields: Command['request']): string {
  return Object.entries(fields)
    .map(([name, field]) => {
      const spelled = field.wire === undefined || field.wire === name ? name : `${field.wire} = ${name}`;
      const kind = field.kind === 'text' ? '' : ` ${field.kind}`;
      return `\`${spelled}${field.required ? '' : '?'}\`${kind}`;
    })
    .join(', ');
}

function accessText(access: Access | null): string {
  if (access === null) return '';
  const byField = Object.entries(access.fields ?? {}).map(([field, resource]) => `${resource} \`${field}\``);
  const resources = [...(access.resource === undefined ? [] : [access.resource]), ...byField];
  return [access.actions.join(' or '), ...resources].join(', ');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(join(root, commandsDocumentPath), commandsDocument());
}
