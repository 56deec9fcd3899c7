/**
 * node .ci/act/recipes.ts PATH-OF-ACT [NAME...]
 * Runs every recipe of README.md and docs/recipes.md whose marker names no test, as it stands there, with act in host mode,
 * on an emulated API of its own.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { delimiter, join, resolve } from 'node:path';
import { type Emulator, startEmulator } from '../../test/emulator/emulator.ts';
import { PROJECTS, ROLE_URN } from '../../test/emulator/world.ts';
import { listen, startGitHub, TOKEN } from '../../test/github/github.ts';

const root = resolve(import.meta.dirname, '../..');
const [act = 'act', ...only] = process.argv.slice(2);

/** What a reference to the action fetches: act copies it whole for each use. */
const action = mkdtempSync(join(tmpdir(), 'action-'));
process.on('exit', () => rmSync(action, { recursive: true, force: true }));
for (const part of ['action.yml', 'verify', 'prune', 'dist'])
  cpSync(join(root, part), join(action, part), { recursive: true });
// Without the one key that act does not know, and so refuses.
const reusable = readFileSync(join(root, '.github/workflows/promote.yml'), 'utf8').replace(
  /^ *queue: max$/m,
  '',
);
mkdirSync(join(action, '.github/workflows'), { recursive: true });
writeFileSync(join(action, '.github/workflows/promote.yml'), reusable);

/** What must be in the log, and what must hold of the images afterwards. */
interface Recipe {
  event?: string;
  payload?: object;
  before?: (cloud: Emulator) => void;
  says: (RegExp | string)[];
  holds?: (cloud: Emulator) => boolean;
  /** The tag of the release that exists, and must name the ids in the end. */
  published?: string;
  /** A step of the user's own fails. */
  fails?: boolean;
}

/** The one address in them. */
const BRAND = 'https://api.ucloud.cn/';

const DAY = 86_400;
const now = () => Math.floor(Date.now() / 1000);

function copy(
  cloud: Emulator,
  region: string,
  imageId: string,
  source: string,
  days: number,
  name = 'web-1',
) {
  const description = `[copy of cn-bj2/${source} by 77-1-abcdef] web`;
  const createTime = now() - days * DAY;
  cloud.addImage({ region, projectId: PROJECTS.target, imageId, name, description, createTime });
}

const copies = (cloud: Emulator) =>
  cloud
    .images(undefined, PROJECTS.target)
    .map(({ region }) => region)
    .sort()
    .join();

