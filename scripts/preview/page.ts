/** Pages that look as GitHub's do, as far as a reader of the pictures would notice. */
import { readFileSync } from 'node:fs';
import { micromark } from 'micromark';
import { gfm, gfmHtml } from 'micromark-extension-gfm';
import { formatDuration } from '../../src/promotion/duration.ts';
import type { LogLine } from '../../test/runner/runner.ts';

const style = readFileSync(new URL('style.css', import.meta.url), 'utf8');

function page(title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${title}</title><style>${style}</style></head>
<body><main class="${title}">${body}</main></body>
</html>`;
}

/** The summary's Markdown in a job's card. Mermaid blocks are still code. */
export function summaryPage(markdown: string): string {
  const html = micromark(markdown, {
    extensions: [gfm()],
    htmlExtensions: [gfmHtml()],
    // As on GitHub: what it would not let through is the concern of test/words.
    allowDangerousHtml: true,
  });
  return page('summary', `<header>promote <span>summary</span></header><article>${html}</article>`);
}

/** The step's log, unfolded. `seconds`: how long the step took. */
export function logPage(lines: readonly LogLine[], seconds: number): string {
  const failed = lines.some(({ kind }) => kind === 'error');
  const rows = lines.map(({ text, kind, grouped }, at) => {
    const [, prefix = '', rest = ''] = /^(▸ |Error: |Warning: |Notice: )?(.*)$/s.exec(text) ?? [];
    const sign = kind === 'group' ? '<i>▾</i>' : prefix && kind !== 'output' ? `<b>${prefix}</b>` : prefix;
    return `<li class="${kind}${grouped ? ' grouped' : ''}"><span>${at + 1}</span><p>${sign}${escapeHtml(rest)}</p></li>`;
  });
  const mark = failed ? '<em class="failed">✕</em>' : '<em>✓</em>';
  return page(
    'log',
    `<header>${mark}Promote the image<span>${formatDuration(seconds)}</span></header><ol>${rows.join('')}</ol>`,
  );
}

function escapeHtml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
