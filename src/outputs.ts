import { rmSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Environment } from './inputs/reader.ts';
import { isUsable } from './outcome.ts';
import type { Copy, Promotion } from './promotion/model.ts';
import { attempt } from './step.ts';

/** A run that ended before it knew anything. */
export const NOTHING: Promotion = {
  status: 'failed',
  source: null,
  copies: [],
  problems: [],
  ended: 'stopped',
  seconds: 0,
};

/** Every output of action.yml, as text; `markdown` is the summary page. A run that ends early has them all too, so that fromJSON never fails. */
export function outputsOf(promotion: Promotion, markdown = ''): Record<string, string> {
  const { copies, source, status } = promotion;
  const there = copies.filter(isUsable);
  const [only] = copies.length === 1 ? there : [];
  return {
    status,
    'image-id': only?.imageId ?? '',
    'task-id': only?.taskId ?? '',
    'image-ids': JSON.stringify(Object.fromEntries(there.map(({ region, imageId }) => [region, imageId]))),
    'task-ids': JSON.stringify(
      Object.fromEntries(there.flatMap(({ region, taskId }) => (taskId ? [[region, taskId]] : []))),
    ),
    images: JSON.stringify(copies.map(imageOf)),
    'source-image-id': source?.ImageId ?? '',
    'failed-regions': JSON.stringify(
      copies.filter(({ outcome }) => outcome === 'failed').map(({ region }) => region),
    ),
    'summary-markdown': markdown,
  };
}

/**
 * Before a run knows anything, and when its images are gone: what reads the file must not find the ids of an earlier run.
 * A relative path is in the workspace. What cannot be removed is told when it cannot be written.
 */
export function removeOutputFile(path: string | undefined, env: Environment): void {
  if (path) attempt(() => rmSync(resolve(env.GITHUB_WORKSPACE ?? '', path), { force: true }));
}

/** A target as the output `images` has it. */
export function imageOf(copy: Copy): Record<string, unknown> {
  const { region, projectId, imageId, taskId, name, state, outcome, problem, startedAt, finishedAt } = copy;
  const seconds =
    startedAt !== null && finishedAt !== null ? Math.round((finishedAt - startedAt) / 100) / 10 : null;
  return {
    region,
    projectId,
    imageId,
    taskId,
    name,
    state,
    outcome,
    seconds,
    error: problem?.message ?? null,
  };
}
