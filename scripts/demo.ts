/**
 * Shows what a user would see: an emulated API, and the committed dist/ run as a step that copies to three regions. The
 * log, the outputs and the summary page.
 */
import { startEmulator } from '../test/emulator/emulator.ts';
import { runAction } from '../test/runner/runner.ts';

const REGIONS = { hk: 2.5, sg: 4, 'us-ca': 6 };

console.log(`Node ${process.version}, as a runner would use it. The API is emulated at 127.0.0.1.\n`);
const emulator = await startEmulator({
  latencyMs: 40,
  byRegion: Object.fromEntries(
    Object.entries(REGIONS).map(([region, copySeconds]) => [region, { copySeconds }]),
  ),
});
try {
  const run = await runAction({
    env: emulator.env,
    inputs: {
      'source-image-id': emulator.sourceImageId,
      'target-project-id': emulator.projects.target,
      'target-regions': Object.keys(REGIONS).join('\n'),
    },
    onLine: (line) => console.log(line),
  });
  console.log('\nOutputs for the steps that follow:');
  for (const [name, value] of Object.entries(run.outputs)) {
    if (name !== 'summary-markdown') console.log(`  ${name}: ${value}`);
  }
  console.log(`\nThe summary page, which is the output summary-markdown as well:\n\n${run.summary}`);
  const ids = Object.values(JSON.parse(run.outputs['image-ids'] ?? '{}'));
  if (run.outcome !== 'success' || ids.length !== 3) process.exitCode = 1;
} finally {
  await emulator.close();
}
