import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { read } from './step.ts';

const workflow = parse(read('.github/workflows/release.yml')) as {
  jobs: { publish: { steps: { name?: string; run?: string; shell?: string }[] } };
};

/** Answers as the GitHub CLI would, after any --jq, and keeps what would change something on GitHub. */
const GH = `#!/usr/bin/env bash
case "$*" in
  'release view v1.9.0 --json isDraft --jq .isDraft') [ -z "$RELEASE" ] || { echo "$RELEASE"; exit; } ;;
  'api --paginate repos/octo/app/git/matching-refs/tags/v1. '*) printf 'refs/tags/%s\\n' $TAGS; [ -n "$TAGS" ]; exit ;;
  'api repos/octo/app/git/ref/tags/v1 --silent') [ "$MAJOR" != there ] || exit 0 ;;
  *) echo "$*" >>"$CHANGES"; [ "$REFUSED" != yes ] || { echo 'gh: Reference cannot be updated (HTTP 403)' >&2; exit 1; }; exit 0 ;;
esac
echo 'gh: Not Found (HTTP 404)' >&2
exit 1
`;

/** Runs the step of that name for the tag v1.9.0, as a runner does. */
function run(name: string, github: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), 'release-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const changes = join(folder, 'changes');
  writeFileSync(join(folder, 'gh'), GH);
  chmodSync(join(folder, 'gh'), 0o755);
  const step = workflow.jobs.publish.steps.find((one) => one.name === name);
  const options = step?.shell === 'bash' ? ['-e', '-o', 'pipefail'] : ['-e'];
  const { status, stdout } = spawnSync('bash', [...options, '-c', step?.run ?? 'exit 99'], {
    encoding: 'utf8',
    env: {
      PATH: `${folder}:${process.env.PATH}`,
      CHANGES: changes,
      GH_REPO: 'octo/app',
      GITHUB_REF: 'refs/tags/v1.9.0',
      GITHUB_REF_NAME: 'v1.9.0',
      GITHUB_SHA: 'c0ffee',
      ...github,
    },
  });
  return { status, stdout, changes: existsSync(changes) ? readFileSync(changes, 'utf8').trimEnd() : '' };
}

// release.yml runs on Linux.
describe.skipIf(process.platform !== 'linux')('a release', () => {
  it('has an SBOM that names every package of dist/, and no tool', () => {
    const licences = read('dist/licenses.txt');
    const bundled = [...licences.matchAll(/^((?:@[a-z-]+\/)?[a-z][a-z.-]*)\n[A-Z0-9][\w.-]*$/gm)].map(
      ([, name]) => name ?? '',
    );
    expect(bundled).toEqual(expect.arrayContaining(['@actions/core', '@vercel/ncc', 'tunnel', 'undici']));
    const script = fileURLToPath(new URL('../../scripts/sbom.ts', import.meta.url));
    const cache = mkdtempSync(join(tmpdir(), 'npm-cache-'));
    onTestFinished(() => rmSync(cache, { recursive: true }));
    // The cache is empty, so that nothing but the lock file can have told it.
    const env = { ...process.env, npm_config_cache: cache };
    const sbom = JSON.parse(execFileSync(process.execPath, [script], { encoding: 'utf8', env })) as {
      packages: { name: string }[];
    };
    const named = sbom.packages.map(({ name }) => name);
    // The bundler's own few lines are in dist/ as well; it is a tool.
    expect(named).toEqual(expect.arrayContaining(bundled.filter((name) => name !== '@vercel/ncc')));
    expect(named).not.toContain('vitest');
  });

  it.each([
    ['is made where there is none', '', true],
    ['is made where a failed attempt has left a draft', 'true', true],
    ['is left alone where an attempt before has published it', 'false', false],
  ])('%s', (_, release, made) => {
    const { status, changes } = run('Publish the release', { RELEASE: release });
    expect(status).toBe(0);
    expect(changes).toMatch(made ? /^release create v1\.9\.0 --verify-tag / : /^$/);
  });

  it.each([
    [
      'makes the major tag',
      'v1.9.0',
      '',
      /^api --method POST repos\/octo\/app\/git\/refs .*tags\/v1 .*c0ffee/,
    ],
    [
      'moves it',
      'v1.9.0 v1.8.2 v1.9.0-rc.1',
      'there',
      /^api --method PATCH .*tags\/v1 .*c0ffee -F force=true/,
    ],
    ['moves it, whatever is no version', 'v1.9.0 v1.10', 'there', /^api --method PATCH /],
    ['never moves it back', 'v1.10.0 v1.8.2 v1.9.0', 'there', /^$/],
  ])('%s', (_, tags, major, expected) => {
    const { status, stdout, changes } = run('Move the major tag', { TAGS: tags, MAJOR: major });
    expect([status, changes]).toEqual([0, expect.stringMatching(expected)]);
    expect(stdout).toBe(
      changes === '' ? 'v1 is left alone: v1.10.0 is higher than v1.9.0.\n' : 'v1 is c0ffee.\n',
    );
  });

  it.each([
    ['GitHub refuses to move the major tag', { TAGS: 'v1.9.0', MAJOR: 'there', REFUSED: 'yes' }],
    ['GitHub refuses to make the major tag', { TAGS: 'v1.9.0', REFUSED: 'yes' }],
    ['the tags cannot be listed', { TAGS: '', MAJOR: 'there' }],
  ])('fails, and tells what to do by hand, when %s', (_, github) => {
    const { status, stdout } = run('Move the major tag', github);
    expect(status).not.toBe(0);
    expect(stdout).toMatch(/^::error::v1 was not moved to v1\.9\.0, .*$/m);
    expect(stdout).toContain('git push --force origin "v1.9.0^{commit}:refs/tags/v1"\n');
    expect(stdout.split('\n')).toHaveLength(2);
  });
});
