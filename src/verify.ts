import { finish, refusal } from './finish.ts';
import type { Environment } from './inputs/reader.ts';
import { readVerifyInputs } from './inputs/verify.ts';
import { type Content, runOf, writeOutputFile } from './output-file.ts';
import type { Problem } from './promotion/model.ts';
import { connect, mask, type Workflow } from './step.ts';
import { oneLine } from './text.ts';
import {
  imageOf,
  log,
  renderVerify,
  verifyFailures,
  verifyHeadline,
  verifyOutputs,
  verifyWarnings,
} from './verify/page.ts';
import { verify as run, type Verification, type VerifyEvent, type VerifyOrder } from './verify/verify.ts';

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
  const { order, summary, outputFile } = inputs;
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
      ...(outputFile
        ? { write: () => writeOutputFile(outputFile, contentOf(verification, order, env), env) }
        : {}),
    });
  } finally {
    await cloud.close();
  }
}

/** As images.json has it. */
function contentOf(verification: Verification, { promotion, file }: VerifyOrder, env: Environment): Content {
  const { status, source, targets } = verification;
  const { region, projectId = null, imageId = null } = promotion.source;
  const sound = targets.filter(({ condition }) => condition === 'available');
  return {
    ids: Object.fromEntries(sound.map((target) => [target.region, target.imageId ?? ''])),
    result: {
      schema: 1,
      name: targets[0]?.name ?? null,
      status,
      source: file?.source ?? { region, projectId, imageId: source?.ImageId ?? imageId },
      images: targets.map(imageOf),
      by: runOf(env),
    },
  };
}
