import * as fc from 'fast-check';
import type { Image } from '../../src/cloud/cloud.ts';
import type { Copy, Order, Problem, Promotion } from '../../src/promotion/model.ts';
import { anyCharacter } from '../any-character.ts';
import { HOSTILE } from './hostile.ts';

export const T0 = Date.UTC(2026, 10, 24, 12);

export function aCopy(some: Partial<Copy> = {}): Copy {
  return {
    region: 'hk',
    projectId: 'org-prod',
    name: 'web-1.4.2',
    plan: 'copy',
    why: 'not there yet',
    imageId: 'uimage-hk1',
    taskId: 'task-hk1',
    state: 'Available',
    outcome: 'copied',
    created: true,
    optional: false,
    listed: true,
    pending: false,
    others: [],
    unclear: false,
    startedAt: T0,
    finishedAt: T0 + 250_000,
    problem: null,
    ...some,
  };
}

export function anOrder(some: Partial<Order> = {}): Order {
  return {
    source: { region: 'cn-bj2', imageId: 'uimage-abc123' },
    target: { projectId: 'org-prod', regions: ['hk', 'sg', 'us-ca'] },
    extraParameters: {},
    ifExists: 'adopt',
    wait: true,
    timeout: 600_000,
    dryRun: false,
    run: '77-1-abcdef',
    ...some,
  };
}

export const SOURCE: Image = {
  ImageId: 'uimage-abc123',
  ImageName: 'web-1.4.2',
  State: 'Available',
  ImageSize: 40,
  OsName: 'Ubuntu 24.04',
};

export function aPromotion(some: Partial<Promotion> = {}): Promotion {
  return {
    status: 'available',
    source: SOURCE,
    copies: [aCopy()],
    problems: [],
    ended: 'complete',
    seconds: 250,
    ...some,
  };
}

export function manyCopies(count: number, each: (index: number) => Partial<Copy> = () => ({})): Copy[] {
  return Array.from({ length: count }, (_, index) =>
    aCopy({ region: `region-${index}`, imageId: `uimage-${index}`, taskId: `task-${index}`, ...each(index) }),
  );
}

/** One text in every field that text from outside can reach. */
export function hostileEverywhere(text: string): Promotion {
  const problem: Problem = { message: text, advice: text };
  const fields = { projectId: text, name: text, why: text, imageId: text, taskId: text, state: text };
  const source: Image = {
    ImageId: text,
    ImageName: text,
    State: text,
    OsName: text,
    OsType: text,
    ImageSize: 40,
  };
  return {
    status: 'partial',
    source,
    copies: [
      aCopy({ ...fields, region: 'hk' }),
      aCopy({ ...fields, region: text, outcome: 'failed', problem }),
      aCopy({ ...fields, region: 'sg', plan: 'adopt', outcome: 'adopted', created: false, finishedAt: null }),
    ],
    problems: [problem, { message: `The timeout is over: ${text}`, advice: text }],
    ended: 'timeout',
    seconds: 250,
  };
}

const text: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(...HOSTILE),
  fc.array(fc.constantFrom(...HOSTILE), { minLength: 2, maxLength: 4 }).map((parts) => parts.join('')),
  fc.string({ unit: anyCharacter, maxLength: 40 }),
  fc.string({ unit: fc.constantFrom(...'|`<>&#:;%\\[]()*_@$!{}~^ \n\r\t-+=1a'), maxLength: 30 }),
);
const problem = fc.record({ message: text, advice: text });
const time = fc.integer({ min: T0, max: T0 + 7_200_000 });

const copy: fc.Arbitrary<Copy> = fc.record({
  region: text,
  projectId: text,
  name: text,
  plan: fc.constantFrom('copy' as const, 'adopt' as const, 'source' as const),
  why: text,
  imageId: fc.option(text),
  taskId: fc.option(text),
  state: fc.option(
    fc.oneof(fc.constantFrom('Available', 'Copying', 'Making', 'Unavailable', 'Deleted'), text),
  ),
  outcome: fc.constantFrom(
    'copied' as const,
    'adopted' as const,
    'source' as const,
    'planned' as const,
    'failed' as const,
  ),
  created: fc.boolean(),
  optional: fc.boolean(),
  listed: fc.boolean(),
  pending: fc.boolean(),
  others: fc.constant([]),
  unclear: fc.boolean(),
  startedAt: fc.option(time),
  finishedAt: fc.option(time),
  problem: fc.option(problem),
});

/** Any promotion at all, most of them hostile and many of them impossible. */
export const promotions: fc.Arbitrary<Promotion> = fc.record({
  status: fc.constantFrom(
    'available' as const,
    'copying' as const,
    'planned' as const,
    'partial' as const,
    'failed' as const,
  ),
  source: fc.option(fc.record({ ImageId: text, ImageName: text, State: text, OsName: text })),
  copies: fc.array(copy, { maxLength: 6 }),
  problems: fc.array(problem, { maxLength: 3 }),
  ended: fc.constantFrom('complete' as const, 'stopped' as const, 'timeout' as const, 'cancelled' as const),
  seconds: fc.nat({ max: 7_200 }),
});

export { problem as problems, text as texts };
