/**
 * What an error asks for. `final`: say so at once. `retry`: wait and repeat; nothing was done. `ambiguous`: it may have
 * been executed, so look before sending again. `source-pending`: wait for the source image. `nothing-to-copy`: the
 * target is the source itself. Reads and deletes only know the first two.
 */
export type Verdict = 'final' | 'retry' | 'ambiguous' | 'source-pending' | 'nothing-to-copy';

export interface ReturnCode {
  /** Goes after "failed: ", so it has no full stop. */
  meaning: string;
  /** What to do: whole sentences. The words "this call" stand for the call's name in an error. */
  advice: string;
  reads: 'final' | 'retry';
  copy: Verdict;
  /** The account sends too much: every call must slow down. */
  slow?: true;
  /** The least wait before the next attempt. */
  waitSeconds?: 30;
}

export const COPY = 'CopyCustomImage';

const LATER =
  "Run the workflow again in a few minutes; if it lasts, give the request id to the vendor's support.";
const CHECK_KEYS =
  'Check that public-key and private-key are one pair of the account that api-url belongs to, and that the secrets are set where this job runs.';

/** Every code that is known. Classes and their sources: the vendor's API reference and clients. */
export const RETURN_CODES: Readonly<Record<number, ReturnCode>> = {
  110: {
    meaning: 'the gateway gave up on the API after 60 seconds',
    advice: LATER,
    reads: 'retry',
    copy: 'ambiguous',
  },
  130: {
    meaning: "the API's gateway or its key check is out of order",
    advice: LATER,
    reads: 'retry',
    copy: 'ambiguous',
  },
  150: {
    meaning: 'the service is not available',
    advice: LATER,
    reads: 'retry',
    copy: 'ambiguous',
  },
  153: {
    meaning: 'the account sends more requests than the API allows, and this one was refused',
    advice:
      'Run fewer jobs at once (max-parallel in a matrix), or ask the vendor to raise the request rate of the account.',
    reads: 'retry',
    copy: 'retry',
    slow: true,
  },
  160: {
    meaning: 'the API saw no Action in the request',
    advice: 'Check that api-url is the address of the API itself and that no proxy changes the request body.',
    reads: 'final',
    copy: 'final',
  },
  161: {
    meaning: 'this site does not know the call',
    advice:
      'Check that api-url is the API of the brand that holds the image; not every brand offers this call.',
    reads: 'final',
    copy: 'final',
  },
  170: {
    meaning: 'the API saw no signature in the request',
    advice: 'Check that api-url is the address of the API itself and that no proxy changes the request body.',
    reads: 'final',
    copy: 'final',
  },
  171: {
    meaning: 'the signature is wrong: the key pair does not match',
    advice:
      'Copy public-key and private-key again from the same row of the console; a secret may hold a line break or a space at its end.',
    reads: 'final',
    copy: 'final',
  },
  172: {
    meaning: 'the API does not know this public key',
    advice: CHECK_KEYS,
    reads: 'final',
    copy: 'final',
  },
  174: {
    meaning: 'the security token is unknown: the temporary keys have expired, or the token is not theirs',
    advice:
      'Get new temporary keys right before this step, valid for longer than its timeout, and pass their security-token with them; leave security-token empty for permanent keys.',
    reads: 'final',
    copy: 'final',
  },
  220: {
    meaning: 'a parameter is missing',
    advice: "The API's message names it; sub-accounts must set project-id.",
    reads: 'final',
    copy: 'final',
  },
  230: {
    meaning: 'a parameter is not valid, or the account may not use that region',
    advice:
      "The API's message names the parameter; check the region ids, the project ids and the image name, and that the account has opened the region.",
    reads: 'final',
    copy: 'final',
  },
  292: {
    meaning: 'there is no such project, or the key may not see it',
    advice: 'Check project-id and target-project-id against the project list in the console.',
    reads: 'final',
    copy: 'final',
  },
  293: {
    meaning: 'the account may not use this zone',
    advice: 'Leave zone empty, or name a zone of the region that is open to the account.',
    reads: 'final',
    copy: 'final',
  },
  294: {
    meaning: "the runner's IP address is not on the account's allow-list of API callers",
    advice:
      'Hosted runners change their address from job to job: use a self-hosted runner or one behind a static egress IP, or a larger runner with static IPs, and put that address on the allow-list in the console.',
    reads: 'final',
    copy: 'final',
  },
  295: {
    meaning: 'the account is under a security lock',
    advice: 'Sign in to the console and lift the lock, or ask the owner of the account to do so.',
    reads: 'final',
    copy: 'final',
  },
  299: {
    meaning: "the IAM policy of the key's user does not allow it",
    advice: "Allow this call, for the project and region in question, in the policy of the key's user.",
    reads: 'final',
    copy: 'final',
  },
  8022: { meaning: 'the call failed inside the API', advice: LATER, reads: 'retry', copy: 'ambiguous' },
  8024: { meaning: 'the call failed inside the API', advice: LATER, reads: 'retry', copy: 'ambiguous' },
  8095: {
    meaning: 'the quota of custom images in the target region is used up',
    advice:
      'Delete custom images there that nobody needs, or ask the vendor to raise the quota, then run this again.',
    reads: 'final',
    copy: 'final',
  },
  8104: {
    meaning: 'the account has an unpaid order, and copies are blocked until it is settled',
    advice: "Pay or cancel the order in the console's billing pages, then run this again.",
    reads: 'final',
    copy: 'final',
  },
  8226: {
    meaning: 'the account has not passed the real-name check',
    advice: 'Complete the real-name verification in the console, then run this again.',
    reads: 'final',
    copy: 'final',
  },
  8300: {
    meaning: 'the owner of the resource has refused the authorisation',
    advice:
      'Ask the owner of the image, or of the target project, to authorise the account that the keys belong to.',
    reads: 'final',
    copy: 'final',
  },
  8825: { meaning: 'the call failed inside the API', advice: LATER, reads: 'retry', copy: 'ambiguous' },
  8861: { meaning: 'the call failed inside the API', advice: LATER, reads: 'retry', copy: 'ambiguous' },
  8874: { meaning: 'the API cannot read the image', advice: LATER, reads: 'retry', copy: 'ambiguous' },
  8889: {
    meaning: 'the API cannot read the list of images',
    advice: LATER,
    reads: 'retry',
    copy: 'ambiguous',
  },
  8956: {
    meaning: 'there is no such image in this region and project, or it is not a custom image',
    advice:
      'Check source-image-id, region and project-id: image ids belong to one region and one project, and only custom images can be copied.',
    reads: 'final',
    copy: 'final',
  },
  8958: {
    meaning: "images of the source's zone cannot be copied",
    advice:
      'Make a new custom image from a host in another zone of the region and copy that one, or ask the vendor about the zone.',
    reads: 'final',
    copy: 'final',
  },
  8959: {
    meaning: 'the image is in an old format that cannot be copied',
    advice: 'Start a host from the image, make a new custom image of it, and copy that one.',
    reads: 'final',
    copy: 'final',
  },
  8960: {
    meaning: 'the API reports an error while it moves the image',
    advice:
      'Look in the target region for a copy before running this again; the copy may go on all the same.',
    reads: 'final',
    copy: 'ambiguous',
  },
  8961: {
    meaning: 'the source image is not Available',
    advice:
      'Wait until the console shows it as Available (it may still be in the making); an Unavailable one must be made again.',
    reads: 'final',
    copy: 'source-pending',
  },
  8962: {
    meaning: "the target is the source's own project and region, so there is nothing to copy",
    advice: 'Set target-project-id or target-regions to another place than the source.',
    reads: 'final',
    copy: 'nothing-to-copy',
  },
  8970: {
    meaning: 'the image cannot be used across zones',
    advice: 'Leave zone empty, or make a new custom image from a host in the zone where it is needed.',
    reads: 'final',
    copy: 'final',
  },
  8971: {
    meaning: 'the API cannot read the progress of a copy',
    advice: LATER,
    reads: 'retry',
    copy: 'ambiguous',
  },
  8980: {
    meaning: 'the API asks to wait 30 seconds before the next attempt',
    advice: LATER,
    reads: 'retry',
    copy: 'retry',
    waitSeconds: 30,
  },
};

