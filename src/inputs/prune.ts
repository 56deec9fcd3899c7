import type { PruneOrder } from '../prune/prune.ts';
import { type Connection, readConnection, readMarkSecret } from './connection.ts';
import { type Environment, Reader, type Reading } from './reader.ts';
import { globOf, idsOf } from './spelling.ts';

/** The inputs of prune/action.yml. */
export interface PruneInputs {
  connection: Connection;
  order: PruneOrder;
  /** So many of the newest releases protect the images that they name. */
  releases: { count: number; token: string } | null;
  summary: boolean;
}

const DAY = 86_400_000;

/** Ten years. */
const OLDEST = 3650 * DAY;

/** Reads every input and tells all mistakes at once. Sends nothing, prints nothing. */
export function readPruneInputs(env: Environment): Reading & { inputs?: PruneInputs } {
  const reader = new Reader(env);
  const connection = readConnection(reader);
  // Not from the environment, where the project of the sources stands: deleting is asked for by name.
  const projectId = reader.word(
    'project-id',
    null,
    'Give the project whose copies to prune, for example org-abc123.',
  );
  const regions = reader.regions('regions', 'Give the regions to prune, one per line or with commas.');
  const name = readFamily(reader);
  const keep = reader.count('keep', 'Give how many of the newest copies to keep in each region, 1 or more.');
  const minAge = reader.duration('min-age', 7 * DAY, OLDEST, true);
  const protect = readProtected(reader);
  const count = reader.count('protect-releases');
  const token = reader.key('github-token', null, false);
  if (count !== null && token === '') {
    const remedy = 'Leave it out to use the token of the job.';
    reader.mistake('github-token', `is empty, and protect-releases needs it. ${remedy}`);
  }
  const markSecret = readMarkSecret(reader);
  const dryRun = reader.boolean('dry-run', true);
  const timeout = reader.duration('timeout', DAY / 48);
  const summary = reader.boolean('summary', true);
  const reading = reader.reading();
  if (reading.mistakes.length > 0) return reading;
  const signer = { secret: markSecret, projectId };
  const rules = { name, keep: keep ?? 1, minAge, protect, ...(markSecret ? { signer } : {}) };
  return {
    ...reading,
    inputs: {
      connection,
      order: { projectId, regions, rules, dryRun, timeout },
      releases: count === null ? null : { count, token },
      summary,
    },
  };
}

function readFamily(reader: Reader): string {
  const name = reader.text('name');
  const { mistake } = globOf(name);
  if (name === '')
    reader.missing('name', null, 'Give the name of the copies to prune, or a glob such as web-*.');
  else if (mistake !== undefined) reader.mistake('name', mistake);
  return name;
}

function readProtected(reader: Reader): Map<string, string> {
  const { value, mistake } = idsOf(reader.text('protect'));
  if (mistake !== undefined) reader.mistake('protect', mistake);
  else if (value.length === 0 && reader.has('protect'))
    reader.mistake('protect', 'names no image id. Check the output that it comes from, or leave it out.');
  return new Map(value?.map((id) => [id, 'named in protect']));
}
