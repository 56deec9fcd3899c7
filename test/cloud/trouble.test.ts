/** The transport on a library that is played: what it asks of it, and what it says of each trouble, word for word. */
import { getEventListeners } from 'node:events';
import type { Dispatcher } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createTransport, TransportError } from '../../src/cloud/transport.ts';
import { failure } from './fake.ts';

type Handler = Required<Dispatcher.DispatchHandler>;
type Act = (handler: Handler, controller: { abort: (error: Error) => void; aborted: boolean }) => void;

const played = vi.hoisted(() => ({
  agents: [] as object[],
  requests: [] as Record<string, unknown>[],
  act: (() => {}) as unknown as Act,
  aborts: [] as string[],
}));

vi.mock('undici', () => ({
  EnvHttpProxyAgent: class {
    constructor(options: object) {
      played.agents.push(options);
    }
    dispatch(request: Record<string, unknown>, handler: Handler) {
      played.requests.push(request);
      const controller = {
        aborted: false,
        abort(error: Error) {
          this.aborted = true;
          played.aborts.push(error.message);
        },
      };
      played.act(handler, controller);
      return true;
    }
    async destroy() {}
  },
}));

afterEach(() => {
  played.agents = [];
  played.requests = [];
  played.aborts = [];
});

const URL_ = 'https://api.test/';
function send(
  act: Act,
  { url = URL_, env = {}, timeout = 5_000, signal = undefined as AbortSignal | undefined } = {},
) {
  played.act = act;
  return createTransport({ userAgent: 'agent', env }).send({ url, body: 'a=b', timeout, signal });
}
const start: Act = (handler, controller) =>
  handler.onRequestStart(controller as unknown as Dispatcher.DispatchController, {});
const answer = (handler: Handler, code: number, ...chunks: string[]) => {
  handler.onResponseStart({} as never, code, { a: String(code) }, '');
  for (const chunk of chunks) handler.onResponseData({} as never, Buffer.from(chunk));
};
const fails =
  (error: Error, started = false): Act =>
  (handler, controller) => {
    if (started) start(handler, controller);
    handler.onResponseError({} as never, error);
  };
const coded = (code: string, some: object = {}, message = 'words of the library, with a secret') =>
  Object.assign(new Error(message), { code, ...some });

describe('the library', () => {
  it('is asked for verified TLS, HTTP/1.1, 10 s to connect, and no proxy of its own choice', async () => {
    await failure(send(fails(coded('ECONNREFUSED'))), TransportError);
    const tls = { rejectUnauthorized: true };
    expect(played.agents).toEqual([
      {
        httpProxy: '',
        httpsProxy: '',
        noProxy: '',
        allowH2: false,
        connect: { ...tls, timeout: 10_000 },
        connectTimeout: 10_000,
        requestTls: tls,
        proxyTls: tls,
      },
    ]);
    expect(played.requests).toEqual([
      {
        origin: 'https://api.test',
        path: '/',
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          accept: 'application/json',
          'accept-encoding': 'identity',
          'user-agent': 'agent',
        },
        body: 'a=b',
      },
    ]);
  });

  it.each([
    [{ HTTPS_PROXY: ' proxy:3128 ' }, 'http://proxy:3128/'],
    [{ https_proxy: 'https://proxy', HTTPS_PROXY: 'http://other' }, 'https://proxy/'],
    [{ HTTPS_PROXY: 'socks5://proxy:1080', NO_PROXY: 'x' }, 'socks5://proxy:1080'],
    [{ HTTP_PROXY: 'http://proxy' }, ''],
  ])('is given the proxy of %j', async (env, proxy) => {
    await failure(send(fails(coded('ECONNREFUSED')), { env }), TransportError);
    expect(played.agents).toMatchObject([{ httpProxy: proxy, httpsProxy: proxy }]);
  });

  it.each(['ftp://user:canary@proxy', 'xhttp://proxy', 'http://user:%zz@proxy', 'http://'])(
    'is not given %s',
    async (proxy) => {
      const error = await failure(send(start, { env: { HTTPS_PROXY: proxy } }), TransportError);
      expect(error).toMatchObject({
        name: 'TransportError',
        final: true,
        reached: false,
        message: 'the proxy in HTTPS_PROXY is not a URL',
        advice:
          'Write HTTPS_PROXY as http://host:port or http://user:password@host:port, with special characters percent-encoded.',
      });
    },
  );

  it('may send words on the way before its answer, and more after it', async () => {
    const { status, headers, body } = await send((handler, controller) => {
      start(handler, controller);
      answer(handler, 103);
      answer(handler, 200, '{"a"', ':1}');
      handler.onResponseEnd({} as never, {});
      handler.onResponseError({} as never, new Error('too late'));
    });
    expect({ status, headers, body }).toEqual({ status: 200, headers: { a: '200' }, body: '{"a":1}' });
    const bare = await send((handler, controller) => {
      start(handler, controller);
      answer(handler, 200);
      answer(handler, 103);
      handler.onResponseEnd({} as never, {});
    });
    expect(bare).toMatchObject({ status: 200, headers: { a: '200' }, body: '' });
  });
});

