import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { parse } from 'yaml';
import { PROXY_PASSWORD, startProxy, startSecure } from './between.ts';
import { test } from './support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

test.concurrent('a proxy carries every request to an http address', async ({ stage }) => {
  const it = await stage();
  const proxy = await startProxy(it);
  it.secrets.push(PROXY_PASSWORD);
  const run = await it.run({ regions: ['hk', 'sg'], env: { HTTP_PROXY: proxy.url } });
  expect(run.outcome, run.log).toBe('success');
  expect(run.ids).toEqual(it.onePerRegion);
  expect(proxy.seen.length).toBeGreaterThan(0);
  expect(run.masks).toEqual(expect.arrayContaining([PROXY_PASSWORD, encodeURIComponent(PROXY_PASSWORD)]));
  expect(it.cloud.requests.every(({ headers }) => !('proxy-authorization' in headers))).toBe(true);
  const tunnelled = proxy.seen.every((line) => line.startsWith('CONNECT '));
  if (!tunnelled) expect(proxy.seen).toHaveLength(it.cloud.requests.length);
});

test.concurrent('TLS with a private authority goes through the tunnel of a proxy', async ({ stage }) => {
  const it = await stage();
  const { url, host, authority } = await startSecure(it);
  const proxy = await startProxy(it);
  it.secrets.push(PROXY_PASSWORD);
  const [, recipe = ''] = /: proxy -->\n```yaml\n([\s\S]*?)```/.exec(read('docs/recipes.md')) ?? [];
  const asWritten = recipe.replace('http://proxy.example.com:3128', proxy.url);
  const { env } = parse(asWritten.replace('/etc/ssl/certs/authority.pem', authority));
  const run = await it.run({
    env: { ...env, http_proxy: 'http://127.0.0.1:1' },
    inputs: { 'api-url': url },
  });
  expect(run.outcome, run.log).toBe('success');
  expect(new Set(proxy.seen)).toEqual(new Set([`CONNECT ${host}`]));
});

test.concurrent('dist/ runs by itself, from a folder with nothing else', async ({ stage }) => {
  const it = await stage();
  const path = mkdtempSync(join(tmpdir(), 'e2e-alone '));
  it.closers.push(() => rmSync(path, { recursive: true, force: true }));
  cpSync(join(root, 'action.yml'), join(path, 'action.yml'));
  cpSync(join(root, 'dist'), join(path, 'dist'), { recursive: true });
  const run = await it.run({
    path,
    regions: ['hk', 'sg'],
    inputs: { rollback: 'job' },
    laterStepFails: true,
  });
  expect(run.outcome, run.log).toBe('success');
  expect(run.post).toMatchObject({ ran: true, outcome: 'success' });
  expect(run.outputs.status).toBe('available');
  expect(it.copies).toEqual([]);
});
