/** What may stand between the action and the API: a proxy, a server that ends TLS, one that echoes. */
import http from 'node:http';
import https from 'node:https';
import type { Server } from 'node:net';
import * as sockets from '../sockets.ts';
import type { Stage } from './support.ts';

export const PROXY_PASSWORD = 'proxy-canary-7Qz+/Zk2Wm9XvB4t';

async function listen(it: Stage, server: Server): Promise<number> {
  const { port, close } = await sockets.listen(server);
  it.closers.push(close);
  return port;
}

/** A forward proxy that wants a user and a password: `url` has the right ones. */
export async function startProxy(it: Stage) {
  const proxy = await sockets.startProxy({ password: PROXY_PASSWORD });
  it.closers.push(proxy.close);
  return proxy;
}

/** The API over TLS; `authority` is the file that NODE_EXTRA_CA_CERTS needs. */
export async function startSecure(it: Stage): Promise<{ url: string; host: string; authority: string }> {
  const { authority, ...options } = sockets.certificate();
  const pass = sockets.passTo((url) => new URL(url, it.cloud.url));
  const host = `localhost:${await listen(it, https.createServer(options, pass))}`;
  return { url: `https://${host}/`, host, authority };
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
