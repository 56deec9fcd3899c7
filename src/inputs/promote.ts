import { randomBytes } from 'node:crypto';
import type { Order } from '../promotion/model.ts';
import { type Connection, readConnection, readMarkSecret } from './connection.ts';
import { readOutputFile } from './output-path.ts';
import { readPackerManifest } from './packer-manifest.ts';
import { type Environment, Reader, type Reading } from './reader.ts';
import { globOf, packerId, shown } from './spelling.ts';

/** The inputs of the root action. */
export interface Inputs {
  connection: Connection;
  order: Order;
  rollback: 'never' | 'step' | 'job';
  summary: boolean;
  release?: { tag: string; token: string };
  /** The path as it was given. */
  outputFile?: string;
}

export interface Read extends Reading {
  /** Absent when there are mistakes. */
  inputs?: Inputs;
  /** Empty where none is wanted, or where it is a mistake itself. */
  outputFile: string;
}

/** Reads every input and tells all mistakes at once. Sends nothing, prints nothing. */
export function readInputs(env: Environment): Read {
  const reader = new Reader(env);
  const connection = readConnection(reader);
  const source = readSource(reader);
  const projectId = reader.word(
    'target-project-id',
    null,
    'Give the project to copy to, for example org-abc123.',
  );
  const required = reader.regions(
    'target-regions',
    'Give the regions to copy to, one per line or with commas.',
  );
  const optional = readOptional(reader, required);
  const name = reader.imageName('target-image-name');
  const description = reader.text('target-image-description');
  const tag = reader.tag('target-image-tag');
  const markSecret = readMarkSecret(reader);
  const extraParameters = reader.parameters('extra-parameters');
  const wait = reader.boolean('wait', true);
  const timeout = reader.duration('timeout', 2 * 3_600_000);
  const pollInterval = reader.duration('poll-interval', null);
  if (pollInterval !== null && pollInterval > timeout)
    reader.mistake('poll-interval', 'is longer than timeout, so no copy would ever be looked at.');
  const ifExists = reader.choice('if-exists', ['adopt', 'copy', 'fail']);
  const rollback = reader.choice('rollback', ['never', 'step', 'job']);
  if (rollback === 'job' && env.GITHUB_STATE === undefined)
    reader.mistake('rollback', 'job needs a runner, whose post step sees how the job ends. Set it to step.');
  const dryRun = reader.boolean('dry-run', false);
  const summary = reader.boolean('summary', true);
  const outputFile = readOutputFile(reader);
  const release = readRelease(reader);
  const reading = reader.reading();
  if (reading.mistakes.length > 0) return { ...reading, outputFile };
  return {
    ...reading,
    outputFile,
    inputs: {
      connection,
      order: {
        source,
        target: {
          projectId,
          regions: required.filter((region) => !optional.includes(region)),
          ...(optional.length > 0 ? { optionalRegions: optional } : {}),
          ...(name ? { name } : {}),
          ...(description ? { description } : {}),
          ...(tag ? { tag } : {}),
        },
        extraParameters,
        ...(markSecret ? { markSecret } : {}),
        ifExists,
        wait,
        timeout,
        ...(pollInterval === null ? {} : { pollInterval }),
        dryRun,
        run: runName(env),
      },
      rollback,
      summary,
      ...(release ? { release } : {}),
      ...(outputFile ? { outputFile } : {}),
    },
  };
}

/**
 * Region and project may come with the image: `project:region:id`, or Packer's manifest. `needed`: it must be given.
 * `hasZone`: the action takes a zone.
 */
