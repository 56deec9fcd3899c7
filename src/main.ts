import { finish, refusal } from './finish.ts';
import { readInputs } from './inputs/promote.ts';
import { NOTHING, outputsOf, removeOutputFile } from './outputs.ts';
import { mask, type Workflow } from './step.ts';

/** Reads the inputs; what promotes is loaded when they are known to be good. */
export async function main(workflow: Workflow): Promise<void> {
  const { inputs, ...reading } = readInputs(workflow.env);
  mask(workflow, reading);
  if (inputs) {
    const { promoteImage } = await import('./promote.ts');
    return promoteImage(workflow, inputs);
  }
  removeOutputFile(reading.outputFile, workflow.env);
  await finish(
    workflow,
    refusal(workflow, reading.mistakes, (markdown) => outputsOf(NOTHING, markdown)),
  );
}