/** A code that is not in the table: nothing is known, so a copy may have been made. */
export const UNKNOWN_CODE: ReturnCode = {
  meaning: 'the API answered with a return code that is not known here',
  advice: "See the API's own message; the vendor's support can explain the code by the request id.",
  reads: 'final',
  copy: 'ambiguous',
};

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
  slow?: boolean;
  waitSeconds?: number | undefined;
  decisive?: boolean;
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
  readonly requestId: string | null;
  readonly slow: boolean;
  readonly waitSeconds: number | undefined;
  /** It cannot pass by itself: the keys, the caller's address, the policy, api-url, a proxy or a certificate. */
  readonly decisive: boolean;

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
    this.advice = fields.advice.replaceAll('this call', call);
    this.code = code;
    this.requestId = requestId;
    this.slow = fields.slow ?? false;
    this.waitSeconds = fields.waitSeconds;
    this.decisive = fields.decisive ?? isDecisive(fields);
  }
}

const DECISIVE: readonly number[] = [160, 161, 170, 171, 172, 174, 294, 299];

/** The security lock, 295, is on deletions above all: reads and copies may go through it. */
function isDecisive({ kind, call, code }: CloudErrorFields): boolean {
  if (kind !== 'api' || code === null || code === undefined) return false;
  return DECISIVE.includes(code) || (code === 295 && call === 'TerminateCustomImage');
}

/** The part of an error that the code and the call decide. */
export function judge(call: string, entry: ReturnCode) {
  return {
    verdict: call === COPY ? entry.copy : entry.reads,
    meaning: entry.meaning,
    advice: entry.advice,
    slow: entry.slow ?? false,
    waitSeconds: entry.waitSeconds,
  };
}

/** An HTTP status that is no success and carries no code of the API. */
export function judgeStatus(call: string, status: number) {
  if (status === 429) return judge(call, RETURN_CODES[153] as ReturnCode);
  if (status >= 500) {
    const meaning = 'the API or a gateway before it is out of order';
    return judge(call, { meaning, advice: LATER, reads: 'retry', copy: 'ambiguous' });
  }
  const final = (meaning: string, advice: string) =>
    judge(call, { meaning, advice, reads: 'final', copy: 'final' });
  if (status < 400) {
    return final(
      'the address answers with a redirect, which is not followed since it would hand the keys to another place',
      'Set api-url to the final address of the API, with its scheme and path.',
    );
  }
  if (status === 404 || status === 405) {
    return final('there is no API at this address', 'Check api-url: host, scheme and path.');
  }
  return final(
    'the request was refused before it reached the API',
    'Check api-url, and whether a proxy, firewall or web filter stands between the runner and the API.',
  );
}

/** A secret as it is, and as a page may echo it: in a query, in a form, in JSON, in HTML. */
function formsOf(secret: string): Set<string> {
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