describe('a trouble', () => {
  const UNREACHABLE =
    'Check api-url and that the runner may reach it; behind a proxy, check HTTPS_PROXY and NO_PROXY.';
  const LOST = 'The network or the API broke off; run the workflow again if it does not recover.';
  const PROXY =
    'Check the user and password in HTTPS_PROXY, that the proxy lets this host through, and NO_PROXY.';
  const SCHEME = 'Check scheme, host and port in api-url.';
  const DNS = 'Check the spelling of the host in api-url, or in HTTPS_PROXY, and the DNS of the runner.';
  const UNTRUSTED =
    'If a proxy or a private authority signs it, save the certificate of that authority to a file and name the file in the environment variable NODE_EXTRA_CA_CERTS of this step; verification is never turned off.';
  const HOST = 'Check the host in api-url, or in HTTPS_PROXY.';

  it.each<[string, Error, boolean, string, string]>([
    [
      'a refusal',
      coded('ECONNREFUSED', { address: '10.0.0.1', port: 443 }),
      false,
      'no connection to 10.0.0.1:443 (ECONNREFUSED)',
      UNREACHABLE,
    ],
    [
      'many refusals',
      new AggregateError([coded('ECONNREFUSED', { address: '::1', port: 1 }), coded('X')]),
      false,
      'no connection to ::1:1 (ECONNREFUSED)',
      UNREACHABLE,
    ],
    ['a nameless one', new TypeError('secret'), false, 'no connection to api.test (TypeError)', UNREACHABLE],
    [
      'a name',
      coded('ENOTFOUND', { hostname: 'proxy.test' }),
      false,
      'the name proxy.test cannot be resolved (ENOTFOUND)',
      DNS,
    ],
    [
      'a name for now',
      coded('EAI_AGAIN', { hostname: 'api.test' }),
      false,
      'the name api.test cannot be resolved (EAI_AGAIN)',
      DNS,
    ],
    [
      'a certificate of another',
      coded('ERR_TLS_CERT_ALTNAME_INVALID'),
      false,
      'the certificate presented for api.test belongs to another host (ERR_TLS_CERT_ALTNAME_INVALID)',
      HOST,
    ],
    [
      'a proxy of another',
      coded('UND_ERR_PRX_TLS'),
      false,
      'the certificate presented for api.test belongs to another host (UND_ERR_PRX_TLS)',
      HOST,
    ],
    [
      'an expired certificate',
      coded('CERT_HAS_EXPIRED'),
      false,
      'the certificate of api.test is not trusted (CERT_HAS_EXPIRED)',
      UNTRUSTED,
    ],
    [
      'a certificate of its own',
      coded('DEPTH_ZERO_SELF_SIGNED'),
      false,
      'the certificate of api.test is not trusted (DEPTH_ZERO_SELF_SIGNED)',
      UNTRUSTED,
    ],
    [
      'a certificate of nobody',
      coded('UNABLE_TO_VERIFY_LEAF'),
      false,
      'the certificate of api.test is not trusted (UNABLE_TO_VERIFY_LEAF)',
      UNTRUSTED,
    ],
    ['no TLS', coded('EPROTO'), false, 'api.test does not speak TLS as it should (EPROTO)', SCHEME],
    [
      'other TLS',
      coded('ERR_SSL_WRONG_VERSION_NUMBER'),
      false,
      'api.test does not speak TLS as it should (ERR_SSL_WRONG_VERSION_NUMBER)',
      SCHEME,
    ],
    [
      'a proxy that refuses',
      coded('X', {}, 'Proxy response (403) !== 200 when HTTP Tunneling'),
      false,
      'the proxy refused to connect to api.test (HTTP 403)',
      PROXY,
    ],
    [
      'words like a proxy’s',
      coded('X', {}, 'not a Proxy response (403)'),
      false,
      'no connection to api.test (X)',
      UNREACHABLE,
    ],
    [
      'a proxy that wants a password',
      coded('X', {}, 'Proxy Authentication Required (407)'),
      true,
      'the proxy refused its credentials (HTTP 407)',
      PROXY,
    ],
    ['what is not HTTP', coded('HTTPParserError'), true, 'what api.test answers is not HTTP', SCHEME],
    [
      'a line that broke',
      coded('ECONNRESET'),
      true,
      'the connection to api.test broke before the answer was complete (ECONNRESET)',
      LOST,
    ],
  ])('%s is told', async (_, cause, started, message, advice) => {
    const error = await failure(send(fails(cause, started)), TransportError);
    expect(error).toMatchObject({ name: 'TransportError', message, advice, final: false });
    expect(error.reached).toBe(started && !message.includes('407'));
  });

  it('that a parser of HTTP has before anything was sent is a connection that failed', async () => {
    const error = await failure(send(fails(coded('HTTPParserError'))), TransportError);
    expect(error.reached).toBe(false);
  });

  it('of time is told by whether the request was begun', async () => {
    const none = await failure(
      send(() => {}, { timeout: 20 }),
      TransportError,
    );
    expect(none).toMatchObject({
      message: 'no connection to api.test within 0.02 s',
      advice: UNREACHABLE,
      reached: false,
    });
    const some = await failure(send(start, { timeout: 20 }), TransportError);
    expect(some).toMatchObject({
      message: 'no answer from api.test within 0.02 s',
      advice: LOST,
      reached: true,
    });
    expect(played.aborts).toEqual(['stopped']);
  });

  it('of size stops the answer', async () => {
    const big: Act = (handler, controller) => {
      start(handler, controller);
      handler.onResponseStart({} as never, 200, {}, '');
      handler.onResponseData({} as never, Buffer.alloc(8 * 2 ** 20));
      expect(controller.aborted).toBe(false);
      handler.onResponseData({} as never, Buffer.alloc(1));
    };
    expect(await failure(send(big), TransportError)).toMatchObject({
      message: 'the answer of api.test is larger than 8 MiB',
      advice: 'Check api-url: this is not what the API sends.',
      reached: true,
      final: false,
    });
    expect(played.aborts).toEqual(['stopped']);
  });
});

describe('a caller who gives up', () => {
  it('before the request has started stops it at its start, and is answered once', async () => {
    const cancel = new AbortController();
    const reason = new Error('cancelled');
    let begin = () => {};
    const sending = send(
      (handler, controller) => {
        begin = () => start(handler, controller);
      },
      { signal: cancel.signal },
    );
    cancel.abort(reason);
    await expect(sending).rejects.toBe(reason);
    expect(played.aborts).toEqual([]);
    begin();
    expect(played.aborts).toEqual(['stopped']);
  });

  it('is not listened to any more when the answer is there, nor is its timer left', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    try {
      const cancel = new AbortController();
      await send(
        (handler, controller) => {
          start(handler, controller);
          answer(handler, 200, '{}');
          handler.onResponseEnd({} as never, {});
        },
        { signal: cancel.signal },
      );
      expect(getEventListeners(cancel.signal, 'abort')).toEqual([]);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});
