import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encode, sign } from '../../src/cloud/signature.ts';

const PRIVATE_KEY = '46f09bb9fab4f12dfc160dae12273d5332b5debe';
const describeHosts = { Action: 'DescribeUHostInstance', Region: 'cn-bj2', Limit: '10' };

describe('sign', () => {
  it.each([
    [
      'the vendor',
      { ...describeHosts, PublicKey: 'ucloudsomeone@example.com1296235120854146120' },
      'cba5cf5ec4d4233d206b1b54951e3787350a642f',
    ],
    [
      'scloudsg',
      { ...describeHosts, PublicKey: 'someone@example.com1296235120854146120' },
      '4201919d267504385deb93af19e0197870fed36b',
    ],
    [
      'another region',
      { ...describeHosts, Region: 'vn-sng', PublicKey: 'john.doe@example.com1296235120854146120' },
      '52fc1191f026532c9100946c6a863a90d5f766ed',
    ],
    [
      'a long request',
      {
        Action: 'CreateUHostInstance',
        CPU: '2',
        ChargeType: 'Month',
        DiskSpace: '10',
        ImageId: 'f43736e1-65a5-4bea-ad2e-8a46e18883c2',
        LoginMode: 'Password',
        Memory: '2048',
        Name: 'Host01',
        Password: 'VUNsb3VkLmNu',
        PublicKey: 'ucloudsomeone@example.com1296235120854146120',
        Quantity: '1',
        Region: 'cn-bj2',
        Zone: 'cn-bj2-04',
      },
      '4f9ef5df2abab2c6fccd1e9515cb7e2df8c6bb65',
    ],
  ])('signs the published example of %s', (_, params, signature) => {
    expect(sign(params, PRIVATE_KEY)).toBe(signature);
  });

  it('sorts names as strings, so that 10 comes before 2', () => {
    const params = { 'X.2': 'c', 'X.10': 'b', 'X.1': 'a', X: '0' };
    expect(sign(params, 'key')).toBe(createHash('sha1').update('X0X.1aX.10bX.2ckey').digest('hex'));
  });

  it('does not depend on the order in which parameters were set', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.string()), (params) => {
        const reversed = Object.fromEntries(Object.entries(params).reverse());
        expect(sign(reversed, 'key')).toBe(sign(params, 'key'));
      }),
    );
  });
});

describe('encode', () => {
  it.each([
    [42.0, '42'],
    [0.1, '0.1'],
    [0.5, '0.5'],
    [-0, '0'],
    [1e21, '1000000000000000000000'],
    [1.5e-7, '0.00000015'],
    [-2e-9, '-0.000000002'],
    [true, 'true'],
    [false, 'false'],
    ['1e3', '1e3'],
    ['', ''],
  ])('writes %s as %s', (value, text) => {
    expect(encode(value)).toBe(text);
  });

  it('never writes an exponent', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(encode(value)).toMatch(/^-?\d+(\.\d+)?$/);
      }),
    );
  });
});
