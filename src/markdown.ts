import type { Failure } from './facts.ts';
import { cell, code, prose } from './text.ts';

/** A summary over 1 MiB is dropped whole; past a quarter of it nobody reads. */
export const PAGE_BYTES = 250 * 1024;
/** The output summary-markdown: a comment of GitHub holds 65,536 characters. */
export const OUTPUT_BYTES = 60_000;

/** Rows beyond `most` are counted in a last one. */
export function table(head: string[], rows: string[][], most: number): string {
  const line = (cells: string[]) =>
    `| ${cells.map((text) => (text === '' ? '–' : cell(text))).join(' | ')} |`;
  const left = rows.length - most;
  return [
    `| ${head.join(' | ')} |`,
    line(head.map(() => '---')),
    ...rows.slice(0, most).map(line),
    ...(left > 0 ? [line(head.map((_, at) => (at === 1 ? `${left} more` : '')))] : []),
  ].join('\n');
}

export function bullets(sign: string, facts: readonly Failure[], text: number): string {
  return facts
    .map(({ regions, problem: { message, advice } }) => {
      const where = regions.length > 0 ? `${regions.map((region) => code(region)).join(', ')}: ` : '';
      return `- ${sign} ${where}${[message, advice].flatMap((part) => (part ? [prose(part, text)] : [])).join(' ')}`;
    })
    .join('\n');
}
