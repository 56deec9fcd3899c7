import type { Failure } from './facts.ts';
import { annotation } from './log.ts';
import { bullets, OUTPUT_BYTES, PAGE_BYTES } from './markdown.ts';
import { groupBy, type Headline, headlineOfInputs } from './outcome.ts';
import type { Problem } from './promotion/model.ts';
import { attempt, type Workflow, writePage } from './step.ts';
import { logLines } from './text.ts';

/** What verify and prune leave behind, and a promotion whose inputs are wrong. */
export interface Ending {
  headline: Headline;
  failed: boolean;
  failures: readonly Failure[];
  warnings: readonly Problem[];
  /** Every output; `markdown` is the page. */
  outputs(markdown: string): Record<string, string>;
  /** The page, of at most so many bytes. */
  page(bytes: number): string;
  /** Whether the page goes into the job summary. */
  summary: boolean;
  /** Beside the outputs, when they are final. The mistake when it cannot be done. */
  write?: () => string | null;
}

const UNWRITTEN = 'The steps that follow would not have the results; they are in the log above.';

/** Outputs, page, annotations, and the one failure of the step. */
export async function finish({ core }: Workflow, ending: Ending): Promise<void> {
  const { headline, failed, failures, warnings, outputs, page, summary } = ending;
  const { icon, text, next } = headline;
  const unset = attempt(() => {
    for (const [name, value] of Object.entries(outputs(page(OUTPUT_BYTES)))) core.setOutput(name, value);
  });
  const unsaved = ending.write?.() ?? null;
  const isTold = failures.some(({ problem }) => problem.message === unset);
  const unwritten = unset === null || isTold ? unsaved : `${unset} ${UNWRITTEN}`;
  if (summary) await writePage(core, page(PAGE_BYTES));
  const facts = warnings.map((problem) => ({ regions: [], problem }));
  for (const alike of groupBy(facts, ({ problem }) => problem.advice)) core.warning(annotation([], alike));
  if (failed) {
    const head = [`${text}.`, ...(next ? [`Next: ${next}`] : [])];
    core.setFailed([annotation(head, failures), ...(unwritten === null ? [] : [unwritten])].join('\n'));
  } else if (unwritten !== null) core.setFailed(unwritten);
  else for (const line of logLines(`${icon} ${text}.${next ? ` Next: ${next}` : ''}`)) core.info(line);
}

/** Of a step whose inputs are wrong. */
export function refusal({ env }: Workflow, mistakes: readonly string[], outputs: Ending['outputs']): Ending {
  const { icon, text, next } = headlineOfInputs(mistakes.length);
  const failures = mistakes.map((message) => ({ regions: [], problem: { message, advice: '' } }));
  return {
    headline: { icon, text, next },
    failed: true,
    failures,
    warnings: [],
    outputs,
    page: () => `## ${icon} ${text}\n\n**Next:** ${next}\n\n${bullets('❌', failures, 1000)}\n`,
    // Whatever else is wrong, a summary that nobody wanted is not written.
    summary: env.INPUT_SUMMARY?.trim().toLowerCase() !== 'false',
  };
}
