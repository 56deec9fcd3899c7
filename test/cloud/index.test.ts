import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, vi } from 'vitest';
import { systemClock } from '../../src/cloud/clock.ts';
import { CloudError } from '../../src/cloud/errors.ts';
import { createCloud } from '../../src/cloud/index.ts';
import { VirtualClock } from '../virtual-clock.ts';
import { failure, KEYS } from './fake.ts';

const ROLE = { urn: 'ucs:iam::1:role/r', duration: 3_600_000, sessionName: 's' };
const Credentials = {
  AccessKeyId: 'id-canary',
  AccessKeySecret: 'secret-canary',
  SecurityToken: 'session-canary',
};

const answers: Record<string, object> = {
  AssumeRole: { Credentials },
  GetRegion: { Regions: [{ Region: 'hk' }] },
  GetProjectList: { ProjectSet: [{ ProjectId: 'org-1' }] },
  DescribeImage: { ImageSet: [{ ImageId: 'uimage-1' }] },
  CopyCustomImage: { TargetImageId: 'uimage-2' },
  TerminateCustomImage: {},
};

it.each([
  ['its keys', undefined],
  ['a role', ROLE],
])(
  'makes every call over HTTP by %s, with nothing secret but in the body, and lets the process end',
  async (_, role) => {
    const seen: string[] = [];
    const signers: (string | null)[] = [];
    const secrets: string[] = [];
    const server = http.createServer((request, response) => {
      let body = '';
      request.on('data', (chunk) => {
        body += chunk;
      });
      request.on('end', () => {
        seen.push(JSON.stringify([request.url, request.headers]));
        const form = new URLSearchParams(body);
        const action = form.get('Action') ?? '';
        signers.push(form.get('PublicKey'));
        response.end(JSON.stringify({ RetCode: 0, Action: `${action}Response`, ...answers[action] }));
      });
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const cloud = createCloud({
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
      publicKey: KEYS.publicKey,
      privateKey: KEYS.privateKey,
      clock: systemClock,
      userAgent: 'copy-custom-image/1.0.0',
      role,
      onSecret: (secret) => secrets.push(secret),
      env: {},
    });
    try {
      expect(await cloud.getRegions()).toEqual([{ Region: 'hk' }]);
      expect(await cloud.getProjects()).toEqual({ projects: [{ ProjectId: 'org-1' }], whole: true });
      expect(await cloud.describeImages({ Region: 'hk' })).toEqual([{ ImageId: 'uimage-1' }]);
      const request = { Region: 'hk', SourceImageId: 'uimage-1', TargetProjectId: 'org-2' };
      expect(await cloud.copyCustomImage(request)).toEqual({ TargetImageId: 'uimage-2' });
      await cloud.terminateCustomImage({ Region: 'hk', ImageId: 'uimage-1' });
    } finally {
      await cloud.close();
      // Ends only when no connection is left.
      await new Promise((resolve) => server.close(resolve));
    }
    const signer = role ? Credentials.AccessKeyId : KEYS.publicKey;
    expect(signers).toEqual([...(role ? [KEYS.publicKey] : []), ...Array(5).fill(signer)]);
    expect(secrets).toEqual(role ? Object.values(Credentials) : []);
    expect(seen.join()).not.toContain('canary');
  },
);

it('a cloud that is closed makes no call', async () => {
  const server = http.createServer((_, response) => response.end('{"RetCode":0}'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const cloud = createCloud({
    url,
    ...KEYS,
    clock: new VirtualClock(),
    userAgent: 'test',
    env: {},
    onSecret() {},
  });
  try {
    expect(await cloud.getRegions()).toEqual([]);
    await cloud.close();
    expect(await failure(cloud.getRegions(), CloudError)).toMatchObject({ kind: 'connection' });
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});

it('sleeps on the system clock until the time is over or the caller gives up', async () => {
  const start = systemClock.now();
  await systemClock.sleep(20);
  expect(systemClock.now() - start).toBeGreaterThanOrEqual(15);
  const controller = new AbortController();
  const reason = new Error('cancelled');
  const sleep = systemClock.sleep(60_000, controller.signal);
  controller.abort(reason);
  await expect(sleep).rejects.toBe(reason);
  await expect(systemClock.sleep(60_000, controller.signal)).rejects.toBe(reason);
  expect(systemClock.random()).toBeLessThan(1);
});

it('tells the time of the machine, but no time passes when somebody sets it', () => {
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000);
  vi.useFakeTimers({ toFake: ['Date'] });
  try {
    for (const hours of [1, -1]) {
      const before = systemClock.now();
      vi.setSystemTime(before + hours * 3_600_000);
      const passed = systemClock.now() - before;
      expect(passed).toBeGreaterThanOrEqual(0);
      expect(passed).toBeLessThan(1_000);
    }
  } finally {
    vi.useRealTimers();
  }
});