const RECIPES: Record<string, Recipe> = {
  matrix: {
    says: [/deploy uimage-\w+ to hk/, /deploy uimage-\w+ to sg/],
    holds: (cloud) => copies(cloud) === 'hk,sg',
  },
  canary: {
    says: [/boot a machine from uimage-\w+/],
    holds: (cloud) => copies(cloud) === 'hk,sg,us-ca',
  },
  plan: {
    event: 'pull_request',
    payload: { pull_request: { number: 7, head: { repo: { full_name: 'octo/app' } } } },
    says: [/gh pr comment 7 --edit-last --create-if-none --body-file -/, /\| ## 📝 Dry run/],
    holds: (cloud) => copies(cloud) === '',
  },
  start: {
    says: [/\{"hk":"uimage-\w+","sg":"uimage-\w+"\}/],
    holds: (cloud) => copies(cloud) === 'hk,sg',
  },
  newest: {
    before: (cloud) => void cloud.addImage({ imageId: 'uimage-older', name: 'web-0', createTime: 1 }),
    says: [/\| *"image_ids"/, /uimage-abc123 in cn-bj2/],
    holds: (cloud) => copies(cloud) === 'hk,sg',
  },
  phases: {
    says: [/this step does not wait/, /reuse {2}hk /, /deploy \{"hk":"uimage-\w+","sg":"uimage-\w+"\}/],
    holds: (cloud) => copies(cloud) === 'hk,sg',
  },
  nothing: {
    fails: true,
    says: [/smoke test of \{"hk":"uimage-/, /Rolled back: 2 images deleted/],
    holds: (cloud) => copies(cloud) === '',
  },
  release: {
    event: 'release',
    payload: { ref: 'refs/tags/v1', release: { tag_name: 'v1' } },
    says: [/The image ids are on the release/],
    holds: (cloud) => copies(cloud) === 'hk,sg',
    published: 'v1',
  },
  current: {
    says: [/The image ids are on the release/, /hk uimage-\w+/, /sg uimage-\w+/],
    holds: (cloud) => copies(cloud) === 'hk,sg',
    published: 'current',
  },
  back: {
    before(cloud) {
      cloud.addImage({ imageId: 'uimage-abc122', name: 'web-0' });
      for (const region of ['hk', 'sg'])
        copy(cloud, region, `uimage-old${region}`, 'uimage-abc122', 5, 'web-0');
    },
    says: ['deploy {"hk":"uimage-oldhk","sg":"uimage-oldsg"}'],
    holds: (cloud) => copies(cloud) === 'hk,sg',
  },
  verify: {
    event: 'schedule',
    before(cloud) {
      for (const region of ['hk', 'sg']) copy(cloud, region, `uimage-v${region}`, 'uimage-abc123', 5);
    },
    says: [],
    holds: (cloud) => copies(cloud) === 'hk,sg',
  },
  prune: {
    event: 'schedule',
    before(cloud) {
      for (const days of [1, 20, 30, 40, 50]) copy(cloud, 'hk', `uimage-hk${days}`, 'uimage-abc123', days);
      copy(cloud, 'hk', 'uimage-golden1', 'uimage-abc123', 400);
      copy(cloud, 'sg', 'uimage-sg90', 'uimage-abc123', 90);
    },
    says: ['uimage-hk40', 'uimage-hk50'],
    holds: (cloud) =>
      cloud
        .images(undefined, PROJECTS.target)
        .map(({ imageId }) => imageId)
        .sort()
        .join() === 'uimage-golden1,uimage-hk1,uimage-hk20,uimage-hk30,uimage-sg90',
  },
  shell: { says: [/deploy uimage-\w+ and uimage-\w+/], holds: (cloud) => copies(cloud) === 'hk,sg' },
  many: {
    before: (cloud) => void cloud.addImage({ imageId: 'uimage-worker', name: 'worker-1' }),
    says: [],
    holds: (cloud) =>
      [PROJECTS.source, PROJECTS.target].every(
        (project) => cloud.images(undefined, project).filter(({ copyOf }) => copyOf).length === 4,
      ),
  },
  role: {
    says: [],
    holds: (cloud) =>
      copies(cloud) === 'hk,sg' &&
      cloud.requests.every(({ action, params }) => (action === 'AssumeRole') !== 'SecurityToken' in params),
  },
  attest: {
    says: ['attested {', /"schema": 1/, /"status": "available"/],
    holds: (cloud) => copies(cloud) === 'hk,sg',
  },
};

/** By the name in the comment before each block. */
function recipes(): Map<string, string> {
  const pages = ['README.md', 'docs/recipes.md']
    .map((file) => readFileSync(join(root, file), 'utf8'))
    .join('\n');
  const blocks = pages.matchAll(/<!-- recipe: (\w+) -->\n```\w+\n([\s\S]*?)```/g);
  return new Map([...blocks].map(([, name = '', text = '']) => [name, text]));
}

/** Offline stand-ins: each use of an action, also in promote.yml, is found where the list says. */
function standIns(text: string): string[] {
  const uses = [...(text + reusable).matchAll(/uses: ([\w-]+\/([\w-]+))\S*(@[\w.]+)/g)].map(
    ([, path = '', name = '', ref = '']) =>
      `${path}${ref}=${path.startsWith('OWNER/') ? action : join(root, '.ci/act', name)}`,
  );
  return [...new Set(uses)].flatMap((use) => ['--local-repository', use]);
}

async function run(name: string, text: string, recipe: Recipe): Promise<string[]> {
  const source = { imageId: 'uimage-abc123', name: 'web-1' };
  const cloud = await startEmulator({ copySeconds: 0.2, source });
  const work = mkdtempSync(join(tmpdir(), 'recipe-'));
  const github = await startGitHub();
  const published = () => [...github.contents.values()].find((content) => content.includes('"schema": 1'));
  // What GitHub's own program would download.
  const shelf = createServer((_, response) => response.end(published()));
  try {
    recipe.before?.(cloud);
    if (recipe.published) await github.createRelease('The notes', { tag_name: recipe.published });
    const { status, log } = text.startsWith('name:')
      ? await runWorkflow(
          name,
          text.replace(BRAND, cloud.url),
          recipe,
          {
            ...cloud.env,
            GITHUB_API_URL: github.apiUrl,
            ASSET: await listen(shelf),
            // For the stand-ins of checkout and the artifacts.
            REPOSITORY: root,
            ARTIFACTS: join(work, 'artifacts'),
          },
          work,
        )
      : await spawned('sh', ['-ec', text], action, {
          ...process.env,
          ...cloud.env,
          PROD_PROJECT: PROJECTS.target,
        });
    const wrong = [
      ...((status !== 0) === (recipe.fails === true) ? [] : [`it ended with exit code ${status}`]),
      ...(recipe.published && !published() ? ['the release does not name the ids'] : []),
      ...recipe.says
        .filter((words) => (typeof words === 'string' ? !log.includes(words) : !words.test(log)))
        .map((words) => `its log does not hold ${words}`),
      ...(recipe.holds?.(cloud) === false ? [`the images are not as they should be: ${copies(cloud)}`] : []),
    ];
    return wrong.length > 0 ? [log, ...wrong] : [];
  } finally {
    shelf.close();
    await github.close();
    await cloud.close();
    rmSync(work, { recursive: true, force: true });
  }
}

function runWorkflow(
  name: string,
  text: string,
  recipe: Recipe,
  variables: Record<string, string>,
  work: string,
) {
  const repository = join(work, 'repository');
  mkdirSync(join(repository, '.github/workflows'), { recursive: true });
  writeFileSync(join(repository, `.github/workflows/${name}.yml`), text);
  writeFileSync(join(work, 'event.json'), JSON.stringify(recipe.payload ?? {}));
  // In place of GitHub's own program: shows what it was asked to do.
  mkdirSync(join(work, 'bin'));
  writeFileSync(
    join(work, 'bin/gh'),
    '#!/bin/sh\necho "gh $*"\ncase "$*" in *download*) curl -s "$ASSET" >images.json ;; *) cat ;; esac\n',
  );
  chmodSync(join(work, 'bin/gh'), 0o755);
  const git = (...args: string[]) => execFileSync('git', args, { cwd: repository, stdio: 'ignore' });
  git('init', '-q', '-b', 'main');
  git('remote', 'add', 'origin', 'https://github.com/octo/app.git');
  git('add', '-A');
  git('-c', 'user.name=octo', '-c', 'user.email=octo@example.com', 'commit', '-qm', 'Recipe');
  const args = [
    recipe.event ?? 'workflow_dispatch',
    ...['--workflows', `.github/workflows/${name}.yml`, '--eventpath', join(work, 'event.json')],
    ...['--platform', 'ubuntu-latest=-self-hosted', '--no-cache-server', '--concurrent-jobs', '1'],
    // Without a token act would ask the program gh for one.
    ...['--secret', `GITHUB_TOKEN=${TOKEN}`, '--var', `PROMOTE_ROLE=${ROLE_URN}`],
    ...['--var', `PROD_PROJECT=${PROJECTS.target}`, '--var', `STAGING_PROJECT=${PROJECTS.source}`],
    ...standIns(text),
    ...Object.entries(variables).flatMap(([key, value]) => [
      /_KEY$/.test(key) ? '--secret' : '--env',
      `${key}=${value}`,
    ]),
  ];
  const path = [join(work, 'bin'), join(root, 'node_modules/.bin'), process.env.PATH].join(delimiter);
  const folders = { XDG_CACHE_HOME: join(work, 'cache'), XDG_CONFIG_HOME: join(work, 'config') };
  return spawned(act, args, repository, { ...process.env, ...folders, NO_COLOR: '1', PATH: path });
}

async function spawned(command: string, args: string[], cwd: string, env: NodeJS.ProcessEnv) {
  const child = spawn(command, args, { cwd, env, stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (log += text));
  const [status] = await once(child, 'close');
  return { status, log };
}

let failed = 0;
for (const [name, text] of recipes()) {
  if (only.length > 0 && !only.includes(name)) continue;
  const recipe = RECIPES[name];
  if (!recipe) throw new Error(`No test says what the recipe ${name} comes to.`);
  const wrong = await run(name, text, recipe);
  if (wrong.length > 0) failed++;
  console.log(wrong.length > 0 ? `${wrong.join('\n')}\nFAILED  ${name}` : `passed  ${name}`);
}
process.exitCode = failed > 0 ? 1 : 0;
