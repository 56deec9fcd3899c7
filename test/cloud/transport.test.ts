import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { TransportError } from '../../src/cloud/explain.ts';
import { createTransport, type Transport } from '../../src/cloud/transport.ts';
import * as sockets from '../sockets.ts';
import { failure } from './fake.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

function transport(env: Record<string, string> = {}): Transport {
  const made = createTransport({ userAgent: 'copy-custom-image/test', env });
  cleanups.push(() => made.close());
  return made;
}

/** Listens on a free port of 127.0.0.1; dropped with all its connections after the test. */
async function listen(server: net.Server): Promise<number> {
  const { port, close } = await sockets.listen(server);
  cleanups.push(close);
  return port;
}

/** Demands `user:proxy-canary+/`, and connects everything to `port`, whatever the host's name. */
async function startProxy(port: number, tls?: sockets.Certificate) {
  const proxy = await sockets.startProxy({ password: 'proxy-canary+/', to: port, ...(tls && { tls }) });
  cleanups.push(proxy.close);
  return proxy;
}

const body = (request: http.IncomingMessage) =>
  new Promise<string>((resolve) => {
    let text = '';
    request.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    request.on('end', () => resolve(text));
  });

const send = (over: Transport, url: string, timeout = 5_000, signal?: AbortSignal) =>
  over.send({ url, body: 'Action=GetRegion&Name=%E9%95%9C', timeout, signal });

const fail = (promise: Promise<unknown>) => failure(promise, TransportError);

