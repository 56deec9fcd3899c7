import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ClientOptions, createClient, type Keys, type Params } from '../../src/cloud/client.ts';
import { systemClock } from '../../src/cloud/clock.ts';
import { CloudError } from '../../src/cloud/errors.ts';
import { assumeRole } from '../../src/cloud/role.ts';
import { createTransport, type Transport } from '../../src/cloud/transport.ts';
import { anyCharacter } from '../any-character.ts';
import { type Emulator, startEmulator } from '../emulator/emulator.ts';
import { failure } from './fake.ts';

let emulator: Emulator;
let transport: Transport;
beforeAll(async () => {
  emulator = await startEmulator();
  transport = createTransport({ userAgent: 'agreement', env: {} });
});
afterAll(async () => {
  await transport.close();
  await emulator.close();
});

const connect = (keys: Keys & Pick<ClientOptions, 'keys'>) =>
  createClient({ url: emulator.url, ...keys, clock: systemClock, transport });

const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: anyCharacter }),
  fc.string({ unit: fc.constantFrom(...'+&=% ?#;/\r\n\t*~"镜😀é\u0000') }),
  // Halves of characters too.
  fc.string({ unit: fc.nat({ max: 0xffff }).map((code) => String.fromCharCode(code)) }),
);
const value = fc.oneof(
  anyText,
  fc.boolean(),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }),
  fc.array(anyText, { maxLength: 12 }),
);
const params = fc.dictionary(
  fc.oneof(fc.string({ unit: anyCharacter, minLength: 1 }), fc.constant('Signature')),
  value,
  { maxKeys: 8 },
);

/** What a list becomes may be another parameter's name: two parameters of one name are nobody's request. */
const isSane = (given: Params) => !Object.keys(given).some((name) => /\.\d+$/.test(name));

describe('client and emulator', () => {
  it.each(['permanent', 'temporary'])(
    'agree on the signature of any parameters, with %s keys',
    async (kind) => {
      const client = connect(kind === 'permanent' ? emulator.keys : emulator.temporaryKeys);
      await fc.assert(
        fc.asyncProperty(params.filter(isSane), async (given) => {
          const { body } = await client.call('GetRegion', given);
          expect(body.RetCode).toBe(0);
        }),
        { numRuns: 250 },
      );
      const last = emulator.requests.at(-1);
      expect(last).toMatchObject({ action: 'GetRegion', retCode: 0 });
      expect('SecurityToken' in (last?.params ?? {})).toBe(kind === 'temporary');
    },
  );

  it.each([
    ['another private key', { privateKey: 'wrong' }, 171],
    ['an unknown public key', { publicKey: 'wrong' }, 172],
    ['a token that is not of these keys', { securityToken: 'wrong' }, 174],
  ])('agree that %s is refused', async (_, wrong, code) => {
    const client = connect({ ...emulator.keys, ...wrong });
    expect((await failure(client.call('GetRegion', {}), CloudError)).code).toBe(code);
  });

  it('agree on a role: its temporary keys sign what follows', async () => {
    const role = { urn: emulator.roleUrn, duration: 900_000, sessionName: 'copy-custom-image-7' };
    const assumed = assumeRole(connect(emulator.keys), role, { clock: systemClock, onSecret() {} });
    const client = connect({ ...emulator.keys, keys: assumed.keys });
    await client.call('GetRegion', {});
    expect(emulator.requests.at(-1)).toMatchObject({ action: 'GetRegion', retCode: 0 });
    expect(emulator.requests.at(-1)?.params).toHaveProperty('SecurityToken');
    const other = { ...role, duration: 1_000_000_000 };
    const refused = assumeRole(connect(emulator.keys), other, { clock: systemClock, onSecret() {} });
    expect(await failure(refused.keys(), CloudError)).toMatchObject({ call: 'AssumeRole', code: 230 });
  });
});
