import { describe, expect, it } from 'vitest';
import { CloudError, judgeStatus, quote } from '../../src/cloud/errors.ts';
import { TransportError } from '../../src/cloud/explain.ts';
import { RETURN_CODES } from '../../src/cloud/return-codes.ts';
import { failure, fakeClient, KEYS } from './fake.ts';

/** The documented table once more, by hand: class for reads and deletes, class for CopyCustomImage, whom it blames. */
const TABLE = `
110 130 150 8097 8108: retry ambiguous account
153: retry retry account
160 161 170 171 172 174 294 295: final final account
520 8104 8116 8117: final final account
100 210 220 292 8956 8958 8959: final final order
230 240 293 299 8095 8226 8300 8970: final final target
8022 8024 8825 8861: retry ambiguous target
8025 8031 8041 8826 8828 8829 8857: retry ambiguous target
8853 8874 8889 8971: retry ambiguous target
8960: final ambiguous target
8961: final source-pending order
8962: final nothing-to-copy target
8980: retry retry target
4711: final ambiguous target
`;
const rows = TABLE.trim()
  .split('\n')
  .flatMap((line) => {
    const [codes = '', classes = ''] = line.split(': ');
    const [reads, copy, blames] = classes.split(' ');
    return codes.split(' ').map((code) => [code, reads, copy, blames] as const);
  });

const copyParams = { Region: 'cn-bj2', SourceImageId: 'uimage-1', ProjectId: 'org-1' };

async function fail(action: string, reply: object, params: Record<string, string> = copyParams) {
  const { client, clock } = fakeClient(() => reply);
  return failure(clock.run(client.call(action, params)), CloudError);
}

