import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect } from 'vitest';
import { parse } from 'yaml';
import { PROXY_PASSWORD, startProxy, startSecure } from './between.ts';
import { COPY, test } from './support.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const read = (file: string) => readFileSync(join(root, file), 'utf8');

describe('a proxy', () => {
  test.concurrent('carries every request to an http address', async ({ stage }) => {
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

  test.concurrent('is not asked for hosts in NO_PROXY', async ({ stage }) => {
    const it = await stage();
    const proxy = await startProxy(it);
    for (const [name, value] of [
      ['NO_PROXY', 'example.com,127.0.0.1'],
      ['no_proxy', '*'],
    ] as const) {
      const run = await it.run({ env: { http_proxy: proxy.url, [name]: value } });
      expect(run.outcome, run.log).toBe('success');
    }
    expect(proxy.seen).toEqual([]);
  });

  test.concurrent('that refuses the password is told, without it, and nothing is sent on', async ({
    stage,
  }) => {
    const it = await stage();
    const { url, refused } = await startProxy(it);
    it.secrets.push('wrong-canary-81Jk2Lm3', PROXY_PASSWORD);
    const HTTP_PROXY = url.replace(/user:[^@]*@/, 'user:wrong-canary-81Jk2Lm3@');
    const run = await it.run({ env: { HTTP_PROXY } });
    expect(run.outcome).toBe('failure');
    expect(run.errors[0]).toContain('the proxy in HTTP_PROXY refused the user or the password (HTTP 407)');
    expect(run.log).toMatch(/\(HTTP 407\)\. Trying once more in \d+ s\./);
    expect(refused()).toBe(2);
    expect(it.cloud.requests).toEqual([]);
  });
});

describe('TLS', () => {
  test.concurrent('with a private authority works by NODE_EXTRA_CA_CERTS', async ({ stage }) => {
    const it = await stage();
    const { url, authority } = await startSecure(it);
    const run = await it.run({
      regions: ['hk', 'sg'],
      env: { NODE_EXTRA_CA_CERTS: authority },
      inputs: { 'api-url': url },
    });
    expect(run.outcome, run.log).toBe('success');
    expect(run.ids).toEqual(it.onePerRegion);
    expect(it.sent(COPY)).toHaveLength(1);
  });

  test.concurrent('through the tunnel of a proxy', async ({ stage }) => {
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

  test.concurrent('is verified, whatever the environment says, and the error names the way out', async ({
    stage,
  }) => {
    const it = await stage();
    const { url, host } = await startSecure(it);
    const run = await it.run({
      env: { NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' },
      inputs: { 'api-url': url },
    });
    expect(run.outcome).toBe('failure');
    expect(run.errors[0]).toContain(`the certificate of ${host} is not trusted`);
    expect(run.errors[0]).toContain('NODE_EXTRA_CA_CERTS');
    expect(run.log).not.toContain('Trying again');
    expect(it.cloud.requests).toEqual([]);
  });

  test.concurrent('is required, but on loopback or when allow-http says so', async ({ stage }) => {
    const it = await stage();
    const inputs = { 'api-url': 'http://api.invalid/' };
    const refused = await it.run({ inputs });
    expect(refused.outcome).toBe('failure');
    expect(refused.errors[0]).toContain('api-url must be https, not http://api.invalid');
    const allowed = await it.run({ inputs: { ...inputs, 'allow-http': 'true', timeout: '5s' } });
    expect(allowed.outcome).toBe('failure');
    expect(allowed.errors[0]).toContain('the name api.invalid cannot be resolved');
    expect(it.cloud.requests).toEqual([]);
  });
});

test.concurrent('an API that cannot be reached: patience of two minutes, then one error', async ({
  stage,
}) => {
  const it = await stage();
  const run = await it.run({ inputs: { 'api-url': 'http://127.0.0.1:1/' } });
  expect(run.outcome).toBe('failure');
  expect(run.errors[0]).toContain('no connection to 127.0.0.1:1 (ECONNREFUSED)');
  expect(run.errors[0]).toContain('Check api-url');
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
