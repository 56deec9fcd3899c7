import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Module {
  identifier?: string;
  modules?: Module[];
}

/**
 * The licence of every package of which the bundle holds a module, from the bundler's statistics. Its own list leaves
 * some out, undici among them.
 */
export function licences(stats: string): string {
  const folders = new Map<string, string>();
  const visit = (modules: Module[] = []) => {
    for (const { identifier = '', modules: inner } of modules) {
      // Loaders stand before the file, each ended by "!".
      const file = identifier.split(/[!|]/).findLast((part) => part.includes('node_modules')) ?? '';
      const [folder, name] = /^.*[\\/]node_modules[\\/]((?:@[^\\/]+[\\/])?[^\\/]+)/.exec(file) ?? [];
      if (folder && name) folders.set(name.replace('\\', '/'), folder);
      visit(inner);
    }
  };
  visit((JSON.parse(readFileSync(stats, 'utf8')) as Module).modules);
  if (!folders.has('undici')) throw new Error(`${stats} names no module of undici: has its format changed?`);
  return [...folders]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, folder]) => {
      const { license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
        license?: string;
      };
      const file = readdirSync(folder).find((entry) => /^licen[cs]e(\.|$)/i.test(entry));
      if (!license || !file) {
        throw new Error(
          `${name} is bundled, but ${folder} has no licence: find its text before it is shipped.`,
        );
      }
      return `${name}\n${license}\n${readFileSync(join(folder, file), 'utf8').replace(/\r\n/g, '\n').trim()}\n`;
    })
    .join('\n');
}