describe('return codes', () => {
  it.each(rows)('%s: %s for reads and deletes, %s for a copy', async (code, reads, copy, blames) => {
    const body = { RetCode: Number(code), Message: 'words' };
    const all = { code: Number(code), kind: 'api', blames };
    for (const action of ['DescribeImage', 'TerminateCustomImage']) {
      expect(await fail(action, body)).toMatchObject({ ...all, verdict: reads });
    }
    expect(await fail('CopyCustomImage', body)).toMatchObject({ ...all, verdict: copy });
  });

  it('are decisive where they can never pass', async () => {
    const decisive = async (action: string) => {
      const errors = await Promise.all(rows.map(([code]) => fail(action, { RetCode: Number(code) })));
      return errors
        .filter((error) => error.decisive)
        .map(({ code }) => Number(code))
        .sort((a, b) => a - b);
    };
    expect(await decisive('DescribeImage')).toEqual([160, 161, 170, 171, 172, 174, 294, 299, 8956]);
    expect(await decisive('TerminateCustomImage')).toContain(295);
    const limit = await fail('DescribeImage', { RetCode: 230, Message: 'Params [Limit] not available' });
    expect(limit.decisive).toBe(true);
  });

  it('has no code that the table above lacks', () => {
    const codes = rows.map(([code]) => code).filter((code) => code !== '4711');
    expect(Object.keys(RETURN_CODES).sort()).toEqual(codes.sort());
  });

  it('slows down for 153 alone, and waits 30 s for 8980 alone', () => {
    const having = (field: 'slow' | 'waitSeconds') =>
      Object.entries(RETURN_CODES).flatMap(([code, entry]) =>
        entry[field] ? [`${code} ${entry[field]}`] : [],
      );
    expect(having('slow')).toEqual(['153 true']);
    expect(having('waitSeconds')).toEqual(['8980 30']);
  });

  it.each(
    Object.entries(RETURN_CODES).flatMap(([code, entry]) =>
      [entry, ...(entry.instead ?? [])].map(({ meaning, advice }) => ({ code, meaning, advice })),
    ),
  )('$code: "$meaning" tells what to do', ({ meaning, advice }) => {
    expect(meaning).toMatch(/^[^.\n|]{15,160}[^.\s]$/);
    expect(advice).toMatch(/^[A-Z][^\n|]{20,300}\.$/);
  });

  it.each([
    [294, /self-hosted runner.*static egress IP.*larger runner with static IPs.*allow-list/],
    [171, /line break.*api-url/],
    [174, /temporary keys.*role-urn/],
    [230, /region ids, project-id/],
    [295, /deletions/],
    [520, /Top up/],
    [8095, /quota/],
    [8104, /[Pp]ay/],
    [8961, /Available/],
    [8956, /source-image-id, region and project-id/],
    [8962, /target-project-id or target-regions/],
    [8958, /zone/],
  ])('%d names the way out', (code, words) => {
    expect(RETURN_CODES[code]?.advice).toMatch(words);
  });

  const HINT = /^Set project-id/;
  it.each([
    ['299', 'DescribeImage', { Region: 'hk' }, { RetCode: 299 }, HINT],
    ['292', 'DescribeImage', { Region: 'hk' }, { RetCode: 292 }, HINT],
    ['230', 'CopyCustomImage', { Region: 'hk' }, { RetCode: 230 }, HINT],
    ['299 with a project', 'DescribeImage', copyParams, { RetCode: 299 }, /^Allow DescribeImage/],
    ['292 with a project', 'DescribeImage', copyParams, { RetCode: 292 }, /^Check project-id/],
    ['299 of a call without projects', 'GetRegion', {}, { RetCode: 299 }, /^Allow GetRegion/],
    ['299 of AssumeRole', 'AssumeRole', {}, { RetCode: 299 }, /STSCreateOnlyAccess/],
    ['230 of AssumeRole', 'AssumeRole', {}, { RetCode: 230 }, /role-duration/],
  ])('%s says what the request lacked', async (_, action, params, reply, words) => {
    expect((await fail(action, reply, params)).advice).toMatch(words);
  });

  it('230 says that a project is lacking only where the API names no other parameter', async () => {
    const advice = async (Message: string) =>
      (await fail('DescribeImage', { RetCode: 230, Message }, { Region: 'hk' })).advice;
    expect(await advice('Params [zone_id] not available')).not.toContain('project-id');
    expect(await advice('Missing params [organization_id]')).toMatch(
      /^"organization_id" is the input project-id or target-project-id\. Set project-id/,
    );
  });

  it.each([
    [
      '230',
      'Params [TargetImageName] not available',
      '"TargetImageName" is the input target-image-name. Correct it in',
    ],
    [
      '230',
      'Params [TargetRegionList.1] not available',
      '"TargetRegionList" is the input target-regions. Correct it in',
    ],
    [
      '230',
      'Params [az_group] not available',
      '"az_group" is the input region or target-regions (a new region',
    ],
    ['230', 'bad zone_id', '"zone_id" is the input zone. Correct it in'],
    ['230', 'Params [ChargeType] not available', '"ChargeType" is the input extra-parameters. Correct it in'],
    [
      '220',
      'Missing params [TargetProjectId]',
      '"TargetProjectId" is the input target-project-id. Set it in',
    ],
    ['230', 'Params [constructor] not available', 'Check the input behind the parameter'],
    ['8095', 'no room in [hk]', 'Delete custom images there'],
  ])('%s of "%s" names the input', async (code, Message, words) => {
    const reply = { RetCode: Number(code), Message };
    const { advice } = await fail('CopyCustomImage', reply, { ...copyParams, ChargeType: 'Month' });
    expect(advice.startsWith(words), advice).toBe(true);
  });

  it('174 names the brand and its channel key, unless there is a security token', async () => {
    expect((await fail('GetRegion', { RetCode: 174 })).advice).not.toContain('channel-key');
    const { client, clock } = fakeClient(() => ({ RetCode: 174 }), { securityToken: '' });
    const error = await failure(clock.run(client.call('GetRegion', {})), CloudError);
    expect(error.message).toContain('this brand does not accept the keys without its channel key');
    expect(error.advice).toMatch(/brand.*channel-key/);
  });

  it.each([
    ['GetProjectList', {}, 'Allow GetProjectList in the policy'],
    ['DescribeImage', copyParams, 'Allow DescribeImage for project org-1 in the policy'],
    [
      'CopyCustomImage',
      { ...copyParams, TargetProjectId: 'org-1' },
      'Allow CopyCustomImage for project org-1 in',
    ],
    [
      'CopyCustomImage',
      { ...copyParams, TargetProjectId: 'org-2' },
      'Allow CopyCustomImage for project org-1 and project org-2 in the policy',
    ],
  ])('299 of %s names the call and its projects %#', async (action, params, words) => {
    expect((await fail(action, { RetCode: 299 }, params)).advice).toContain(words);
  });

  it('shows the API’s words for an unknown code', async () => {
    const error = await fail('CopyCustomImage', { RetCode: 99999, Message: 'the moon is full' });
    expect(error.advice).toContain('what RetCode 99999 means');
    expect(error.message).toContain(
      'failed: the API answered with a return code that this action does not know ' +
        '(RetCode 99999: "the moon is full", request id request-0)',
    );
  });
});

describe('an HTTP status', () => {
  it.each([
    [308, 'redirect'],
    [304, 'refused on its way'],
    [400, 'the request was refused on its way to the API'],
    [403, 'the request was refused on its way to the API'],
    [404, 'there is no API at this address'],
    [405, 'there is no API at this address'],
    [408, 'the API endpoint stopped waiting for the request'],
    [406, 'the request was refused on its way to the API'],
    [499, 'the request was refused on its way to the API'],
    [500, 'the API, or a gateway in front of it, is out of order'],
  ])('%i: %s', (status, words) => {
    expect(judgeStatus('GetRegion', status).meaning).toContain(words);
  });
});

