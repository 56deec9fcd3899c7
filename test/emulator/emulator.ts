import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Answer, copyTargets, isKnown, Params, perform } from './calls.ts';
import { type FaultKind, Faults } from './faults.ts';
import { type Keys, newKeys, newTemporaryKeys, type TemporaryKeys } from './keys.ts';
import { DEFAULT_REGION } from './regions.ts';
import { ApiError, type Call, isSignedWith, missingParameter, parseCall } from './wire.ts';
import {
  defaultSettings,
  type Image,
  type NewImage,
  PROJECTS,
  ROLE_URN,
  type Settings,
  World,
} from './world.ts';

export type { Fault, FaultKind } from './faults.ts';
export type { Image, NewImage, Settings } from './world.ts';

/** One request as it came, with nothing hidden, and what became of it. */
export interface RecordedRequest {
  /** When it had arrived, ms since the epoch. */
  time: number;
  action: string;
  method: string;
  params: Record<string, string>;
  headers: IncomingMessage['headers'];
  /** As on the request line. */
  url: string;
  body: string;
  /** What the call came to; absent when a fault kept it from being carried out. */
  retCode?: number;
  /** The fault that was answered instead. */
  fault?: FaultKind;
}

export interface Emulator {
  /** The base URL, with its slash. */
  url: string;
  keys: Keys;
  temporaryKeys: TemporaryKeys;
  /** Those, and what AssumeRole gave out. */
  sessions: TemporaryKeys[];
  /** The role that may be assumed. */
  roleUrn: string;
  projects: typeof PROJECTS;
  /** Where the source image is: the default project's, in cn-bj2. */
  region: string;
  sourceImageId: string;
  /** The environment that points a client here. */
  env: Record<string, string>;
  /** Live: what is set here holds for the next request. */
  settings: Settings;
  faults: Faults;
  requests: RecordedRequest[];
  /** The ports of the requests that wait for an answer that will never come. */
  hanging: ReadonlySet<number>;
  /** Every custom image that exists, listed or not. */
  images(region?: string, projectId?: string): Image[];
  /** What was deleted, in that order. */
  deletedImages(): Image[];
  addImage(image: NewImage): Image;
  deleteImage(imageId: string): void;
  /** From now on and for good. */
  setState(imageId: string, state: string): void;
  close(): Promise<void>;
}

export interface EmulatorOptions extends Partial<Settings> {
  port?: number;
  /** What the source image has other than usual. */
  source?: NewImage;
}

const BODY_LIMIT = 1024 * 1024;
const HUGE_BODY = 16 * 1024 * 1024;
const REDIRECTED_PATH = '/redirected';
const HTML = 'text/html; charset=utf-8';
const JSON_TYPE = 'application/json; charset=utf-8';

const page = (status: number) => `<html><head><title>${status}</title></head><body>${status}</body></html>\n`;

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_LIMIT) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}

