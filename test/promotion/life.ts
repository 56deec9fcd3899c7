import type { Image } from '../../src/cloud/cloud.ts';
import { type Answer, answered } from '../../src/promotion/answer.ts';
import type { Findings } from '../../src/promotion/check.ts';
import { listed } from '../../src/promotion/listed.ts';
import { polled, unread } from '../../src/promotion/observe.ts';

import { type Deed, next, type Place, type Run, WINDOW } from '../../src/promotion/place.ts';
import { copyOf } from '../../src/promotion/view.ts';

import { markedBy, refused } from './fake-cloud.ts';
import { ours, Scenario } from './scenario.ts';

export const WINDOW_SECONDS = WINDOW / 1000;
export const DEADLINE = 7_200;
export const problem = { message: 'The API said no.', advice: 'Ask it.' };
export const MADE = { kind: 'made', imageId: 'uimage-1', taskId: 'task-1' } as const satisfies Answer;
export const UNCLEAR = { kind: 'unclear', problem, ofList: false } as const satisfies Answer;
export const REFUSED = { kind: 'refused', problem } as const satisfies Answer;
export const putOff = (seconds: number, mayHaveRun = true): Answer => {
  return { kind: 'put off', problem, pause: seconds * 1000, mayHaveRun, ofList: false };
};
export const copying = (imageId: string, CreateTime = 100) => ours(imageId, { CreateTime, State: 'Copying' });
export const available = (imageId: string, CreateTime = 100) => ours(imageId, { CreateTime });
export const byOther = (imageId: string, CreateTime: number, some: Partial<Image> = {}) =>
  ours(imageId, { CreateTime, ImageDescription: markedBy('77-1-other0'), ...some });
export const stranger = (imageId: string) => ours(imageId, { ImageDescription: '' });

/** One target, lived through by hand: seconds since the start, polls 10 s apart. */
export class Life {
  readonly scenario: Scenario;
  readonly run: Run;
  place: Place;

  constructor(some: ConstructorParameters<typeof Scenario>[0] = {}, findings: Partial<Findings> = {}) {
    this.scenario = new Scenario({ pollInterval: 10_000, ...some });
    this.run = this.scenario.byHand(findings);
    this.place = this.run.places[0] as Place;
  }
  get #now() {
    return this.scenario.clock.now();
  }
  get due() {
    const due = next(this.place, this.run, this.#now);
    return due && [due.deed, Math.max(0, due.at - this.run.startedAt) / 1000];
  }
  get copy() {
    return copyOf(this.place);
  }
  get excess() {
    return this.place.excess.map(({ imageId }) => imageId);
  }
  at(seconds: number): this {
    this.scenario.clock.advance(seconds * 1000 - this.scenario.clock.elapsed);
    return this;
  }
  send(answer: Answer): this {
    this.place.unclear = true;
    this.place.sentAt = this.#now;
    answered(this.run, this.place, answer);
    return this;
  }
  list(deed: Deed, ...images: Image[]): this {
    listed(this.run, this.place, images, { deed, at: this.#now });
    this.place.triedAt = this.#now;
    return this;
  }
  look(...images: Image[]): this {
    return this.list('look', ...images);
  }
  lastLook(...images: Image[]): this {
    return this.list('last look', ...images);
  }
  poll(image?: Image): this {
    polled(this.run, this.place, image);
    this.place.triedAt = this.#now;
    return this;
  }
  fail(deed: Deed, code: number): this {
    unread(this.run, this.place, refused('DescribeImage', code), { deed, at: this.#now });
    this.place.triedAt = this.#now;
    return this;
  }
}
export const life = (...some: ConstructorParameters<typeof Life>) => new Life(...some);
/** Made at 0, Available at 60. */
export const settled = (...some: ConstructorParameters<typeof Life>) =>
  life(...some)
    .send(MADE)
    .at(60)
    .poll(available('uimage-1'));
export const adopted = (some: ConstructorParameters<typeof Scenario>[0] = {}) => {
  const image = byOther('uimage-old', 1);
  const held = new Map([['hk', [image]]]);
  return life(some, { held }).at(1).poll(image);
};
