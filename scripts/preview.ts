/**
 * Takes the pictures of the README, docs/summary.png and docs/log.png, from a real run of dist/ on the emulated API.
 * `--check` takes none: it fails when GitHub would not show what the run came to, or the picture of the architecture.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium } from 'playwright-core';
import { logPage, summaryPage } from './preview/page.ts';
import { demoRun } from './preview/run.ts';

const WIDTH = 1000;
const path = (relative: string) => fileURLToPath(new URL(relative, import.meta.url));

function browserPath(): string {
  const wanted = process.env.CHROMIUM;
  const places = wanted
    ? [wanted]
    : [
        '/usr/bin/chromium',
        '/usr/bin/chromium-browser',
        '/usr/bin/google-chrome',
        '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
      ];
  const found = places.find((place) => existsSync(place));
  if (found) return found;
  throw new Error(
    `The preview needs Chromium, and there is none at ${places.join(', ')}.\n` +
      'On Debian: apt-get install chromium fonts-noto-color-emoji. Elsewhere: set CHROMIUM to the path of its program.',
  );
}

/** Mermaid throws on a text that it cannot draw. */
const DRAW = `(async () => {
  mermaid.initialize({ startOnLoad: false, suppressErrorRendering: true });
  for (const [at, code] of [...document.querySelectorAll('code.language-mermaid')].entries()) {
    const drawing = document.createElement('div');
    drawing.className = 'mermaid';
    code.parentElement.replaceWith(drawing);
    drawing.innerHTML = (await mermaid.render('diagram' + at, code.textContent, drawing)).svg;
  }
})()`;

async function open(context: BrowserContext, name: string, markdown: string) {
  const page = await context.newPage();
  await page.setContent(summaryPage(markdown));
  await page.addScriptTag({ path: path('../node_modules/mermaid/dist/mermaid.min.js') });
  await page.evaluate(DRAW).catch((error: Error) => {
    throw new Error(`Mermaid cannot draw ${name}:\n${markdown}\n${error.message}`);
  });
  return page;
}

/** What is wrong with the summary as it is shown. */
async function faultsOf(page: Awaited<ReturnType<typeof open>>, regions: string[]): Promise<string[]> {
  const faults: string[] = [];
  const expect = (what: string, shown: string[]) => {
    const missing = regions.filter((region) => !shown.some((text) => text.split(/\s/).includes(region)));
    if (shown.length !== regions.length || missing.length > 0)
      faults.push(`${regions.length} copies, but ${shown.length} ${what}: ${shown.join(' | ') || 'none'}`);
  };
  expect('rows in the table', await page.locator('table').first().locator('tbody tr').allInnerTexts());
  expect('names in the gantt', await page.locator('.mermaid text[class*=taskText]').allTextContents());
  const bars = await page.locator('.mermaid rect.task').all();
  const sizes = await Promise.all(bars.map(async (bar) => (await bar.boundingBox())?.width ?? 0));
  const visible = sizes.filter((width) => width >= 1);
  if (visible.length !== regions.length)
    faults.push(`${regions.length} copies, but ${visible.length} visible bars in the gantt`);
  return faults;
}

async function preview(check: boolean): Promise<void> {
  const executablePath = browserPath();
  const run = await demoRun();
  const images: { region: string }[] = JSON.parse(run.outputs.images ?? '[]');
  if (images.length === 0) throw new Error(`The demo run made nothing. Its log:\n${run.log}`);
  const profile = mkdtempSync(join(tmpdir(), 'preview-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    viewport: { width: WIDTH, height: 600 },
    deviceScaleFactor: 1.5,
    timezoneId: 'UTC',
    locale: 'en-US',
    offline: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-sync'],
  });
  try {
    const summary = await open(context, 'the summary', run.summary);
    const faults = await faultsOf(
      summary,
      images.map(({ region }) => region),
    );
    if (faults.length > 0)
      throw new Error(`The summary is not shown as it should be:\n- ${faults.join('\n- ')}`);
    if (check) {
      const name = 'docs/architecture.md';
      await open(context, name, readFileSync(path(`../${name}`), 'utf8'));
      console.log(
        `The summary shows ${images.length} rows and ${images.length} bars for ${images.length} copies.`,
      );
      return;
    }
    const log = await context.newPage();
    await log.setContent(logPage(run.lines, run.durationMs / 1000));
    for (const [page, name] of [
      [summary, 'summary.png'],
      [log, 'log.png'],
    ] as const) {
      await page.locator('main').screenshot({ path: path(`../docs/${name}`) });
      console.log(`docs/${name}`);
    }
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

try {
  await preview(process.argv.includes('--check'));
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
