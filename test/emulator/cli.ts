import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { startEmulator } from './emulator.ts';

const USAGE = 'usage: emulator [--port N] [--copy-seconds N] [--latency-ms N]';

function numbers(): { port: number; copySeconds: number; latencyMs: number } {
  const { values } = parseArgs({
    options: {
      port: { type: 'string', default: '0' },
      'copy-seconds': { type: 'string', default: '3' },
      'latency-ms': { type: 'string', default: '0' },
    },
  });
  for (const [name, value] of Object.entries(values)) {
    if (!/^\d+(\.\d+)?$/.test(value)) throw new Error(`--${name} must be a number, not '${value}'`);
  }
  return {
    port: Number(values.port),
    copySeconds: Number(values['copy-seconds']),
    latencyMs: Number(values['latency-ms']),
  };
}

try {
  const emulator = await startEmulator(numbers());
  const stopped = Promise.race([once(process, 'SIGINT'), once(process, 'SIGTERM')]);
  const lines = Object.entries(emulator.env).map(([name, value]) => `export ${name}='${value}'\n`);
  // One write, so that a reader who sees the first line can have them all.
  process.stdout.write(lines.join(''));
  console.error(`The emulator listens on ${emulator.url} until SIGINT or SIGTERM.`);
  await stopped;
  await emulator.close();
} catch (error) {
  console.error(`The emulator did not start: ${(error as Error).message}\n${USAGE}`);
  process.exitCode = 2;
}
