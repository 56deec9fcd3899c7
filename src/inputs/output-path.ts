/** Where the ids are to be written: known to be possible before anything is copied. */
import { accessSync, constants, mkdtempSync, readFileSync, realpathSync, rmdirSync, statSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import type { Reader } from './reader.ts';
import { shown } from './spelling.ts';

const HOW = 'Give the path of a file that this step may write.';

export function readOutputFile(reader: Reader): string {
  const path = reader.text('output-file');
  if (path !== '' && !/[^/\\]\.(json|env)$/.test(path)) {
    const forms = 'images.auto.tfvars.json, images.env or images.json';
    reader.mistake('output-file', `${shown(path)} has an ending that says no form. Write it like ${forms}.`);
    return '';
  }
  if (path === '') return path;
  if (/^~|\$[A-Za-z_{]/.test(path)) {
    reader.mistake('output-file', `${shown(path)} is taken as it is: no shell reads ~ or $ in it. ${HOW}`);
    return '';
  }
  const mistake = mistakeOfPath(path, reader);
  if (mistake === null) return path;
  reader.mistake('output-file', `${shown(path)} ${mistake}`);
  return '';
}

/** Behind all links, as far as there is anything. */
function realPath(path: string): string {
  const parent = dirname(path);
  try {
    return realpathSync(path);
  } catch {
    return parent === path ? path : join(realPath(parent), basename(path));
  }
}

/** Why no file can be written there; known before anything is copied. Leaves nothing behind. */
function mistakeOfPath(path: string, reader: Reader): string | null {
  if (/[\r\n]/.test(path)) return 'has more than one line. Give the path of one file.';
  const inWorkspace = (some: string) => resolve(reader.env.GITHUB_WORKSPACE ?? '', some);
  const file = inWorkspace(path);
  const manifest = reader.text('packer-manifest');
  if (manifest !== '' && realPath(inWorkspace(manifest)) === realPath(file))
    return 'is packer-manifest too, which would be lost. Give another path.';
  let there = file;
  try {
    while (!statSync(there, { throwIfNoEntry: false })) there = dirname(there);
    const isFolder = statSync(there).isDirectory();
    if (there === file && isFolder) return `is a folder. ${HOW}`;
    if (!isFolder && !statSync(there).isFile())
      return `is no file of its own, but a device or a pipe. ${HOW}`;
    if (there !== file && !isFolder) return `cannot be created: ${shown(there)} is a file. ${HOW}`;
    // To root every folder looks open, also those in which nothing can be made, such as /proc.
    if (isFolder) rmdirSync(mkdtempSync(join(there, '.output-file-')));
    else accessSync(there, constants.W_OK);
    if (isFolder || isResult(path, readFileSync(file, 'utf8'))) return null;
    return 'holds something else than the ids of an earlier run, which would be lost. Give another path, or delete it.';
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return `cannot be written (${code}${there === file ? '' : `, ${shown(there)}`}). ${HOW}`;
  }
}

/** What the action itself has written there, or nothing. */
function isResult(path: string, content: string): boolean {
  if (content.trim() === '') return true;
  if (path.endsWith('.env')) return /^(IMAGE_ID_\w+=[\w.-]+\s*(\n|$))+$/.test(content);
  try {
    if (/^\s*(\{\s*\}|\[\s*\])\s*$/.test(content)) return true;
    const { image_ids, schema, images, ...more } = JSON.parse(content);
    if (path.endsWith('.tfvars.json')) return typeof image_ids === 'object' && Object.keys(more).length === 0;
    return schema === 1 && Array.isArray(images);
  } catch {
    return false;
  }
}
