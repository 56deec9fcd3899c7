import { createHash } from 'node:crypto';

/** The API's signature: names sorted by their bytes, each followed by its value, then the private key; SHA-1 in hex. */
export function sign(params: Record<string, string>, privateKey: string): string {
  const hash = createHash('sha1');
  for (const name of Object.keys(params).sort(byBytes)) {
    hash.update(name).update(params[name] as string);
  }
  return hash.update(privateKey).digest('hex');
}

/** As the server's languages sort; JavaScript's own order differs beyond the basic plane. */
const byBytes = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** A value as the server writes it when it checks the signature: 42.0 is `42`, and there is never an exponent. */
export function encode(value: string | number | boolean): string {
  if (typeof value !== 'number') return String(value);
  if (Number.isInteger(value)) return BigInt(value).toString();
  const text = String(value);
  return text.includes('e') ? value.toFixed(20).replace(/\.?0+$/, '') : text;
}
