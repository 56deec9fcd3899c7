/** The transport on a library that is played: what it asks of it, and what it says of each trouble, word for word. */
import { channel } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import type { Dispatcher } from 'undici';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { failure } from './fake.ts';

type Handler = Required<Dispatcher.DispatchHandler>;
type Act = (handler: Handler, controller: { abort: (error: Error) => void; aborted: boolean }) => void;

const played = vi.hoisted(() => ({
  pools: [] as object[],
  requests: [] as Record<string, unknown>[],
  act: (() => {}) as unknown as Act,
  aborts: [] as string[],
}));

vi.mock('undici', () => ({
  Pool: class {
    constructor(origin: string, options: object) {
      played.pools.push({ origin, ...options });
    }
  },
  ProxyAgent: class {
    constructor(options: object) {
      played.pools.push(options);
    }
  },
  Agent: class {
    factory: (origin: string) => unknown;
    constructor({ factory }: { factory: (origin: string) => unknown }) {
      this.factory = factory;
    }
    dispatch(request: Record<string, unknown>, handler: Handler) {
      this.factory(String(request.origin));
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

// Another file of the same process may have loaded it with the real library.
vi.resetModules();
const { TransportError } = await import('../../src/cloud/explain.ts');
const { createTransport } = await import('../../src/cloud/transport.ts');

afterEach(() => {
  played.pools = [];
  played.requests = [];
  played.aborts = [];
  vi.useRealTimers();
  vi.restoreAllMocks();
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
    const connect = { rejectUnauthorized: true, timeout: 10_000 };
    expect(played.pools).toEqual([{ origin: 'https://api.test', allowH2: false, connect }]);
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

  it('is asked for a connection of its own for what must not be sent twice', async () => {
    played.act = fails(coded('ECONNREFUSED'));
    const over = createTransport({ userAgent: 'agent', env: {} });
    await failure(over.send({ url: URL_, body: '', timeout: 5_000, once: true }), TransportError);
    expect(played.requests).toMatchObject([{ reset: true }]);
  });

  it.each<[Record<string, string>, string | null]>([
    [{ https_proxy: ' ', HTTPS_PROXY: ' proxy:3128 ' }, 'http://proxy:3128/'],
    [{ https_proxy: 'https://socks5h:x@proxy', HTTPS_PROXY: 'http://other' }, 'https://socks5h:x@proxy/'],
    [{ HTTPS_PROXY: 'socks5://proxy:1080', NO_PROXY: 'x' }, 'socks5://proxy:1080'],
    [{ HTTPS_PROXY: 'socks5h://proxy:1080' }, 'socks5://proxy:1080'],
    [{ HTTPS_PROXY: 'http://CORP%5Cuser:canary@proxy' }, 'http://CORP%5Cuser:canary@proxy/'],
    [{ HTTP_PROXY: 'http://proxy' }, null],
  ])('is given the proxy of %j', async (env, uri) => {
    await failure(send(fails(coded('ECONNREFUSED')), { env }), TransportError);
    const tls = { rejectUnauthorized: true };
    if (uri === null) return expect(played.pools).toMatchObject([{ origin: 'https://api.test' }]);
    const proxyTls = uri.startsWith('socks5') ? {} : { proxyTls: tls };
    expect(played.pools).toEqual([
      { uri, allowH2: false, connectTimeout: 10_000, requestTls: tls, ...proxyTls },
    ]);
  });

  it.each([
    ['https://api.test', 'api.test', true],
    ['https://API.test.', 'Api.Test', true],
    ['https://v1.api.test', 'api.test.', true],
    ['https://v1.api.test', '.api.test', true],
    ['https://v1.api.test', 'x, *.api.test', true],
    ['https://api.test', '.api.test', true],
    ['https://api.test', '*.api.test', false],
    ['https://myapi.test', 'api.test', false],
    ['https://api.test', '*', true],
    ['https://api.test', '*:80', false],
    ['http://api.test', '*:80', true],
    ['https://api.test', 'api.test:443', true],
    ['http://api.test', 'a b api.test:443', false],
    ['https://api.test:8443', 'api.test:443,api.test:8443', true],
    ['https://[2001:1::1]:8443', '2001:1::1', true],
    ['https://[::1]:8443', '[::1]', true],
    ['https://[::1]:8443', '[::1]:8443', true],
    ['https://[::1]:8443', '[::1]:443', false],
    ['https://api.test', ',,', false],
  ])('reaches %s without a proxy when NO_PROXY is %j: %s', async (url, NO_PROXY, direct) => {
    const env = { HTTPS_PROXY: 'http://proxy', HTTP_PROXY: 'http://proxy', NO_PROXY };
    await failure(send(fails(coded('ECONNREFUSED')), { url, env }), TransportError);
    expect('uri' in (played.pools[0] ?? {})).toBe(!direct);
  });

  const FORM = 'Write HTTPS_PROXY as http://host:port or http://user:password@host:port';
  const KINDS = 'Use a proxy of http://, https:// or socks5:// (socks5h:// is the same here).';
  const PATH = 'In a user or a password, write / as %2F, ? as %3F and # as %23.';
  it.each([
    ['ftp://user:canary@proxy', 'is of a kind that is not supported (ftp://)', `${KINDS} ${FORM}.`],
    ['socks4://proxy', 'is of a kind that is not supported (socks4://)', `${KINDS} ${FORM}.`],
    ['http://user:%zz@proxy', 'is not a URL', `${FORM}, with special characters percent-encoded.`],
    ['http://user:can#ary@proxy', 'is not a URL', `${FORM}, with special characters percent-encoded.`],
    ['socks5://', 'is not a URL', `${FORM}, with special characters percent-encoded.`],
    [
      'http://CORP\\user:canary@proxy',
      'holds a backslash, and that ends the host in a URL',
      'Write the backslash as %5C: http://DOMAIN%5Cuser:password@host:port.',
    ],
    [
      'http://proxy:3128/canary',
      'has a path, and a proxy has none',
      `${FORM}, and nothing after it. ${PATH}`,
    ],
    ['http://u:1/canary@proxy', 'has a path, and a proxy has none', `${FORM}, and nothing after it. ${PATH}`],
    ['proxy:3128?canary', 'has a path, and a proxy has none', `${FORM}, and nothing after it. ${PATH}`],
  ])('is not given %s', async (proxy, what, advice) => {
    const error = await failure(send(start, { env: { HTTPS_PROXY: proxy } }), TransportError);
    const message = `the proxy in HTTPS_PROXY ${what}`;
    expect(error).toMatchObject({ name: 'TransportError', final: true, reached: false, message, advice });
    expect(played.requests).toEqual([]);
  });

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
    'Check api-url and that the runner may reach it. If it must go through a proxy, set HTTPS_PROXY for this step (HTTP_PROXY for an address of http).';
  const BY_PROXY =
    'Check api-url, and that the proxy in https_proxy runs and lets this host through; list the host in NO_PROXY to reach it without the proxy.';
  const LOST = 'The connection to the API was cut: re-run the job in a few minutes.';
  const UNTRUSTED =
    'If a proxy or a private authority signs it, save the certificate of that authority to a file and name the file in the environment variable NODE_EXTRA_CA_CERTS of this step; verification is never turned off.';
  const at = (host: string) => ({ address: host, port: 443 });
  const api = 'api-url';

  // What happened, whether the request was begun, the message, the advice, and what it is behind a proxy.
  it.each<[Error, boolean, string, string, string, boolean?]>([
    [
      coded('ECONNREFUSED', at('10.0.0.1')),
      false,
      'no connection to 10.0.0.1:443 (ECONNREFUSED)',
      UNREACHABLE,
      BY_PROXY,
    ],
    [
      new AggregateError([coded('ECONNREFUSED', at('::1')), coded('X')]),
      false,
      'no connection to [::1]:443 (ECONNREFUSED)',
      UNREACHABLE,
      BY_PROXY,
    ],
    [new TypeError('secret'), false, 'no connection to api.test (TypeError)', UNREACHABLE, BY_PROXY],
    ...['ENOTFOUND', 'EAI_AGAIN'].map((code): [Error, boolean, string, string, string] => [
      coded(code, { hostname: 'x.test' }),
      false,
      `the name x.test cannot be resolved (${code})`,
      `Check the spelling of the host in ${api}, and the DNS of the runner.`,
      `Check the spelling of the host in ${api} and in https_proxy, and the DNS of the runner.`,
    ]),
    ...['ERR_TLS_CERT_ALTNAME_INVALID', 'UND_ERR_PRX_TLS'].map(
      (code): [Error, boolean, string, string, string, boolean] => [
        coded(code),
        false,
        `the certificate presented for api.test belongs to another host (${code})`,
        `Check the host in ${api}.`,
        `Check the host in ${api} and in https_proxy.`,
        true,
      ],
    ),
    ...['CERT_HAS_EXPIRED', 'DEPTH_ZERO_SELF_SIGNED', 'UNABLE_TO_VERIFY_LEAF'].map(
      (code): [Error, boolean, string, string, string, boolean] => [
        coded(code),
        false,
        `the certificate of api.test is not trusted (${code})`,
        UNTRUSTED,
        UNTRUSTED,
        true,
      ],
    ),
    ...['EPROTO', 'ERR_SSL_WRONG_VERSION_NUMBER'].map(
      (code): [Error, boolean, string, string, string, boolean] => [
        coded(code),
        false,
        `api.test does not speak TLS as it should (${code})`,
        `Check scheme, host and port in ${api}.`,
        `Check scheme, host and port in ${api} and in https_proxy.`,
        true,
      ],
    ),
    [
      coded('X', {}, 'not a Proxy response (403)'),
      false,
      'no connection to api.test (X)',
      UNREACHABLE,
      BY_PROXY,
    ],
    [
      coded('HTTPParserError'),
      true,
      'what api.test answers is not HTTP',
      'Check scheme, host and port in api-url.',
      'Check scheme, host and port in api-url.',
      true,
    ],
    [
      coded('ECONNRESET'),
      true,
      'the connection to api.test broke before the answer was complete (ECONNRESET)',
      LOST,
      LOST,
    ],
  ])('%s (begun: %s) is told: %s', async (cause, started, message, advice, behind, final = false) => {
    const error = await failure(send(fails(cause, started)), TransportError);
    expect(error).toMatchObject({ name: 'TransportError', message, advice, final, reached: started });
    const env = { https_proxy: 'http://user:canary@proxy' };
    const proxied = await failure(send(fails(cause, started), { env }), TransportError);
    expect(proxied).toMatchObject({ message, advice: behind, final, reached: started });
  });

  it.each([
    ['Proxy response (403) !== 200 when HTTP Tunneling', false, 'refused to connect to api.test (HTTP 403)'],
    [
      'Proxy response (407) !== 200 when HTTP Tunneling',
      false,
      'refused the user or the password (HTTP 407)',
    ],
    ['Proxy Authentication Required (407)', true, 'refused the user or the password (HTTP 407)'],
  ])('of a proxy, "%s", names the variable', async (words, started, what) => {
    const env = { https_proxy: 'http://user:canary@proxy' };
    const error = await failure(send(fails(coded('X', {}, words), started), { env }), TransportError);
    expect(error).toMatchObject({
      message: `the proxy in https_proxy ${what}`,
      advice: expect.stringContaining(
        started || what.includes('407') ? ' in https_proxy, ' : 'let api.test through',
      ),
      final: false,
      reached: false,
      login: what.includes('407'),
    });
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

  it.each([
    ['breaks first', 60, 3],
    ['does not answer', 200, 2],
  ])('of time has one limit, also when a kept connection %s', async (_, ms, requests) => {
    const over = createTransport({ userAgent: 'agent', env: {} });
    const ask = () => over.send({ url: URL_, body: '', timeout: 100 });
    const socket = {};
    // A timer of Node's may go off while this clock has some tenths of a millisecond to go.
    const now = vi.spyOn(performance, 'now').mockReturnValue(0);
    played.act = (handler, controller) => {
      start(handler, controller);
      channel('undici:client:sendHeaders').publish({ socket });
      const broken = () => {
        now.mockReturnValue(ms);
        handler.onResponseError({} as never, coded('ECONNRESET'));
      };
      if (played.requests.length === 2) setTimeout(broken, ms);
      if (played.requests.length > 1) return;
      answer(handler, 200, '{}');
      handler.onResponseEnd({} as never, {});
    };
    await ask();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const failed = failure(ask(), TransportError);
    await vi.advanceTimersByTimeAsync(100);
    const message = 'no answer from api.test within 0.1 s';
    expect(await failed).toMatchObject({ message, reached: true });
    expect(played.requests).toHaveLength(requests);
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
  });
});
