import type * as core from '@actions/core';
import type { Clock } from './cloud/clock.ts';
import type { Cloud } from './cloud/cloud.ts';
import type { CloudOptions } from './cloud/index.ts';
import type { Connection } from './inputs/connection.ts';
import type { Environment, Reading } from './inputs/reader.ts';
import { formatDuration } from './promotion/duration.ts';
import type { Event } from './promotion/model.ts';
import { logLine } from './text.ts';
import { VERSION } from './version.ts';

/** What an action uses of the workflow that it runs in. */
export interface Workflow {
  core: typeof core;
  env: Environment;
  clock: Clock;
  /** Aborted by SIGINT, SIGTERM or SIGHUP. */
  signal: AbortSignal;
  /** Stands in for the API over HTTP. */
  createCloud?: (options: CloudOptions) => Cloud & { close(): Promise<void> };
}

/** Before anything else is printed. */
export function mask({ core }: Workflow, { secrets, notices }: Reading): void {
  for (const secret of secrets) core.setSecret(secret);
  for (const notice of notices) core.notice(logLine(notice));
}

/** Appends to the job's page. A page that cannot be written fails nothing. */
export async function writePage({ summary, warning }: typeof core, markdown: string): Promise<void> {
  try {
    await summary.addRaw(markdown, true).write();
  } catch (error) {
    // Outside of a runner there is no page.
    if (process.env.GITHUB_STEP_SUMMARY) warning(`The job summary was not written. ${runnerFault(error)}`);
  }
}

const COMMAND_FILES = ['GITHUB_OUTPUT', 'GITHUB_STATE', 'GITHUB_STEP_SUMMARY'];

/** One sentence for a command file that is missing or cannot be written: never the fault of the workflow. */
export function runnerFault(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  // Where core itself has them from.
  const { env } = process;
  const file = COMMAND_FILES.find((name) => env[name] && message.includes(env[name]));
  // The library's own words end with a full stop.
  const said = message.replace(/\.+$/, '');
  const what = file ? `file ${file} (${env[file]})` : 'command files';
  const why = !file ? `cannot be written: ${said}` : code ? `cannot be written (${code})` : 'is missing';
  return logLine(
    `The runner's ${what} ${why}. Check the runner's disk and its temporary folder, then re-run the job.`,
  );
}

/** What keeps the runner from taking it; null when it has. */
export function attempt(work: () => void): string | null {
  try {
    work();
    return null;
  } catch (error) {
    return runnerFault(error);
  }
}

/** The API over HTTP: loaded when the inputs are known to be good. */
export async function connect(
  connection: Connection,
  { core, env, clock, ...workflow }: Workflow,
  report: (event: Extract<Event, { type: 'notice' }>) => void,
): Promise<Cloud & { close(): Promise<void> }> {
  const createCloud = workflow.createCloud ?? (await import('./cloud/index.ts')).createCloud;
  const told = new Set<string>();
  return createCloud({
    ...connection,
    clock,
    env,
    userAgent: `copy-custom-image/${VERSION}`,
    onSecret: core.setSecret,
    onAnswer({ call, region, code, requestId, ms }) {
      const where = region ? ` in ${region}` : '';
      core.debug(logLine(`${call}${where}: ${code} after ${ms} ms, request id ${requestId ?? 'unknown'}`));
    },
    onRetry({ error, delay, left }) {
      // One outage is one line, however many calls it fails.
      if (told.has(error.meaning)) return;
      told.add(error.meaning);
      const pause = `${Math.ceil(delay / 1000)} s`;
      report({
        type: 'notice',
        message: `${error.message}. Trying ${error.login ? `once more in ${pause}` : `again in ${pause}, and for up to ${formatDuration(left / 1000)}`}.`,
      });
    },
  });
}
