import { createSign } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { createEmulator } from 'emulate';

export const TOKEN = 'ghs_0123456789abcdefTOKEN';

export interface Seen {
  method: string;
  /** Without the prefix, with the query. */
  path: string;
  headers: IncomingHttpHeaders;
  body: string;
}

export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: unknown;
  /** Instead of `body`, as it is. */
  text?: string;
}

/** An answer of its own; `lost`: GitHub does it, but the connection breaks; `silent`: no answer; undefined: as GitHub does. */
export type Intercept = (request: Seen) => Answer | 'lost' | 'silent' | undefined;

export interface Release {
  id: number;
  body: string | null;
  draft: boolean;
  assets: { id: number; name: string; content_type: string }[];
}

/**
 * The GitHub API emulator behind a front that adds what it lacks: Enterprise Server's paths, a refusal of a second
 * asset of one name, drafts that no tag finds, the content of assets, and faults at will.
 */
export async function startGitHub() {
  const emulator = await createEmulator({
    service: 'github',
    port: 0,
    seed: {
      tokens: { [TOKEN]: { login: 'octo', scopes: ['repo'] } },
      github: {
        users: [{ login: 'octo' }],
        repos: [{ owner: 'octo', name: 'app', auto_init: true }],
        apps: [
          {
            app_id: 1,
            slug: 'reader',
            name: 'reader',
            permissions: { contents: 'read' },
            installations: [{ installation_id: 7, account: 'octo', permissions: { contents: 'read' } }],
          },
        ],
      },
    },
  });
  const emulated = async <T>(method: string, path: string, body?: unknown, token = TOKEN): Promise<T> => {
    const response = await fetch(emulator.url + path, {
      method,
      headers: { authorization: `Bearer ${token}` },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: HTTP ${response.status}`);
    return (await response.json()) as T;
  };

  const requests: Seen[] = [];
  const contents = new Map<number, string>();
  let intercept: Intercept = () => undefined;
  const findAsset = async (release: string, name: string) =>
    (await emulated<Release['assets']>('GET', `/repos/octo/app/releases/${release}/assets`)).find(
      (asset) => asset.name === name,
    );

  // One request at a time: what is checked here still holds when the emulator acts on it.
  let turn = Promise.resolve();
  const server = createServer((request, response) => {
    turn = turn.then(() => handle(request, response)).catch(() => void response.destroy());
  });
  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const { method = '', url = '', headers } = request;
    const send = ({ status, headers = {}, body, text }: Answer) => {
      response.writeHead(status, { 'content-type': 'application/json', ...headers });
      response.end(status === 204 ? undefined : (text ?? JSON.stringify(body ?? {})));
    };
    const path = url.replace(/^\/api\/(v3|uploads)(?=\/)/, '');
    const seen = { method, path, headers, body };
    requests.push(seen);

    const upload = /^\/repos\/octo\/app\/releases\/(\d+)\/assets\?name=(.*)$/.exec(path);
    const place = method === 'POST' && upload ? '/api/uploads/' : '/api/v3/';
    if (!url.startsWith(place)) return send({ status: 404, body: { message: 'Wrong place' } });
    const verdict = intercept(seen);
    if (verdict === 'silent') return;
    if (verdict && verdict !== 'lost') return send(verdict);

    const renamed = method === 'PATCH' && /\/assets\/\d+$/.test(path) && JSON.parse(body).name;
    const release = upload?.[1] ?? (await emulated<Release[]>('GET', '/repos/octo/app/releases'))[0]?.id;
    const name = upload?.[2] ?? renamed;
    if (name && (await findAsset(String(release), name))) {
      const errors = [{ resource: 'ReleaseAsset', code: 'already_exists', field: 'name' }];
      return send({ status: 422, body: { message: 'Validation Failed', errors } });
    }
    const answer = await fetch(emulator.url + path, {
      method,
      headers: {
        authorization: headers.authorization ?? '',
        'content-type': headers['content-type'] ?? 'application/json',
      },
      ...(body === '' ? {} : { body }),
    });
    const text = await answer.text();
    const data = text === '' ? undefined : JSON.parse(text);
    if (upload && answer.ok) contents.set(data.id, body);
    if (verdict === 'lost') {
      response.destroy();
      return;
    }
    if (path.includes('/releases/tags/') && data.draft)
      return send({ status: 404, body: { message: 'Not Found' } });
    if (data?.upload_url) data.upload_url = data.upload_url.replace(emulator.url, `${origin}/api/uploads`);
    return send({ status: answer.status, body: data });
  };
  const origin = await listen(server);

  return {
    /** The emulator itself. */
    direct: emulator.url,
    /** The front, as GITHUB_API_URL has it on Enterprise Server. */
    apiUrl: `${origin}/api/v3`,
    requests,
    contents,
    fail(next: Intercept) {
      intercept = next;
    },
    reset() {
      emulator.reset();
      requests.length = 0;
      contents.clear();
      intercept = () => undefined;
    },
    release: () => emulated<Release>('GET', '/repos/octo/app/releases/tags/v1'),
    createRelease: (body: string, more: object = {}) =>
      emulated<Release>('POST', '/repos/octo/app/releases', { tag_name: 'v1', body, ...more }),
    /** What somebody writes into the notes, past the front. */
    edit: (id: number, body: string) =>
      emulated<Release>('PATCH', `/repos/octo/app/releases/${id}`, { body }),
    /** An attached asset, past the front. */
    attach: (id: number, name: string) =>
      emulated<{ id: number }>('POST', `/repos/octo/app/releases/${id}/assets?name=${name}`, 'earlier'),
    /** The token of an app that may only read. */
    async readOnlyToken() {
      const key = emulator.generatedSecrets[0]?.value ?? '';
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const now = Math.floor(Date.now() / 1000);
      const claim = `${encode({ alg: 'RS256', typ: 'JWT' })}.${encode({ iat: now - 60, exp: now + 300, iss: '1' })}`;
      const signature = createSign('RSA-SHA256').update(claim).sign(key, 'base64url');
      const path = '/app/installations/7/access_tokens';
      return (await emulated<{ token: string }>('POST', path, {}, `${claim}.${signature}`)).token;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await emulator.close();
    },
  };
}

export async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