export async function startEmulator(options: EmulatorOptions = {}): Promise<Emulator> {
  const { port = 0, source = {}, ...settingsGiven } = options;
  const settings: Settings = { ...defaultSettings(), ...settingsGiven };
  const world = new World(settings);
  const faults = new Faults();
  const requests: RecordedRequest[] = [];
  const keys = newKeys();
  const temporaryKeys = newTemporaryKeys(settings.now() + 900_000);
  world.sessions.push(temporaryKeys);
  const hanging = new Set<number>();
  let acceptedAt: number[] = [];

  function authenticate(call: Call, channelKey: unknown): void {
    const { params } = call;
    if (channelKey !== settings.channelKey) throw new ApiError(174, 'Token Not Exists');
    if (!params.get('Signature')) throw new ApiError(170, 'Missing signature');
    if (!params.get('PublicKey')) throw missingParameter('PublicKey');
    const isIt = ({ publicKey }: Keys) => publicKey === params.get('PublicKey');
    const session = world.sessions.find(isIt);
    const pair = session ?? [keys].find(isIt);
    if (!pair) throw new ApiError(172, 'User Not Exists');
    const expired = session !== undefined && settings.now() >= session.expires;
    if (expired || (params.get('SecurityToken') || undefined) !== session?.securityToken)
      throw new ApiError(174, 'Token Not Exists');
    if (!isSignedWith(call, pair.privateKey)) throw new ApiError(171, 'Signature VerifyAC Error');
  }

  function throttle(): void {
    if (!settings.throttle) return;
    const now = settings.now();
    const { calls, seconds } = settings.throttle;
    acceptedAt = acceptedAt.filter((time) => time > now - seconds * 1000);
    if (acceptedAt.length >= calls) throw new ApiError(153, 'Too many requests');
    acceptedAt.push(now);
  }

  function answer(action: string, result: Answer, retCode = 0): Answer {
    return {
      RetCode: settings.retCodeAsString ? String(retCode) : retCode,
      Action: `${action}Response`,
      ...result,
    };
  }

  /** Carries the call out, if it may be. */
  function handle(record: RecordedRequest, call: Call): Answer {
    const { action } = record;
    try {
      if (!action) throw new ApiError(160, 'Missing Action');
      if (!isKnown(action)) throw new ApiError(161, `Action [${action}] does not exist`);
      authenticate(call, record.headers['channel-key']);
      throttle();
      if (settings.deniedActions.includes(action)) {
        throw new ApiError(299, `IAM permission denied: the policy does not allow [${action}]`);
      }
      const result = perform(world, action, new Params(call.params));
      record.retCode = 0;
      return answer(action, result);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      record.retCode = error.retCode;
      return answer(action, { Message: error.message }, error.retCode);
    }
  }

  /** The regions that a fault may name for this call. A call that cannot be read has none. */
  function regionsOf(action: string, params: Params): string[] {
    try {
      return action === 'CopyCustomImage' ? copyTargets(world, params).regions : [params.required('Region')];
    } catch {
      return [];
    }
  }

  function send(response: ServerResponse, status: number, type: string, body: string): void {
    response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
    response.end(body);
  }

  function sendHuge(response: ServerResponse, action: string): void {
    const start = JSON.stringify(answer(action, { Padding: '' })).slice(0, -2);
    const chunk = 'x'.repeat(1024 * 1024);
    function* parts() {
      yield start;
      for (let sent = 0; sent < HUGE_BODY; sent += chunk.length) yield chunk;
      yield '"}';
    }
    response.writeHead(200, { 'Content-Type': JSON_TYPE });
    // A client that has had enough hangs up: that is what this fault is for.
    pipeline(Readable.from(parts()), response).catch(() => response.destroy());
  }

  function sendFault(response: ServerResponse, kind: FaultKind, action: string, normal: Answer): void {
    if (typeof kind === 'object') {
      if ('retCode' in kind) {
        const { retCode, message = `Fault ${retCode}` } = kind;
        send(response, 200, JSON_TYPE, JSON.stringify(answer(action, { Message: message }, retCode)));
      } else send(response, kind.http, HTML, kind.body ?? page(kind.http));
      return;
    }
    const body = JSON.stringify(normal);
    switch (kind) {
      case 'garbage':
        send(response, 200, JSON_TYPE, `\u0000\ufffd{"RetCode": 0, "Action": ${body.slice(0, 5)}`);
        break;
      case 'empty':
        send(response, 200, JSON_TYPE, '');
        break;
      case 'hang': {
        const port = response.socket?.remotePort ?? 0;
        hanging.add(port);
        response.once('close', () => hanging.delete(port));
        break;
      }
      case 'reset':
        response.socket?.resetAndDestroy();
        break;
      case 'truncated':
        response.writeHead(200, { 'Content-Type': JSON_TYPE, 'Content-Length': Buffer.byteLength(body) });
        response.write(body.slice(0, Math.ceil(body.length / 2)), () => response.socket?.destroy());
        break;
      case 'redirect':
        response.setHeader('Location', REDIRECTED_PATH);
        send(response, 307, HTML, page(307));
        break;
      case 'huge':
        sendHuge(response, action);
        break;
    }
  }

  const timers = new Set<NodeJS.Timeout>();
  function later(act: () => void): void {
    if (settings.latencyMs <= 0) {
      act();
      return;
    }
    const timer = setTimeout(() => {
      timers.delete(timer);
      act();
    }, settings.latencyMs);
    timers.add(timer);
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = '', url = '', headers } = request;
    response.setHeader('X-UCLOUD-REQUEST-UUID', randomUUID());
    const body = await readBody(request);
    if (body === undefined) return send(response, 413, HTML, page(413));
    const record: RecordedRequest = {
      time: settings.now(),
      action: '',
      method,
      params: {},
      headers,
      url,
      body,
    };
    requests.push(record);
    const { pathname, searchParams } = new URL(url, 'http://127.0.0.1');
    if (pathname !== '/' && pathname !== REDIRECTED_PATH) return send(response, 404, HTML, page(404));
    if (method !== 'GET' && method !== 'POST') return send(response, 405, HTML, page(405));

    let call: Call;
    try {
      call = parseCall(method, searchParams, headers['content-type'] ?? '', body);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const { retCode, message } = error;
      record.retCode = retCode;
      return later(() =>
        send(response, 200, JSON_TYPE, JSON.stringify(answer('', { Message: message }, retCode))),
      );
    }
    record.params = Object.fromEntries(call.params);
    record.action = call.params.get('Action') ?? '';
    const { action } = record;
    const fault = faults.take({ action, regions: regionsOf(action, new Params(call.params)) });
    if (fault) record.fault = fault.kind;
    const normal = fault && !fault.executed ? answer(action, {}) : handle(record, call);
    later(() => {
      if (fault) sendFault(response, fault.kind, action, normal);
      else send(response, 200, JSON_TYPE, JSON.stringify(normal));
    });
  }

  const server = createServer((request, response) => {
    serve(request, response).catch((error: unknown) => {
      // A request cut off by its client is the client's affair; anything else is a bug of this emulator.
      if (request.destroyed && !request.complete) return;
      console.error('emulator:', error);
      if (!response.headersSent) send(response, 500, HTML, page(500));
    });
  });
  // Longer than clients keep idle connections, so that none is closed under a request but by a fault.
  server.keepAliveTimeout = 75_000;
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  const { imageId: sourceImageId } = world.add({ region: DEFAULT_REGION, ...source });

  return {
    url,
    keys,
    temporaryKeys,
    sessions: world.sessions,
    roleUrn: ROLE_URN,
    projects: PROJECTS,
    region: DEFAULT_REGION,
    sourceImageId,
    env: {
      UCLOUD_API_BASE_URL: url,
      UCLOUD_PUBLIC_KEY: keys.publicKey,
      UCLOUD_PRIVATE_KEY: keys.privateKey,
      UCLOUD_REGION: DEFAULT_REGION,
      UCLOUD_PROJECT_ID: PROJECTS.source,
      EMULATOR_TARGET_PROJECT_ID: PROJECTS.target,
      EMULATOR_SOURCE_IMAGE_ID: sourceImageId,
    },
    settings,
    faults,
    requests,
    hanging,
    images: (region, projectId) => world.customImages(region, projectId),
    deletedImages: () => world.deletedImages(),
    addImage: (image) => world.add(image),
    deleteImage: (imageId) => world.delete(imageId),
    setState: (imageId, state) => world.setState(imageId, state),
    close: async () => {
      for (const timer of timers) clearTimeout(timer);
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