describe('CloudError', () => {
  it('says in one line what failed, where, why, and by which request', async () => {
    const error = await fail('CopyCustomImage', { RetCode: '8095', Message: 'image quota\n exceeded' });
    expect(error.message).toBe(
      'CopyCustomImage of uimage-1 in cn-bj2 failed: the quota of custom images in the target region is used up ' +
        '(RetCode 8095: "image quota exceeded", request id request-0)',
    );
    expect(error).toMatchObject({
      name: 'CloudError',
      call: 'CopyCustomImage',
      region: 'cn-bj2',
      requestId: 'request-0',
      slow: false,
      apiMessage: 'image quota exceeded',
    });
  });

  it.each([
    [{ ImageId: 'uimage-2' }, 'DescribeImage of uimage-2 failed'],
    [{ 'ImageIds.0': 'uimage-3' }, 'DescribeImage of uimage-3 failed'],
    [{}, 'DescribeImage failed'],
  ])('names the image of %j', async (params, words) => {
    expect((await fail('DescribeImage', { RetCode: 230 }, params)).message).toContain(words);
  });

  it.each([
    [199, ' (HTTP 199)'],
    [200, ''],
    [299, ''],
    [300, ' (HTTP 300)'],
  ])('names the status %i only when it is no success', (status, words) => {
    const fields = { call: 'GetRegion', kind: 'http', verdict: 'final', meaning: 'm', advice: 'a' } as const;
    expect(new CloudError({ ...fields, status }).message).toBe(`GetRegion failed: m${words}`);
  });

  it('leaves out what there is not', async () => {
    const { client, clock } = fakeClient(() => {
      throw new TransportError({ message: 'no connection to api.test (EX)', advice: 'Look.' }, false);
    });
    const error = await failure(clock.run(client.call('GetRegion', {})), CloudError);
    expect(error.message).toBe('GetRegion failed: no connection to api.test (EX)');
    expect(error).toMatchObject({
      code: null,
      requestId: null,
      advice: 'Look.',
    });
  });

  it('holds no key, token or signature, however the site hands them back', async () => {
    const all = Object.values(KEYS).join(' and ');
    for (const status of [200, 400, 403, 502]) {
      const { client, clock, sent } = fakeClient(({ params }) => ({
        status,
        raw: JSON.stringify({ RetCode: 171, Message: `${params.Signature} ${all}`, RequestId: all }),
      }));
      const error = await failure(clock.run(client.call('CopyCustomImage', copyParams)), CloudError);
      const everything = `${error.message} ${error.stack} ${JSON.stringify(error)}`;
      expect(everything).toContain('*** ***');
      for (const secret of [...Object.values(KEYS), sent[0]?.params.Signature as string]) {
        expect(everything).not.toContain(secret);
      }
    }
  });

  it('holds none of them in the beginning of a body that is not the API’s', async () => {
    const error = await fail('GetRegion', { status: 200, raw: `<p>${KEYS.privateKey}</p>` });
    expect(error.message).toContain('("<p>***</p>", request id request-0)');
  });
});

describe('quote', () => {
  it('goes up to the limit, without blanks at the ends or half a character', () => {
    expect(quote('  a \n b\t', [])).toBe('a b');
    expect(quote('abcde', [], 5)).toBe('abcde');
    expect(quote('abcdef', [], 5)).toBe('abcd…');
    expect(quote('abc😀ef', [], 5)).toBe('abc…');
    expect(quote('abc', ['', 'b'])).toBe('a***c');
  });

  it.each([
    ['a/b+c=%d', 'a%2fb%2bc%3d%25d'],
    ['a/b+c=%d', 'a%2Fb%2Bc%3D%25d'],
    ['a/b+c=%d', 'a\\/b+c=%d'],
    ["a~(b)*!'", 'a%7E%28b%29*%21%27'],
    ["a~(b)*!'", 'a%7e%28b%29*%21%27'],
    ['a&b<c>"d\'', 'a&amp;b&lt;c&gt;&quot;d&#39;'],
    ['кл.юч', '%d0%ba%d0%bb.%d1%8e%d1%87'],
  ])('does not show %j when a page echoes it as %s', (secret, echoed) => {
    expect(quote(`<p>${echoed}</p>`, [secret])).toBe('<p>***</p>');
  });

  it('clips after redacting, so that no half of a secret is left', () => {
    const text = `${'x'.repeat(295)}private-canary`;
    expect(quote(text, ['private-canary'])).toBe(`${'x'.repeat(295)}***`);
    expect(quote('y'.repeat(400), [])).toHaveLength(300);
  });

  it('finds a secret in its percent-encoded form', () => {
    expect(quote('key=a%2Bb%2F%3D', ['a+b/='])).toBe('key=***');
  });

  it('is one line, never ends in half a character, and leaves empty secrets alone', () => {
    expect(quote('a\r\n\tb\u0000\u001b[31mc\u0085d', [''])).toBe('a b [31mc d');
    expect(quote('😀'.repeat(200), [])).not.toMatch(/[\ud800-\udbff]…/);
  });
});
