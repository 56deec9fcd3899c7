/** Servers on 127.0.0.1 that stand between a client and whom it asks: with TLS, and as a proxy. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type RequestListener } from 'node:http';
import https from 'node:https';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';

/** Listens on a free port; `close` drops every connection. */
export async function listen(server: net.Server): Promise<{ port: number; close(): Promise<void> }> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket: net.Socket) => {
    sockets.add(socket.once('close', () => sockets.delete(socket)));
    socket.on('error', () => {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { port: (server.address() as AddressInfo).port, close };
}

export interface Certificate {
  key: string;
  cert: string;
  /** The file that NODE_EXTRA_CA_CERTS needs. */
  authority: string;
}

let made: Certificate | undefined;
// Not when the process exits: a worker of vitest is killed before.
afterAll(() => made && rmSync(dirname(made.authority), { recursive: true }));

/** Signed by itself, for localhost and api.test, but not for 127.0.0.1. */
export function certificate(): Certificate {
  if (made) return made;
  const folder = mkdtempSync(join(tmpdir(), 'certificate-'));
  const [key, authority] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2'],
      ...['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,DNS:api.test'],
      ...['-keyout', key, '-out', authority],
    ],
    { stdio: 'ignore' },
  );
  made = { key: readFileSync(key, 'utf8'), cert: readFileSync(authority, 'utf8'), authority };
  return made;
}

/** Passes a request on to another address, and its answer back. */
export const passTo =
  (target: (url: string) => URL): RequestListener =>
  (request, response) => {
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = http.request(
      target(request.url ?? '/'),
      { method: request.method ?? 'POST', headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };

export interface ProxyOptions {
  /** Who may use it. Without it: nobody is asked. */
  password?: string;
  /** Connects everything to that port, whatever the host's name. */
  to?: number;
  /** It speaks TLS itself. */
  tls?: Certificate;
}

/** A forward proxy; `url` has the right user and password. */
export async function startProxy({ password, to, tls }: ProxyOptions = {}) {
  const seen: string[] = [];
  let refused = 0;
  let accepts = true;
  const right = password === undefined ? undefined : `Basic ${btoa(`user:${password}`)}`;
  const enters = ({ headers, method, url }: http.IncomingMessage): boolean => {
    const may = accepts && (right === undefined || headers['proxy-authorization'] === right);
    if (may) seen.push(`${method} ${url}`);
    else refused++;
    return may;
  };
  const pass = passTo((url) => Object.assign(new URL(url), to ? { hostname: '127.0.0.1', port: to } : {}));
  const forward: RequestListener = (request, response) => {
    if (enters(request)) pass(request, response);
    else response.writeHead(407).end('who?');
  };
  const server = tls ? https.createServer(tls, forward) : http.createServer(forward);
  server.on('connect', (request, socket: net.Socket, head: Buffer) => {
    if (!enters(request)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = net.connect(to ?? Number(port), to ? '127.0.0.1' : hostname, () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      onward.write(head);
      onward.pipe(socket).pipe(onward);
    });
    onward.on('error', () => socket.destroy());
    socket.on('error', () => onward.destroy()).on('close', () => onward.destroy());
  });
  const { port, close } = await listen(server);
  const user = password === undefined ? '' : `user:${encodeURIComponent(password)}@`;
  return {
    url: `${tls ? 'https' : 'http'}://${user}${tls ? 'localhost' : '127.0.0.1'}:${port}`,
    seen,
    /** Requests with a wrong password, or none, and those that came while it accepted nobody. */
    refused: () => refused,
    accept(value: boolean) {
      accepts = value;
    },
    close,
  };
}
