import * as fc from 'fast-check';

const upTo = (min: number, max: number) =>
  fc.integer({ min, max }).map((point) => String.fromCodePoint(point));

/** Any character at all but half a pair. fast-check's own `binary` takes a second of the processor to be made. */
export const anyCharacter = fc.oneof(upTo(0, 0xff), upTo(0x100, 0xd7ff), upTo(0xe000, 0x10ffff));