describe('over HTTP', () => {
  it('posts the form with its headers, and returns status, headers and text', async () => {
    const seen: unknown[] = [];
    const port = await listen(
      http.createServer(async (request, response) => {
        seen.push([request.method, request.url, request.headers, await body(request)]);
        response.writeHead(418, { 'X-UCLOUD-REQUEST-UUID': 'u', 'content-type': 'text/html' });
        response.end('\ufeff{"a":"镜像"}');
      }),
    );
    const answer = await send(transport(), `http://127.0.0.1:${port}/path?x=1`);
    expect(answer).toMatchObject({
      status: 418,
      headers: { 'x-ucloud-request-uuid': 'u' },
      body: '{"a":"镜像"}',
    });
    expect(seen).toEqual([
      [
        'POST',
        '/path?x=1',
        expect.objectContaining({
          host: `127.0.0.1:${port}`,
          'user-agent': 'copy-custom-image/test',
          'content-type': 'application/x-www-form-urlencoded',
          'content-length': '31',
        }),
        'Action=GetRegion&Name=%E9%95%9C',
      ],
    ]);
  });

  it('keeps its connection, and closes at once whatever goes on', async () => {
    const used = new Set<unknown>();
    let hangs = false;
    const port = await listen(
      http.createServer((request, response) => {
        used.add(request.socket);
        if (request.url !== '/hang') response.end('{}');
        else hangs = true;
      }),
    );
    const over = transport();
    for (let index = 0; index < 3; index++) await send(over, `http://127.0.0.1:${port}/`);
    expect(used.size).toBe(1);
    // It would wait longer than this test may take.
    const hanging = fail(send(over, `http://127.0.0.1:${port}/hang`, 600_000));
    await vi.waitUntil(() => hangs);
    await over.close();
    expect((await hanging).reached).toBe(true);
  });

  /** Answers the first request of a connection, and then does something else to each later one. */
  async function once(later: (socket: net.Socket) => void) {
    const seen: string[] = [];
    let connections = 0;
    const port = await listen(
      net.createServer((socket) => {
        const name = `connection ${++connections}`;
        let requests = 0;
        socket.on('data', (data) => {
          if (!data.includes('POST')) return;
          seen.push(name);
          if (++requests > 1) later(socket);
          else socket.write('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}');
        });
      }),
    );
    return { url: `http://127.0.0.1:${port}/`, seen };
  }

  const LATE = 'HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n';
  it.each<[string, (socket: net.Socket) => void]>([
    ['closes', (socket) => socket.end()],
    ['resets', (socket) => socket.resetAndDestroy()],
    ['answers 408 on', (socket) => socket.end(LATE)],
  ])('a server that %s every connection that is used again loses no request', async (_, later) => {
    const { url, seen } = await once(later);
    const over = transport();
    for (let index = 0; index < 4; index++) expect(await send(over, url)).toMatchObject({ status: 200 });
    expect(new Set(seen).size).toBeGreaterThanOrEqual(3);
    const before = seen.length;
    for (let index = 0; index < 3; index++) {
      expect(await over.send({ url, body: '', timeout: 5_000, once: true })).toMatchObject({ status: 200 });
    }
    // What must not be sent twice was not: each on a connection of its own.
    expect(seen).toHaveLength(before + 3);
    expect(new Set(seen.slice(before)).size).toBe(3);
  });

  it('a connection that breaks in mid-answer, or was new, is not asked again', async () => {
    const { url, seen } = await once((socket) =>
      socket.write('HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{', () => socket.end()),
    );
    const over = transport();
    await send(over, url);
    expect((await fail(send(over, url))).reached).toBe(true);
    expect(seen).toEqual(['connection 1', 'connection 1']);
  });

  it('does not follow a redirect', async () => {
    let requests = 0;
    const port = await listen(
      http.createServer((_, response) => {
        requests++;
        response.writeHead(307, { location: '/elsewhere' }).end();
      }),
    );
    expect(await send(transport(), `http://127.0.0.1:${port}/`)).toMatchObject({ status: 307 });
    expect(requests).toBe(1);
  });

  it.each([
    ['before any answer', ''],
    ['amid the headers', 'HTTP/1.1 200 OK\r\ncontent-le'],
    ['amid the body', 'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"Ret'],
  ])('a connection closed %s has reached the server, once', async (_, part) => {
    for (const end of ['end', 'resetAndDestroy'] as const) {
      let requests = 0;
      const port = await listen(
        net.createServer((socket) => {
          socket.once('data', () => {
            requests++;
            socket.write(part, () => socket[end]());
          });
        }),
      );
      const error = await fail(send(transport(), `http://127.0.0.1:${port}/`));
      expect(error.reached).toBe(true);
      expect(error.message).toMatch(
        /^the connection to 127\.0\.0\.1:\d+ broke before the answer was complete \(/,
      );
      await new Promise((resolve) => setTimeout(resolve, 20));
      expect(requests).toBe(1);
    }
  });

  it.each([
    ['is not HTTP', 'SSH-2.0-OpenSSH_9.2\r\n'],
    ['has headers of more than 16 KB', `HTTP/1.1 200 OK\r\nx: ${'x'.repeat(20_000)}\r\n\r\n`],
  ])('an answer that %s has reached the server, and no repetition helps', async (words, answer) => {
    const server = net.createServer((socket) => socket.once('data', () => socket.end(answer)));
    const error = await fail(send(transport(), `http://127.0.0.1:${await listen(server)}/`));
    expect(error).toMatchObject({ reached: true, final: true, message: expect.stringMatching(`${words}$`) });
  });

  it.each([
    ['headers', ''],
    ['a body', 'HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{'],
  ])('waits for %s no longer than the timeout', async (_, part) => {
    let closed: Promise<unknown> = Promise.reject(new Error('nobody came'));
    closed.catch(() => {});
    const { url } = await once((socket) => {
      closed = new Promise((resolve) => socket.on('close', resolve));
      socket.write(part);
    });
    const over = transport();
    // The connection stands by then, however busy the machine is.
    await send(over, url);
    expect(await fail(send(over, url, 150))).toMatchObject({
      reached: true,
      message: `no answer from ${new URL(url).host} within 0.15 s`,
    });
    await closed;
  });

  it('stops at once when the caller gives up, with the reason, and sends nothing afterwards', async () => {
    let requests = 0;
    const port = await listen(
      http.createServer(() => {
        requests++;
      }),
    );
    const over = transport();
    const controller = new AbortController();
    const reason = { any: 'value' };
    const sent = send(over, `http://127.0.0.1:${port}/`, 5_000, controller.signal);
    while (requests === 0) await new Promise((resolve) => setTimeout(resolve, 2));
    controller.abort(reason);
    await expect(sent).rejects.toBe(reason);
    await expect(send(over, `http://127.0.0.1:${port}/`, 5_000, controller.signal)).rejects.toBe(reason);
    // Aborted while the connection is being made: the request must not follow once it stands.
    const late = new AbortController();
    const second = send(transport(), `http://127.0.0.1:${port}/`, 5_000, late.signal);
    late.abort(reason);
    await expect(second).rejects.toBe(reason);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(requests).toBe(1);
  });

  it('refuses a body of more than 8 MiB, and takes one of just 8', async () => {
    const port = await listen(
      http.createServer((request, response) => {
        const size = 8 * 1024 * 1024 + (request.url === '/more' ? 1 : 0);
        for (let rest = size; rest > 0; rest -= 1 << 20)
          response.write(Buffer.alloc(Math.min(rest, 1 << 20), 'x'));
        response.end();
      }),
    );
    const over = transport();
    expect((await send(over, `http://127.0.0.1:${port}/`)).body).toHaveLength(8 * 1024 * 1024);
    expect(await fail(send(over, `http://127.0.0.1:${port}/more`))).toMatchObject({
      reached: true,
      message: expect.stringContaining('larger than 8 MiB'),
    });
  });

  it('knows that a refused connection never reached anybody', async () => {
    const server = http.createServer();
    const port = await listen(server);
    await cleanups.pop()?.();
    expect(await fail(send(transport(), `http://127.0.0.1:${port}/`))).toMatchObject({
      reached: false,
      message: `no connection to 127.0.0.1:${port} (ECONNREFUSED)`,
    });
    expect((await fail(send(transport(), `http://localhost:${port}/`))).message).toMatch(/\(ECONNREFUSED\)$/);
  });

  it('names the host that DNS does not know', async () => {
    const error = await fail(send(transport(), 'http://no-such-host.invalid/'));
    expect(error.reached).toBe(false);
    expect(error.message).toMatch(
      /^the name no-such-host\.invalid cannot be resolved \((ENOTFOUND|EAI_AGAIN)\)$/,
    );
    expect(error.advice).toContain('api-url');
  });
});

describe('over TLS', () => {
  const { authority, ...certificate } = sockets.certificate();
  const ca = { NODE_EXTRA_CA_CERTS: authority };

  async function secure(): Promise<{ port: number; requests: () => number }> {
    let requests = 0;
    const server = https.createServer(certificate, (_, response) => {
      requests++;
      response.end('{"RetCode":0}');
    });
    return { port: await listen(server), requests: () => requests };
  }

  /** `send` in a process of its own: certificates are read when Node starts. */
  function child(url: string, env: Record<string, string>): Promise<string> {
    const module = new URL('../../src/cloud/transport.ts', import.meta.url).href;
    const script = `
      const { createTransport } = await import(${JSON.stringify(module)});
      const over = createTransport({ userAgent: 'test', env: process.env });
      const { port, host } = new URL(${JSON.stringify(url)});
      try {
        const answer = await over.send({ url: ${JSON.stringify(url)}, body: 'a=b', timeout: 60_000 });
        console.log(answer.status, answer.body);
      } catch (error) {
        console.log(error.name, error.reached, error.message);
      }
      await over.close();`;
    return new Promise((resolve, reject) => {
      const args = ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', script];
      const options = {
        cwd: fileURLToPath(new URL('../..', import.meta.url)),
        env: {
          PATH: process.env.PATH ?? '',
          NODE_COMPILE_CACHE: join(tmpdir(), 'transport-compile-cache'),
          ...env,
        },
      };
      execFile(process.execPath, args, options, (error, stdout) =>
        error ? reject(error) : resolve(stdout.trim()),
      );
    });
  }

  it('refuses a certificate of an unknown authority, and names NODE_EXTRA_CA_CERTS', async () => {
    const { port, requests } = await secure();
    const error = await fail(send(transport(), `https://localhost:${port}/`));
    expect(error).toMatchObject({
      reached: false,
      message: `the certificate of localhost:${port} is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT)`,
      advice: expect.stringContaining('NODE_EXTRA_CA_CERTS'),
    });
    expect(requests()).toBe(0);
  });

  it('takes it when NODE_EXTRA_CA_CERTS names it; NODE_TLS_REJECT_UNAUTHORIZED=0 changes nothing', async () => {
    const { port, requests } = await secure();
    const url = `https://localhost:${port}/`;
    const [trusted, unsafe] = await Promise.all([
      child(url, ca),
      child(url, { NODE_TLS_REJECT_UNAUTHORIZED: '0' }),
    ]);
    expect(trusted).toBe('200 {"RetCode":0}');
    expect(unsafe).toMatch(/^TransportError false the certificate of localhost/);
    expect(requests()).toBe(1);
  });

  it('refuses a certificate of another host', async () => {
    const { port } = await secure();
    const text = await child(`https://127.0.0.1:${port}/`, ca);
    expect(text).toMatch(
      /^TransportError false the certificate presented for 127\.0\.0\.1:\d+ belongs to another/,
    );
  });

  it('has reached nobody when there is no TLS behind the port, or none that ends', async () => {
    const plain = await listen(http.createServer((_, response) => response.end()));
    expect(await fail(send(transport(), `https://localhost:${plain}/`))).toMatchObject({ reached: false });
    const closing = await listen(net.createServer((socket) => socket.once('data', () => socket.end())));
    expect(await fail(send(transport(), `https://localhost:${closing}/`))).toMatchObject({ reached: false });
    const silent = await listen(net.createServer());
    expect(await fail(send(transport(), `https://localhost:${silent}/`, 150))).toMatchObject({
      reached: false,
      message: `no connection to localhost:${silent} within 0.15 s`,
    });
  });

  it('goes through the tunnel of a proxy, by HTTPS_PROXY in either case, and never by HTTP_PROXY', async () => {
    const { port } = await secure();
    const proxy = await startProxy(port);
    const url = `https://api.test:${port}/`;
    for (const name of ['HTTPS_PROXY', 'https_proxy']) {
      expect(await child(url, { ...ca, [name]: proxy.url })).toBe('200 {"RetCode":0}');
    }
    expect(proxy.seen).toEqual([`CONNECT api.test:${port}`, `CONNECT api.test:${port}`]);
    const direct = await child(`https://localhost:${port}/`, { ...ca, HTTP_PROXY: proxy.url });
    expect(direct).toBe('200 {"RetCode":0}');
    const bypassed = await child(`https://localhost:${port}/`, {
      ...ca,
      HTTPS_PROXY: proxy.url,
      NO_PROXY: 'x.test, localhost',
    });
    expect(bypassed).toBe('200 {"RetCode":0}');
    expect(proxy.seen).toHaveLength(2);
  });

  it('checks the certificate through a proxy as well, and speaks HTTP/1.1 to a server that prefers 2', async () => {
    const server = http2.createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
      response.end(request.httpVersion);
    });
    const port = await listen(server);
    const proxy = await startProxy(port);
    const [tunnelled, direct, unsafe] = await Promise.all([
      child(`https://api.test:${port}/`, { ...ca, HTTPS_PROXY: proxy.url }),
      child(`https://localhost:${port}/`, ca),
      child(`https://api.test:${port}/`, { NODE_TLS_REJECT_UNAUTHORIZED: '0', HTTPS_PROXY: proxy.url }),
    ]);
    expect([tunnelled, direct]).toEqual(['200 1.1', '200 1.1']);
    expect(unsafe).toMatch(/^TransportError false the certificate of api\.test:\d+ is not trusted/);
  });

  it('goes through a proxy that speaks TLS itself, and checks its certificate too', async () => {
    const { port } = await secure();
    const proxy = await startProxy(port, { ...certificate, authority });
    const url = `https://api.test:${port}/`;
    const [trusted, unsafe] = await Promise.all([
      child(url, { ...ca, HTTPS_PROXY: proxy.url }),
      child(url, { NODE_TLS_REJECT_UNAUTHORIZED: '0', HTTPS_PROXY: proxy.url }),
    ]);
    expect(trusted).toBe('200 {"RetCode":0}');
    expect(unsafe).toMatch(/^TransportError false the certificate of/);
    expect(proxy.seen).toHaveLength(1);
  });

  it('reads no proxy from anywhere but its argument', async () => {
    const { port } = await secure();
    const proxy = await startProxy(port);
    vi.stubEnv('HTTPS_PROXY', proxy.url).stubEnv('https_proxy', proxy.url);
    cleanups.push(() => vi.unstubAllEnvs());
    await fail(send(transport(), `https://localhost:${port}/`));
    expect(proxy.seen).toEqual([]);
  });

  it('has reached nobody when the proxy refuses the tunnel', async () => {
    const { port, requests } = await secure();
    const proxy = await startProxy(port);
    for (const credentials of ['', 'user:wrong-canary@']) {
      const url = proxy.url.replace(/user:[^@]*@/, credentials);
      const error = await fail(send(transport({ HTTPS_PROXY: url }), `https://api.test:${port}/`));
      expect(error).toMatchObject({
        reached: false,
        message: 'the proxy in HTTPS_PROXY refused the user or the password (HTTP 407)',
        advice: expect.stringContaining('HTTPS_PROXY'),
      });
      expect(`${error.stack}${JSON.stringify(error)}`).not.toContain('canary');
    }
    expect(requests()).toBe(0);
  });

  it('has reached nobody when the proxy is gone, drops the tunnel or never opens it', async () => {
    const gone = await listen(net.createServer());
    await cleanups.pop()?.();
    const dropping = await listen(net.createServer((socket) => socket.once('data', () => socket.destroy())));
    const silent = await listen(net.createServer());
    for (const port of [gone, dropping, silent]) {
      const env = { https_proxy: `http://user:proxy-canary@127.0.0.1:${port}` };
      const over = transport(env);
      await fail(send(over, 'https://api.test/', 300));
      const error = await fail(send(over, 'https://api.test/', 300));
      expect(error).toMatchObject({ reached: false, final: false });
      expect(`${error.stack}${JSON.stringify(error)}`).not.toContain('canary');
    }
  });
});

