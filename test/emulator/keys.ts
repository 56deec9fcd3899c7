import { randomBytes } from 'node:crypto';

export interface Keys {
  publicKey: string;
  privateKey: string;
}

export interface TemporaryKeys extends Keys {
  securityToken: string;
  /** Milliseconds since the epoch; may be set. */
  expires: number;
}

/** Standard base64 with its awkward characters, as real keys have. */
export const newKeys = (): Keys => ({
  publicKey: `4E+/${randomBytes(30).toString('base64')}==`,
  privateKey: randomBytes(20).toString('hex'),
});

export const newTemporaryKeys = (expires: number): TemporaryKeys => ({
  ...newKeys(),
  securityToken: randomBytes(48).toString('base64'),
  expires,
});
