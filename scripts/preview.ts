/**
 * Takes the pictures of the README, docs/summary.png and docs/log.png, from a real run of dist/ on the emulated API, and
 * keeps their text beside them. `preview FOLDER` takes a picture of every situation instead, to be looked at. `--check`
 * takes none: it fails when a page does not show what went wrong on its first screen, or GitHub could not show it.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import type { Run } from '../test/runner/runner.ts';
import { logPage, summaryPage } from './preview/page.ts';
import { demoRun, play, SITUATIONS } from './preview/run.ts';

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
      'On Debian: apt-get install chromium fonts-liberation fonts-noto-color-emoji. Elsewhere: set CHROMIUM to the path of its program.',
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

/** The first screen, in px: what went wrong and what to do must end above its lower edge. */
const SCREEN = 800;

/** What is wrong with a page as it is shown. */
async function faultsOf(page: Page, { outputs }: Run): Promise<string[]> {
  const faults: string[] = [];
  const images: { region: string; imageId: string | null; error: string | null }[] = JSON.parse(
    outputs.images ?? '[]',
  );
  await page.setViewportSize({ width: WIDTH, height: SCREEN });
  const all = await page.locator('article').evaluate((node) => node.textContent ?? '');
  // A heading must stand first; its next step, if there is one, right behind it.
  if (!(await page.locator('article > :first-child').evaluate((node) => node.nodeName === 'H2')))
    faults.push('the page does not begin with its heading');
  for (const { region, error } of images.filter(({ error }) => error !== null)) {
    const row = page.locator('td', { hasText: new RegExp(`(^|\\W)${region}(\\W|$)`) }).first();
    const box = (await row.count()) > 0 ? await row.boundingBox() : null;
    if (!box || box.y + box.height > SCREEN) faults.push(`${region} is not on the first screen: ${error}`);
  }
  for (const { region } of images) if (!all.includes(region)) faults.push(`${region} is nowhere`);
  const bars = await page.locator('.mermaid rect.task').all();
  const widths = await Promise.all(bars.map(async (bar) => (await bar.boundingBox())?.width ?? 0));
  const names = await page.locator('.mermaid text[class*=taskText]').allTextContents();
  if (widths.some((width) => width < 1)) faults.push('a bar of the timeline cannot be seen');
  if (names.length !== widths.length) faults.push(`${widths.length} bars, but ${names.length} names`);
  return faults;
}

/** Pictures of every situation go to `folder`; without one they are only looked at by `faultsOf`. */
async function situations(context: BrowserContext, folder: string | undefined): Promise<void> {
  if (folder) mkdirSync(folder, { recursive: true });
  for (const name of Object.keys(SITUATIONS) as (keyof typeof SITUATIONS)[]) {
    const { run, page: markdown } = await play(name);
    const page = await open(context, name, markdown);
    const faults = await faultsOf(page, run);
    if (folder) {
      const file = join(folder, name.replace(/\W+/g, '-'));
      await page.locator('main').screenshot({ path: `${file}.png` });
      writeFileSync(`${file}.md`, markdown);
      writeFileSync(`${file}.txt`, `${run.log}\n${run.post?.ran ? run.post.log : ''}`);
    }
    if (faults.length > 0)
      throw new Error(`The page of ${name} is not as it should be:\n- ${faults.join('\n- ')}`);
    console.log(`${name}: ${markdown.split('\n')[0]}`);
    await page.close();
  }
}

async function preview(check: boolean, folder: string | undefined): Promise<void> {
  const profile = mkdtempSync(join(tmpdir(), 'preview-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: browserPath(),
    headless: true,
    viewport: { width: WIDTH, height: SCREEN },
    deviceScaleFactor: 1.5,
    timezoneId: 'UTC',
    locale: 'en-US',
    offline: true,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-sync'],
  });
  try {
    if (check || folder) await situations(context, folder);
    if (check) {
      const name = 'docs/architecture.md';
      await open(context, name, readFileSync(path(`../${name}`), 'utf8'));
    }
    if (check || folder) return;
    const run = await demoRun();
    const summary = await open(context, 'the summary', run.summary);
    const log = await context.newPage();
    await log.setContent(logPage(run.lines, run.durationMs / 1000));
    // The text beside each picture is what CI compares: see test/e2e/pictures.test.ts.
    for (const [page, name, text] of [
      [summary, 'summary', run.summary],
      [log, 'log', `${run.log.trimEnd()}\n`],
    ] as const) {
      await page.locator('main').screenshot({ path: path(`../docs/${name}.png`) });
      writeFileSync(path(`../docs/${name}.txt`), text);
      console.log(`docs/${name}.png, docs/${name}.txt`);
    }
  } finally {
    await context.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
  }
}

try {
  const folder = process.argv[2]?.startsWith('-') ? undefined : process.argv[2];
  await preview(process.argv.includes('--check'), folder);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exitCode = 1;
}