describe('through a proxy for http', () => {
  async function site() {
    const seen: string[] = [];
    /** Four that ask for /abreast are answered together. */
    const held: http.ServerResponse[] = [];
    const port = await listen(
      http.createServer(async (request, response) => {
        seen.push(`${request.headers.host} ${await body(request)}`);
        if (request.url !== '/abreast') response.end('{"RetCode":0}');
        else if (held.push(response) === 4) for (const each of held) each.end('{"RetCode":0}');
      }),
    );
    return { seen, port, proxy: await startProxy(port) };
  }

  it('goes there with HTTP_PROXY in either case; the small one wins', async () => {
    const { seen, port, proxy } = await site();
    for (const env of [
      { HTTP_PROXY: proxy.url },
      { http_proxy: proxy.url, HTTP_PROXY: 'http://127.0.0.1:1' },
      { HTTP_PROXY: proxy.url.replace('http://', '') },
    ]) {
      expect(await send(transport(env), `http://api.test:${port}/p`)).toMatchObject({
        body: '{"RetCode":0}',
      });
    }
    expect(new Set(proxy.seen)).toEqual(new Set([`POST http://api.test:${port}/p`]));
    expect(new Set(seen)).toEqual(new Set([`api.test:${port} Action=GetRegion&Name=%E9%95%9C`]));
    expect(seen).toHaveLength(3);
  });

  it('goes there for the loopback too, unless NO_PROXY says otherwise', async () => {
    const { port, proxy } = await site();
    const url = `http://127.0.0.1:${port}/`;
    await send(transport({ HTTP_PROXY: proxy.url }), url);
    expect(proxy.seen).toHaveLength(1);
    for (const NO_PROXY of ['127.0.0.1', '*', `a.test,127.0.0.1:${port}`]) {
      await send(transport({ HTTP_PROXY: proxy.url, NO_PROXY }), url);
      await send(transport({ HTTP_PROXY: proxy.url, no_proxy: NO_PROXY }), url);
    }
    await send(transport({ HTTPS_PROXY: 'http://127.0.0.1:1' }), url);
    expect(proxy.seen).toHaveLength(1);
    await send(transport({ HTTP_PROXY: proxy.url, NO_PROXY: '127.0.0.1:1' }), url);
    expect(proxy.seen).toHaveLength(2);
  });

  it('is told when the proxy refuses the credentials: nothing was sent on', async () => {
    const { seen, port, proxy } = await site();
    const env = { HTTP_PROXY: proxy.url.replace('canary', 'wrong-canary') };
    const error = await fail(send(transport(env), `http://api.test:${port}/`));
    expect(error).toMatchObject({ reached: false, message: expect.stringContaining('(HTTP 407)') });
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain('canary');
    expect(seen).toEqual([]);
  });

  it('is asked with wrong credentials twice at most, however many calls there are', async () => {
    const { seen, port, proxy } = await site();
    const over = transport({ HTTP_PROXY: proxy.url.replace('canary', 'wrong') });
    const url = `http://api.test:${port}/`;
    for (const [final, refused] of [
      [false, 1],
      [true, 2],
      [true, 2],
    ]) {
      const errors = await Promise.all(Array.from({ length: 20 }, () => fail(send(over, url))));
      for (const error of errors) expect(error).toMatchObject({ final, reached: false });
      expect(proxy.refused()).toBe(refused);
    }
    expect(seen).toEqual([]);
  });

  it('that comes to accept the credentials is used by all, and one who gives up does not hold up the others', async () => {
    const { seen, port, proxy } = await site();
    const over = transport({ HTTP_PROXY: proxy.url });
    const url = `http://api.test:${port}/`;
    proxy.accept(false);
    await Promise.all(Array.from({ length: 5 }, () => fail(send(over, url))));
    proxy.accept(true);
    const givesUp = (cancel = new AbortController()) => {
      const sent = send(over, url, 5_000, cancel.signal);
      return () => {
        cancel.abort('enough');
        return expect(sent).rejects.toBe('enough');
      };
    };
    const [first, second] = [givesUp(), givesUp()];
    const { signal } = new AbortController();
    const others = Array.from({ length: 5 }, () => send(over, url, 5_000, signal));
    await second();
    expect(seen).toEqual([]);
    await first();
    expect((await Promise.all(others)).map(({ status }) => status)).toEqual([200, 200, 200, 200, 200]);
    expect(proxy.refused()).toBe(1);
    expect(seen.length).toBeGreaterThanOrEqual(5);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    await givesUp()();
    // From now on they go side by side.
    await Promise.all(Array.from({ length: 4 }, () => send(over, `${url}abreast`)));
    proxy.accept(false);
    expect((await fail(send(over, url))).final).toBe(false);
    expect(proxy.refused()).toBe(2);
  });

  it('may be a SOCKS5 proxy, which is given the name and not an address', async () => {
    const { port } = await site();
    const asked: string[] = [];
    const socks = await listen(
      net.createServer((socket) => {
        socket.once('data', () => {
          socket.write(Buffer.from([5, 0]));
          socket.once('data', (data: Buffer) => {
            asked.push(data.subarray(5, 5 + (data[4] ?? 0)).toString());
            const onward = net.connect(port, '127.0.0.1');
            socket.write(Buffer.from([5, 0, 0, 1, 127, 0, 0, 1, 0, 0]));
            socket.pipe(onward).pipe(socket);
          });
        });
      }),
    );
    const over = transport({ HTTP_PROXY: `socks5h://127.0.0.1:${socks}` });
    expect(await send(over, 'http://api.test/')).toMatchObject({ status: 200 });
    expect(asked).toEqual(['api.test']);
  });

  it('reads no proxy from anywhere but its argument', async () => {
    const { port, proxy } = await site();
    vi.stubEnv('HTTP_PROXY', proxy.url).stubEnv('http_proxy', proxy.url);
    cleanups.push(() => vi.unstubAllEnvs());
    await send(transport(), `http://127.0.0.1:${port}/`);
    expect(proxy.seen).toEqual([]);
  });
});
