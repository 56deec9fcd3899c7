import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { oneLine } from '../text.ts';
import type { Environment } from './reader.ts';
import { type Spelled, shown } from './spelling.ts';

/** Bytes: a list of ids has some thousands. */
const LARGEST = 10_000_000;

/** The text of a file that an input names; a relative path is in the workspace. `hint`: why it may not be there. */
export function readText(path: string, env: Environment, hint = ''): Spelled<string> {
  const where = `Check the path: it is relative to the workspace${hint}.`;
  try {
    const file = resolve(env.GITHUB_WORKSPACE ?? '', path);
    const stat = statSync(file);
    if (stat.isFIFO() || stat.isCharacterDevice() || stat.isSocket())
      return { mistake: `${shown(path)} is a pipe or a device, not a file. ${where}` };
    if (stat.size > LARGEST)
      return { mistake: `${shown(path)} has ${stat.size} bytes: too many for a list of ids.` };
    return { value: readFileSync(file, 'utf8') };
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code ?? oneLine(String(error), 100);
    return { mistake: `${shown(path)} cannot be read (${reason}). ${where}` };
  }
}
