/** What may stand between the action and the API: a proxy, a server that ends TLS, one that echoes. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Stage } from './support.ts';

export const PROXY_PASSWORD = 'proxy-canary-7Qz+/Zk2Wm9XvB4t';

async function listen(it: Stage, server: Server): Promise<number> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  it.closers.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** Passes a request on to another address, and its answer back. */
function pass(request: IncomingMessage, response: ServerResponse, url: URL): void {
  const { 'proxy-authorization': _, ...headers } = request.headers;
  const onward = http.request(url, { method: request.method ?? 'POST', headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  onward.on('error', () => response.destroy());
  request.pipe(onward);
}

/** A forward proxy that wants a user and a password: `url` has the right ones. */
export async function startProxy(it: Stage): Promise<{
  url: string;
  seen: string[];
  /** Requests with a wrong password, or none. */
  refused(): number;
}> {
  const seen: string[] = [];
  let refused = 0;
  const right = `Basic ${Buffer.from(`user:${PROXY_PASSWORD}`).toString('base64')}`;
  const server = http.createServer((request, response) => {
    if (request.headers['proxy-authorization'] !== right) {
      refused += 1;
      response.writeHead(407).end();
      return;
    }
    seen.push(`${request.method} ${request.url}`);
    pass(request, response, new URL(request.url ?? ''));
  });
  server.on('connect', (request, socket: net.Socket, head: Buffer) => {
    if (request.headers['proxy-authorization'] !== right) {
      refused += 1;
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    seen.push(`CONNECT ${request.url}`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = net.connect(Number(port), hostname, () => {
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  const port = await listen(it, server);
  return {
    url: `http://user:${encodeURIComponent(PROXY_PASSWORD)}@127.0.0.1:${port}`,
    seen,
    refused: () => refused,
  };
}

let made: { folder: string; key: string; cert: string } | undefined;
afterAll(() => {
  if (made) rmSync(made.folder, { recursive: true, force: true });
  made = undefined;
});

/** Signed by itself, for localhost. */
function certificate(): { folder: string; key: string; cert: string } {
  if (made) return made;
  const folder = mkdtempSync(join(tmpdir(), 'e2e-certificate-'));
  made = { folder, key: join(folder, 'key.pem'), cert: join(folder, 'cert.pem') };
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'],
      ...['-keyout', made.key, '-out', made.cert],
    ],
    { stdio: 'ignore' },
  );
  return made;
}

/** The API over TLS; `authority` is the file that NODE_EXTRA_CA_CERTS needs. */
export async function startSecure(it: Stage): Promise<{ url: string; host: string; authority: string }> {
  const { key, cert } = certificate();
  const options = { key: readFileSync(key), cert: readFileSync(cert) };
  const server = https.createServer(options, (request, response) =>
    pass(request, response, new URL(request.url ?? '/', it.cloud.url)),
  );
  const host = `localhost:${await listen(it, server)}`;
  return { url: `https://${host}/`, host, authority: cert };
}

/** Answers with the request itself: key, token, signature and all. */
export async function startEcho(it: Stage, answer: (body: string) => [number, string]): Promise<string> {
  const server = http.createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    it.secrets.push(new URLSearchParams(body).get('Signature') ?? '');
    const [status, text] = answer(body);
    response.writeHead(status, { 'X-UCLOUD-REQUEST-UUID': body }).end(text);
  });
  return `http://127.0.0.1:${await listen(it, server)}/`;
}
