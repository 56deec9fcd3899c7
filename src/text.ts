/**
 * The one place that makes text from outside harmless: image names, descriptions, the API's messages.
 * One function for each place that shows text. All take any string and none throws.
 */

/** What a reader cannot see: controls, bidi and zero-width marks, lone surrogates. Emoji keep their variation selector. */
const HIDDEN = /[[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]--[\uFE0E\uFE0F]]/gv;

function picture(character: string): string {
  const code = character.codePointAt(0) ?? 0;
  if (code < 0x20) return String.fromCodePoint(0x2400 + code);
  return code === 0x7f ? '\u2421' : '\uFFFD';
}

/** Printable text on one line, of at most `max` characters. Base of all the others; not enough by itself. */
export function oneLine(text: string, max = 1000): string {
  // Long texts are cut first, so that the work is bounded by `max`.
  const bound = 8 * max;
  const line = text.slice(0, bound).replace(/\s+/g, ' ').replace(HIDDEN, picture).trim();
  const characters = Array.from(line);
  if (characters.length <= max && text.length <= bound) return line;
  return `${characters.slice(0, max - 1).join('')}…`;
}

/**
 * A line of the log, or of an annotation. A runner takes `::name::` at the start of a line and `##[name]` anywhere in it
 * for a command: doubled colons and hashes are spaced out. Apply it to whole lines, so that no two parts can join.
 */
export function logLine(text: string, max = 1000): string {
  return withoutCommands(oneLine(text, max));
}

/** An IPv6 host keeps its colons: no command has such a name. */
function withoutCommands(line: string): string {
  return line
    .replace(/\[[\da-f:]{2,39}\](?=:\d|\/)|:(?=:)/g, (found) => (found === ':' ? ': ' : found))
    .replace(/#(?=#)/g, '# ');
}

/** The longest line that is read without scrolling, in characters, less the `Warning: ` that a runner puts before some. */
const WIDTH = 190;

/** The same on as many lines as it takes, the later ones behind `indent`. Columns of spaces stay. */
export function logLines(text: string, indent = ''): string[] {
  const lines: string[] = [];
  let rest = withoutCommands(text.replace(/[^\S ]+/g, ' ').replace(HIDDEN, picture)).trimEnd();
  for (;;) {
    const head = lines.length > 0 ? indent : '';
    const room = WIDTH - head.length;
    if (rest.length <= room) return [...lines, head + rest];
    const space = rest.lastIndexOf(' ', room);
    // A word that fills the line is cut; never between the halves of a character.
    const cut = space > 0 ? space : room - Number(/[\uD800-\uDBFF]/.test(rest[room - 1] ?? ''));
    lines.push((head + rest.slice(0, cut)).trimEnd());
    rest = rest.slice(cut).trimStart();
  }
}

function longestTicks(text: string): number {
  let longest = 0;
  for (const [run] of text.matchAll(/`+/g)) longest = Math.max(longest, run.length);
  return longest;
}

/** A Markdown code span: GitHub looks for no markup, link, mention, reference or entity in it. Empty text stays empty. */
export function code(text: string, max = 200): string {
  const line = oneLine(text, max);
  if (line === '') return '';
  const ticks = '`'.repeat(longestTicks(line) + 1);
  const pad = line.startsWith('`') || line.endsWith('`') ? ' ' : '';
  return ticks + pad + line + pad + ticks;
}

/**
 * Words that GitHub could take for markup, math, an emoji, a link, a mention, a reference or a commit.
 * Escapes do not help there: GitHub looks for mentions and e-mail addresses after it has resolved them.
 */
const SUSPECT = /[`*_[\]<>&\\~|$#@]|:[^\s:;,.)'"]|www\.|\b(?:GH|GHSA|CVE)-\w|\b[0-9a-f]{7,40}\b/i;
/** What would open a block at the start of a line. */
const OPENS_BLOCK = /^(?:[-+=]+|\d+[.)])$/;

/** Punctuation around a word, which stays outside its code span. */
const WRAPPED = /^([('"]*)(.*?)([.,;:!?)'"]*)$/;

/** Markdown prose on one line. It reads as it is; words that could be more than text become code spans. */
export function prose(text: string, max = 1000): string {
  return oneLine(text, max)
    .split(' ')
    .map((word, at) => {
      if (at === 0 && OPENS_BLOCK.test(word)) return code(word, max);
      const [, before = '', core = '', after = ''] = WRAPPED.exec(word) ?? [word, '', word, ''];
      return SUSPECT.test(core) ? before + code(core, max) + after : word;
    })
    .join(' ');
}

/** Fits what `code` or `prose` made into a table cell, where a code span does not protect a pipe. */
export function cell(markdown: string): string {
  // A pipe after a backslash cannot be written in a cell: that backslash becomes its full-width twin.
  return markdown.replace(/\\(?=\|)/g, '＼').replaceAll('|', '\\|');
}

/**
 * The name of a task in a Mermaid gantt. `mark` is a sign, not a letter or digit: behind it no keyword is recognised.
 * Mermaid has no escapes: its punctuation becomes the full-width twin, which reads the same.
 */
export function ganttTask(mark: string, text: string, max = 120): string {
  const name = oneLine(text, max).replace(/[#:;%<>{}]/g, (sign) =>
    String.fromCodePoint(sign.charCodeAt(0) + 0xfee0),
  );
  return `${mark} ${name}`;
}

/** A fenced block that its own content cannot close. */
export function fenced(language: string, body: string): string {
  const fence = '`'.repeat(Math.max(3, longestTicks(body) + 1));
  return `${fence}${language}\n${body}\n${fence}`;
}

const hex = (code: number, digits: number) => code.toString(16).padStart(digits, '0');

/** JSON, indented, in which nothing is hidden: what a reader cannot see is written as an escape. */
export function json(value: unknown): string {
  // The line breaks between members are ours: only what stands within a line is replaced.
  return JSON.stringify(value, null, 2)
    .split('\n')
    .map((line) => line.replace(HIDDEN, utf16Escapes))
    .join('\n');
}

function utf16Escapes(character: string): string {
  return Array.from({ length: character.length }, (_, at) => `\\u${hex(character.charCodeAt(at), 4)}`).join(
    '',
  );
}
