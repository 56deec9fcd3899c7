import { type Blames, LATER, RETURN_CODES, type ReturnCode, type Verdict } from './return-codes.ts';

export const COPY = 'CopyCustomImage';
export const DELETE = 'TerminateCustomImage';
export const ASSUME_ROLE = 'AssumeRole';

export interface CloudErrorFields {
  call: string;
  region?: string | undefined;
  /** The image that the call was about. */
  imageId?: string | undefined;
  kind: 'api' | 'http' | 'connection' | 'lost' | 'unreadable';
  verdict: Verdict;
  meaning: string;
  advice: string;
  /** The API's RetCode. */
  code?: number | null;
  /** The HTTP status. */
  status?: number | null;
  /** The API's own words, or the beginning of a body that is not the API's: clipped, and without secrets. */
  apiMessage?: string | null;
  requestId?: string | null | undefined;
  /** Absent where no code of the API decides it: the account's, as the network is. */
  blames?: Blames;
  decisive?: boolean;
  login?: boolean;
  slow?: boolean;
  waitSeconds?: number | undefined;
}

/** A call that failed: what it means, what to do, and what may be tried next. */
export class CloudError extends Error {
  override readonly name = 'CloudError';
  readonly call: string;
  readonly region: string | undefined;
  readonly kind: CloudErrorFields['kind'];
  readonly verdict: Verdict;
  readonly meaning: string;
  readonly advice: string;
  readonly code: number | null;
  readonly apiMessage: string | null;
  readonly requestId: string | null;
  readonly blames: Blames;
  /** It cannot pass by itself: the keys, the caller's address, the policy, api-url, a proxy or a certificate. */
  readonly decisive: boolean;
  /** A proxy refused its user or password: it is asked once more, as a directory locks an account after a few. */
  readonly login: boolean;
  readonly slow: boolean;
  readonly waitSeconds: number | undefined;

  constructor(fields: CloudErrorFields) {
    const {
      call,
      imageId,
      region,
      meaning,
      code = null,
      status = null,
      apiMessage = null,
      requestId = null,
    } = fields;
    const origin = [
      status !== null && (status < 200 || status > 299) ? `HTTP ${status}` : '',
      code !== null ? `RetCode ${code}` : '',
    ].filter(Boolean);
    const details = [
      `${origin.join(', ')}${apiMessage ? `${origin.length > 0 ? ': ' : ''}"${apiMessage}"` : ''}`,
      requestId ? `request id ${requestId}` : '',
    ].filter(Boolean);
    super(
      `${call}${imageId ? ` of ${imageId}` : ''}${region ? ` in ${region}` : ''} failed: ${meaning}` +
        (details.length > 0 ? ` (${details.join(', ')})` : ''),
    );
    this.call = call;
    this.region = region;
    this.kind = fields.kind;
    this.verdict = fields.verdict;
    this.meaning = meaning;
    this.advice = fields.advice.replaceAll('this call', call).replace('this code', `RetCode ${code}`);
    this.code = code;
    this.apiMessage = apiMessage;
    this.requestId = requestId;
    this.blames = fields.blames ?? 'account';
    this.decisive = fields.decisive ?? false;
    this.login = fields.login ?? false;
    this.slow = fields.slow ?? false;
    this.waitSeconds = fields.waitSeconds;
  }

  /** The same, as the reason why another call is not sent. */
  of(call: string, region: string | undefined): CloudError {
    const { message: _, requestId: __, ...same } = this;
    return new CloudError({ ...same, call, region });
  }
}

/** What is known of a request that was refused. */
export interface Refused {
  /** As sent. */
  params: Readonly<Record<string, string>>;
  /** The API's words. */
  message: string | null;
}

/** The part of an error that the code and the call decide. */
export function judge(call: string, entry: ReturnCode, refused?: Refused) {
  const { meaning, advice } = (refused && insteadOf(call, entry, refused)) ?? entry;
  const translated = refused ? inputsNamed(call, refused) : [];
  const ofPage = entry === RETURN_CODES[230] && /\b(Limit|Offset)\b/.test(refused?.message ?? '');
  return {
    verdict: call === COPY ? entry.copy : entry.reads,
    blames: entry.blames,
    decisive: ofPage || entry.decisive === true || (entry.decisive === 'delete' && call === DELETE),
    meaning,
    advice: [...translated, advice.replace(' for its project', forProject(refused?.params))].join(' '),
    slow: entry.slow ?? false,
    waitSeconds: entry.waitSeconds,
  };
}

const REGION = 'region or target-regions (a new region may have to be opened for the account first)';
const PROJECT = 'project-id or target-project-id';

