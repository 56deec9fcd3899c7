/** Writes the table of return codes into the README, from the catalogue in src/cloud/return-codes.ts. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { RETURN_CODES, type ReturnCode } from '../src/cloud/return-codes.ts';

export const README = join(resolve(import.meta.dirname, '..'), 'README.md');
const BEGIN = '<!-- errors:begin -->';
const END = '<!-- errors:end -->';

const PARAMETERS = { ProjectId: 'project-id', SecurityToken: 'security-token' };

/** Codes that mean the same share a row; a code that means something else in a case has one for it too. */
export function errorsTable(): string {
  const rows = new Map<string, string[]>();
  const add = (label: string, { meaning, advice }: Pick<ReturnCode, 'meaning' | 'advice'>) => {
    const words = `${meaning.charAt(0).toUpperCase()}${meaning.slice(1)} | ${advice.replaceAll('this call', 'the call that the error names')}`;
    rows.set(words, [...(rows.get(words) ?? []), label]);
  };
  for (const [code, entry] of Object.entries(RETURN_CODES)) {
    add(code, entry);
    for (const words of entry.instead ?? []) {
      const its = 'call' in words ? `of ${words.call}` : `without \`${PARAMETERS[words.without]}\``;
      add(`${code} ${its}`, words);
    }
  }
  const lines = [...rows].map(([words, codes]) => `| ${codes.join(', ')} | ${words} |`);
  return ['| RetCode | What it means | What to do |', '|---|---|---|', ...lines].join('\n');
}

/** The README with the table as it should be. */
export function withTable(readme: string): string {
  const [before, rest = ''] = readme.split(BEGIN);
  const after = rest.split(END)[1];
  if (after === undefined) throw new Error(`README.md has no ${BEGIN} … ${END}.`);
  return `${before}${BEGIN}\n${errorsTable()}\n${END}${after}`;
}

if (import.meta.main) writeFileSync(README, withTable(readFileSync(README, 'utf8')));
