import { finish, refusal } from './finish.ts';
import { readVerifyInputs } from './inputs/verify.ts';
import type { Problem } from './promotion/model.ts';
import { connect, mask, type Workflow } from './step.ts';
import { oneLine } from './text.ts';
import {
  log,
  renderVerify,
  verifyFailures,
  verifyHeadline,
  verifyOutputs,
  verifyWarnings,
} from './verify/page.ts';
import { verify as run, type Verification, type VerifyEvent } from './verify/verify.ts';

const NOTHING: Verification = {
  status: 'incomplete',
  source: null,
  targets: [],
  extra: [],
  ended: 'complete',
  problems: [],
};

/** Reads, verifies, reports. Whatever happens, the outputs are set and a failure is one annotation. */
export async function verify(workflow: Workflow): Promise<void> {
  const { core, env, clock, signal } = workflow;
  const { inputs, ...reading } = readVerifyInputs(env);
  mask(workflow, reading);
  if (!inputs) {
    const outputs = (markdown: string) => verifyOutputs(NOTHING, markdown);
    await finish(workflow, refusal(workflow, reading.mistakes, outputs));
    return;
  }
  const { order, summary } = inputs;
  const told: Problem[] = [];
  const report = (event: VerifyEvent): void => {
    if (event.type === 'warning') told.push(event.problem);
    log(core, event);
  };
  const cloud = await connect(inputs.connection, workflow, report);
  try {
    const verification = await run({ order, cloud, clock, signal, report });
    const warnings = [...told, ...verifyWarnings(verification)];
    await finish(workflow, {
      headline: verifyHeadline(verification, (text) => oneLine(text, 120)),
      failed: verification.status !== 'available' || verification.ended !== 'complete',
      failures: verifyFailures(verification),
      warnings,
      outputs: (markdown) => verifyOutputs(verification, markdown),
      page: (bytes) => renderVerify(verification, order, warnings, bytes),
      summary,
    });
  } finally {
    await cloud.close();
  }
}
