import { finish, refusal } from './finish.ts';
import { type PruneInputs, readPruneInputs } from './inputs/prune.ts';
import { Stopped } from './promotion/context.ts';
import type { Problem } from './promotion/model.ts';
import { hasFailed, log, pruneFailures, pruneHeadline, pruneOutputs, renderPrune } from './prune/page.ts';
import { type Named, notListed, objectionsTo } from './prune/protection.ts';
import {
  type PruneEvent,
  type PruneOrder,
  type Pruning,
  type RegionReport,
  prune as run,
  unread,
} from './prune/prune.ts';
import { attempt, connect, mask, type Workflow } from './step.ts';
import { oneLine } from './text.ts';

const NOTHING: Pruning = { regions: [], dryRun: true, ended: 'complete', problems: [] };

/** Reads, prunes, reports. Whatever happens, the outputs are set and a failure is one annotation. */
export async function prune(workflow: Workflow): Promise<void> {
  const { core, env, clock, signal } = workflow;
  const { inputs, ...reading } = readPruneInputs(env);
  mask(workflow, reading);
  if (!inputs) {
    const outputs = (markdown: string) => pruneOutputs(NOTHING, markdown);
    await finish(workflow, refusal(workflow, reading.mistakes, outputs));
    return;
  }
  const warnings: Problem[] = [];
  const report = (event: PruneEvent): void => {
    if (event.type === 'warning') warnings.push(event.problem);
    log(core, event, clock.now());
  };
  const cloud = await connect(inputs.connection, workflow, report);
  try {
    const nothing = { ...NOTHING, regions: inputs.order.regions.map(unread) };
    const broken = attempt(() => {
      for (const [name, value] of Object.entries(pruneOutputs(nothing, ''))) core.setOutput(name, value);
    });
    const { order, named, problems } =
      broken === null
        ? await withReleases(workflow, inputs)
        : { order: inputs.order, named: [], problems: [{ message: broken, advice: '' }] };
    const objectionsOf = (regions: readonly RegionReport[]) => objectionsTo(regions, inputs.order, named);
    const objections = order.dryRun ? () => [] : objectionsOf;
    const pruning =
      problems.length > 0
        ? { ...nothing, problems }
        : await run({ order, cloud, clock, signal, report, objections });
    if (order.dryRun)
      for (const { problem } of objectionsOf(pruning.regions)) report({ type: 'warning', problem });
    const unmatched = pruning.ended === 'complete' ? noMatch(pruning, order) : null;
    if (unmatched) report({ type: 'warning', problem: unmatched });
    const unlisted = pruning.problems.length > 0 ? null : notListed(pruning.regions, inputs.order);
    if (unlisted) report({ type: 'warning', problem: unlisted });
    await finish(workflow, {
      headline: pruneHeadline(pruning, order, (text) => oneLine(text, 120)),
      failed: hasFailed(pruning),
      failures: pruneFailures(pruning),
      warnings,
      outputs: (markdown) => pruneOutputs(pruning, markdown),
      page: (bytes) => renderPrune(pruning, order, warnings, clock.now(), bytes),
      summary: inputs.summary,
    });
  } finally {
    await cloud.close();
  }
}

/** With what the newest releases name under protection. That they cannot be read stops the whole. */
async function withReleases(
  { env, clock, signal }: Workflow,
  { order, releases }: PruneInputs,
): Promise<{ order: PruneOrder; named: Named[]; problems: Problem[] }> {
  if (releases === null) return { order, named: [], problems: [] };
  const { idsOfReleases } = await import('./github/protect.ts');
  try {
    const { ids, named } = await idsOfReleases({
      ...releases,
      clock,
      env,
      signal,
      apiUrl: env.GITHUB_API_URL ?? 'https://api.github.com',
      repository: env.GITHUB_REPOSITORY ?? '',
    });
    const protect = new Map([...ids, ...order.rules.protect]);
    return { order: { ...order, rules: { ...order.rules, protect } }, named, problems: [] };
  } catch (error) {
    if (error instanceof Stopped) return { order, named: [], problems: error.problems };
    if (!signal.aborted) throw error;
    // Nothing is read any more, and so nothing is deleted.
    return { order, named: [], problems: [] };
  }
}

function noMatch({ regions, problems }: Pruning, { projectId, rules }: PruneOrder): Problem | null {
  const read = regions.filter(({ items }) => items !== null);
  if (problems.length > 0 || read.length === 0 || read.some(({ items }) => items?.length)) return null;
  const where = read.map(({ region, listed }) => `${region} (${listed.length})`).join(', ');
  return {
    message: `No custom image in project ${projectId} is a copy by this action and matches ${rules.name}; custom images listed: ${where}.`,
    advice: 'Check name, project-id and regions.',
  };
}