export function readSource(
  reader: Reader,
  { needed, hasZone } = { needed: true, hasZone: true },
): Order['source'] {
  const imageId = reader.word(
    'source-image-id',
    null,
    undefined,
    ' For a name or a glob, set source-image-name.',
  );
  if (/^[A-Za-z]/.test(imageId) && !/image-|:|^[0-9a-f-]{32,}$/.test(imageId)) {
    const hint = 'does not look like an image id (uimage-…). For a name, set source-image-name.';
    reader.notices.push(`source-image-id: ${shown(imageId)} ${hint}`);
  }
  const name = readName(reader);
  const path = reader.text('packer-manifest');
  const packer = packerId(imageId);
  const region = reader.word(
    'region',
    'UCLOUD_REGION',
    packer || path || !needed ? undefined : 'Give the region of the source image, for example cn-bj2.',
  );
  const zone = hasZone ? reader.word('zone', null) : '';
  const projectId = reader.word('project-id', 'UCLOUD_PROJECT_ID');
  const given = Object.entries({
    'source-image-id': imageId,
    'source-image-name': name,
    'packer-manifest': path,
  }).flatMap(([input, value]) => (value ? [input] : []));
  if (given.length > 1) {
    reader.mistake(given[0] ?? '', `Set ${given.join(' or ')}, not ${given.length > 2 ? 'all' : 'both'}.`);
  } else if (given.length === 0 && needed) {
    const remedy = 'Give it, or source-image-name, or packer-manifest, for the image to copy.';
    reader.missing('source-image-id', null, remedy);
  }
  let image = packer;
  if (path) {
    const read = readPackerManifest(path, reader.env, { region, projectId });
    if (read.mistake !== undefined) reader.mistake('packer-manifest', read.mistake);
    if (read.notice !== undefined) reader.notices.push(`packer-manifest: ${read.notice}`);
    image = read.value ?? null;
  } else if (packer) {
    for (const [input, value, named] of [
      ['region', region, packer.region],
      ['project-id', projectId, packer.projectId],
    ] as const) {
      if (value !== '' && value !== named)
        reader.mistake('source-image-id', `names ${shown(named)}, but ${input} is ${shown(value)}.`);
    }
  }
  const project = image?.projectId ?? projectId;
  return {
    region: image?.region ?? region,
    ...(zone ? { zone } : {}),
    ...(project ? { projectId: project } : {}),
    ...(name ? { name } : { imageId: image?.imageId ?? imageId }),
  };
}

/** One that is in both lists is optional; said, or its failure would pass unseen. */
export function readOptional(reader: Reader, required: string[]): string[] {
  const optional = reader.regions('optional-regions');
  const both = required.filter((region) => optional.includes(region)).join(', ');
  if (both !== '')
    reader.notices.push(
      `optional-regions: ${both} is in target-regions too; a failure there is a warning only.`,
    );
  return optional;
}

function readName(reader: Reader): string {
  const name = reader.text('source-image-name');
  const { mistake } = globOf(name);
  if (mistake !== undefined && /\p{Cc}/u.test(name)) reader.mistake('source-image-name', mistake);
  // No mistake yet: what names there are is told with it when nothing matches.
  else if (mistake !== undefined) reader.notices.push(`source-image-name: ${mistake}`);
  return name;
}

function readRelease(reader: Reader): Inputs['release'] {
  const given = reader.text('release-tag');
  const tag = given.replace(/^refs\/tags\//, '');
  const token = reader.key('github-token', null, false);
  // What git allows in no tag.
  if (/^refs\/|[\s\p{Cc}~^:?*[\\]/u.test(tag) || (tag === '' && given !== '')) {
    reader.mistake('release-tag', `${shown(given)} is not a tag. Give the name of a tag, such as v1.4.2.`);
  } else if (tag !== '' && token === '') {
    reader.mistake(
      'github-token',
      'is empty, and release-tag needs it. Leave it out to use the token of the job.',
    );
  }
  return tag === '' ? undefined : { tag, token };
}

/** Names the run for whoever reads the mark, and this one step of it by six random letters. */
function runName(env: Environment): string {
  const run = /^\d+$/.test(env.GITHUB_RUN_ID ?? '')
    ? `${env.GITHUB_RUN_ID}-${/^\d+$/.test(env.GITHUB_RUN_ATTEMPT ?? '') ? env.GITHUB_RUN_ATTEMPT : '1'}`
    : 'local';
  return `${run}-${randomBytes(4).readUInt32LE().toString(36).padStart(7, '0').slice(-6)}`;
}
