import { isUsable } from '../outcome.ts';
import type { Promotion } from '../promotion/model.ts';
import { cell, code, prose } from '../text.ts';

const BEGIN = '<!-- copy-custom-image:begin -->';
const END = '<!-- copy-custom-image:end -->';
/** A marker counts only when it is alone on its line: prose and code that mention one are no section. */
const MARKER = /^<!-- copy-custom-image:(begin|end) -->(?=[ \t]*$)/gm;

/** The section's Markdown. No time and no run in it: the same promotion gives the same text. */
export function renderSection({ source, copies }: Promotion): string {
  const rows = copies
    .filter(isUsable)
    .map(({ region, projectId, name, imageId, state }) =>
      [code(region), code(projectId), prose(name), code(imageId), prose(state ?? 'Copying')].map(cell),
    );
  const missing = copies.filter((copy) => !isUsable(copy)).map(({ region }) => code(region));
  const origin = source ? `, made from ${code(source.ImageId)}` : '';
  return [
    BEGIN,
    '',
    '### Custom images',
    '',
    `The ids of this release's images${origin}:`,
    '',
    '| Region | Project | Image | Id | State |',
    '| --- | --- | --- | --- | --- |',
    ...rows.map((cells) => `| ${cells.join(' | ')} |`),
    ...(missing.length > 0 ? ['', `No image in ${missing.join(', ')}.`] : []),
    '',
    END,
  ].join('\n');
}

/**
 * The notes with the section in them: in the place of the earlier one, else at the end. Every other byte stays.
 * Only a begin and the end that follows it, with no other begin between, are a section: a marker that lost its
 * partner eats nothing. A section that somebody doubled is renewed in both places, so none goes stale.
 */
export function withSection(notes: string, section: string): string {
  const earlier = findSections(notes);
  const rest = between(notes, earlier);
  const newline = /\r?\n/.exec(`${rest.join('')}\n`)?.[0] ?? '\n';
  const text = section.replace(/\r?\n/g, newline);
  if (earlier.length > 0) return rest.join(text);
  return notes + gap(notes, newline) + text;
}

function findSections(notes: string): { from: number; to: number }[] {
  const sections: { from: number; to: number }[] = [];
  let begin: number | null = null;
  for (const { 0: marker, 1: kind, index } of notes.matchAll(MARKER)) {
    if (kind === 'begin') begin = index;
    else if (begin !== null) {
      sections.push({ from: begin, to: index + marker.length });
      begin = null;
    }
  }
  return sections;
}

function between(notes: string, sections: { from: number; to: number }[]): string[] {
  const starts = [0, ...sections.map(({ to }) => to)];
  return starts.map((start, i) => notes.slice(start, sections[i]?.from));
}

/** What makes a blank line between the notes and a section after them. */
function gap(notes: string, newline: string): string {
  if (notes === '' || /\n\r?\n$/.test(notes)) return '';
  return notes.endsWith('\n') ? newline : newline + newline;
}