/** The inputs behind a parameter, by its names in the API and inside it. */
const INPUTS = new Map(
  Object.entries({
    az_group: REGION,
    Region: REGION,
    TargetRegion: 'target-regions',
    TargetRegionList: 'target-regions',
    zone_id: 'zone',
    Zone: 'zone',
    organization_id: PROJECT,
    ProjectId: PROJECT,
    TargetProjectId: 'target-project-id',
    SourceImageId: 'source-image-id',
    TargetImageName: 'target-image-name',
    TargetImageDescription: 'target-image-description',
    TargetImageTag: 'target-image-tag',
    RoleUrn: 'role-urn',
    DurationSeconds: 'role-duration',
  }),
);

/** As in `Params [Zone] not available`. What else a copy was sent with is from extra-parameters. */
function inputsNamed(call: string, { params, message }: Refused): string[] {
  const names = (message ?? '').matchAll(/\[(\w+)[\w.]*\]|\b(az_group|zone_id|organization_id)\b/g);
  return [...new Set([...names].map(([, name, inner]) => name ?? inner ?? ''))].flatMap((name) => {
    const isExtra =
      call === COPY &&
      Object.hasOwn(params, name) &&
      !/^(Action|PublicKey|Signature|SecurityToken)$/.test(name);
    const input = INPUTS.get(name) ?? (isExtra ? 'extra-parameters' : null);
    return input ? [`"${name}" is the input ${input}.`] : [];
  });
}

/** Whose policy it is that refuses: of the source's project and of the target's. */
function forProject({ ProjectId, TargetProjectId }: Refused['params'] = {}): string {
  const projects = new Set([ProjectId, TargetProjectId].filter((id) => id !== undefined));
  return projects.size === 0 ? '' : ` for project ${[...projects].join(' and project ')}`;
}

/** The words for this call, else those for what the request lacked. Calls without a Region take no ProjectId. */
function insteadOf(call: string, { instead = [] }: ReturnCode, { params, message }: Refused) {
  const isNamed = inputsNamed(call, { params, message }).length > 0;
  return (
    instead.find((words) => 'call' in words && words.call === call) ??
    instead.find((words) => {
      if (!('without' in words) || params[words.without] !== undefined) return false;
      if (words.without === 'ProjectId' && params.Region === undefined) return false;
      return !words.unless?.test(message ?? '');
    }) ??
    instead.find((words) => 'named' in words && isNamed)
  );
}

/** An HTTP status that is no success and carries no code of the API. */
export function judgeStatus(call: string, status: number) {
  if (status === 429) return judge(call, RETURN_CODES[153] as ReturnCode);
  const unsure = (meaning: string) =>
    judge(call, { reads: 'retry', copy: 'ambiguous', blames: 'account', meaning, advice: LATER });
  if (status >= 500) return unsure('the API, or a gateway in front of it, is out of order');
  // Gateways also send it when they close an idle connection, while a request is on its way.
  if (status === 408) return unsure('the API endpoint stopped waiting for the request');
  const final = (meaning: string, advice: string) =>
    judge(call, { reads: 'final', copy: 'final', blames: 'account', meaning, advice });
  if ([301, 302, 303, 307, 308].includes(status)) {
    return final(
      'the address answers with a redirect, which the action does not follow: it would hand the keys to another place',
      'Set api-url to the final address of the API, with its scheme and path.',
    );
  }
  if (status === 404 || status === 405) {
    return final('there is no API at this address', 'Check api-url: host, scheme and path.');
  }
  return final(
    'the request was refused on its way to the API',
    'Check api-url, and whether a proxy, firewall or web filter stands between the runner and the API.',
  );
}

/** A secret as it is, and as a page may echo it: in a query, in a form, in JSON, in HTML. */
function formsOf(secret: string): Set<string> {
  if (/^\w*$/.test(secret)) return new Set([secret]);
  const query = encodeURIComponent(secret);
  const form = new URLSearchParams({ '': secret }).toString().slice(1);
  const lower = [query, form].map((text) => text.replace(/%../g, (code) => code.toLowerCase()));
  const html = secret.replace(/[&<>"']/g, (sign) => ENTITIES[sign] ?? sign);
  return new Set([secret, query, form, ...lower, html, secret.replaceAll('/', '\\/')]);
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/**
 * Text from outside as one short line that holds none of `secrets`. Redacted before it is clipped, so that no half
 * of a secret is left at the end.
 */
export function quote(text: string, secrets: readonly string[], limit = 300): string {
  let safe = text;
  for (const secret of secrets) {
    for (const form of formsOf(secret)) if (form !== '') safe = safe.replaceAll(form, '***');
  }
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must go
  safe = safe.replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, ' ').trim();
  return safe.length <= limit ? safe : `${safe.slice(0, limit - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
