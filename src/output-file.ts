import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Environment } from './inputs/reader.ts';
import { imageOf, outputsOf } from './outputs.ts';
import type { Order, Promotion } from './promotion/model.ts';
import { logLine } from './text.ts';
import { VERSION } from './version.ts';

/** What a file of ids is written from: region → id, and the whole result. */
export interface Content {
  ids: Record<string, string>;
  result: object;
}

/** The endings that output-file takes, each with what it holds; the first that fits counts. */
const FORMS: [string, (content: Content) => string][] = [
  ['.tfvars.json', ({ ids }) => json({ image_ids: ids })],
  ['.json', ({ result }) => json(result)],
  ['.env', ({ ids }) => environmentOf(ids)],
];

/** A relative path is in the workspace. The mistake when it cannot be written. */
export function writeOutputFile(path: string, content: Content, env: Environment): string | null {
  const [, form] = FORMS.find(([ending]) => path.endsWith(ending)) ?? [];
  try {
    const file = resolve(env.GITHUB_WORKSPACE ?? '', path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, form?.(content) ?? '');
    return null;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return logLine(
      `output-file: ${JSON.stringify(path)} cannot be written (${code ?? message}). The image ids are in the outputs.`,
    );
  }
}

export function contentOf(promotion: Promotion, source: Order['source'], env: Environment): Content {
  return { ids: idsOf(promotion), result: resultOf(promotion, source, env) };
}

/** The whole result as `images.json` holds it, on a release too: what was promoted, and by which run. */
export function resultOf(promotion: Promotion, source: Order['source'], env: Environment): object {
  const { copies, status } = promotion;
  return {
    schema: 1,
    name: copies[0]?.name ?? promotion.source?.ImageName ?? null,
    status,
    source: {
      region: source.region,
      projectId: source.projectId ?? null,
      imageId: promotion.source?.ImageId ?? source.imageId ?? null,
    },
    images: copies.map(imageOf),
    by: runOf(env),
  };
}

/** The run that wrote a result. */
export function runOf(env: Environment): object {
  const { GITHUB_SERVER_URL: server, GITHUB_REPOSITORY: repository, GITHUB_RUN_ID: run } = env;
  return {
    repository: repository ?? null,
    sha: env.GITHUB_SHA ?? null,
    ref: env.GITHUB_REF ?? null,
    run: server && repository && run ? `${server}/${repository}/actions/runs/${run}` : null,
    action: VERSION,
  };
}

function idsOf(promotion: Promotion): Record<string, string> {
  return JSON.parse(outputsOf(promotion)['image-ids'] ?? '{}');
}

/** Names of letters, digits and `_`, and ids of those and `-.`: nothing that a shell could act on is written. */
function environmentOf(ids: Record<string, string>): string {
  return Object.entries(ids)
    .filter(([, id]) => /^[\w.-]+$/.test(id))
    .map(([region, id]) => `IMAGE_ID_${region.toUpperCase().replace(/\W/g, '_')}=${id}\n`)
    .join('');
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
