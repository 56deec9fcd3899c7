import { expect, it, onTestFinished, vi } from 'vitest';
import { VirtualClock } from '../virtual-clock.ts';
import { promotion } from './promotion.ts';

// In a file of its own: the library that reads the proxies while it loads is loaded once.
it('a proxy at which the library would not even load is told like any other', async () => {
  const env = { HTTPS_PROXY: 'ftp://user:pa55word@proxy' };
  vi.stubEnv('HTTPS_PROXY', env.HTTPS_PROXY).stubEnv('https_proxy', undefined);
  vi.stubEnv('GITHUB_API_URL', 'https://api.github.example');
  vi.stubEnv('NO_PROXY', undefined).stubEnv('no_proxy', undefined);
  onTestFinished(() => void vi.unstubAllEnvs());
  const { publishRelease } = await import('../../src/github/release.ts');
  const published = publishRelease({
    token: 'ghs_canary',
    apiUrl: 'https://api.github.example',
    repository: 'octo/app',
    tag: 'v1',
    promotion: promotion({ hk: 'uimage-1' }),
    images: '[]',
    env,
    clock: new VirtualClock(),
  });
  await expect(published).rejects.toMatchObject({
    message:
      'The image ids were not published on release v1 of octo/app: the proxy in HTTPS_PROXY is of a kind that is not supported (ftp://).',
    advice: expect.stringContaining('Write HTTPS_PROXY as http://host:port'),
  });
});
