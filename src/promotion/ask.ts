import type { CopyAnswer, CopyRequest } from '../cloud/cloud.ts';
import { CloudError } from '../cloud/errors.ts';
import { type Answer, answered, fromAnswer, fromError } from './answer.ts';
import { descriptionOf } from './mark.ts';
import type { Place, Run } from './place.ts';
import { copiesOf } from './view.ts';
import * as words from './words.ts';

/** After a cancel, an answer that is under way is waited for: its ids are worth more than these milliseconds. */
const GRACE = 3_000;

/** One CopyCustomImage for all of `places`; each takes in what the answer says of it. */
export async function ask(run: Run, places: Place[]): Promise<void> {
  const { clock, report } = run;
  for (const place of places) {
    place.unclear = true;
    place.sentAt = clock.now();
  }
  report({ type: 'submitting', copies: copiesOf(run) });
  const answer = await call(run, request(run, places));
  const answers =
    answer instanceof CloudError
      ? await fromError(run, places, answer)
      : typeof answer === 'string'
        ? places.map(() => ({ kind: answer }))
        : fromAnswer(run, places, answer);
  places.forEach((place, index) => {
    const own = answers[index];
    if (own) answered(run, place, own);
  });
  const unclear = places.filter((_, index) => isUnclear(answers[index]));
  if (unclear.length > 0) report({ type: 'notice', message: words.unclear(unclear) });
  report({ type: 'ids', copies: copiesOf(run) });
}

function isUnclear(answer: Answer | undefined): boolean {
  return answer?.kind === 'unclear' || (answer?.kind === 'refused' && answer.inPart === true);
}

function request(run: Run, places: Place[]): CopyRequest {
  const { order, findings } = run;
  const { source, target } = order;
  const [first] = places;
  return {
    Region: source.region,
    SourceImageId: findings.source.ImageId,
    TargetProjectId: target.projectId,
    ...(source.zone ? { Zone: source.zone } : {}),
    ...(source.projectId ? { ProjectId: source.projectId } : {}),
    ...(places.length > 1
      ? { TargetRegionList: places.map(({ region }) => region) }
      : first && first.region !== source.region
        ? { TargetRegion: first.region }
        : {}),
    TargetImageName: first?.name ?? '',
    TargetImageDescription: descriptionOf(order, findings.source),
    ...(target.tag ? { TargetImageTag: target.tag } : {}),
    extra: order.extraParameters,
  };
}

async function call(run: Run, wanted: CopyRequest): Promise<CopyAnswer | CloudError | 'unsent' | 'lost'> {
  const until = limits(run);
  try {
    return await run.cloud.copyCustomImage(wanted, { signal: until.answered, unsent: until.sent });
  } catch (error) {
    if (error instanceof CloudError) return error;
    if (until.answered.aborted) return 'lost';
    if (until.sent.aborted && error === until.sent.reason) return 'unsent';
    throw error;
  } finally {
    until.end();
  }
}

/** `sent` is aborted by the cancel and at the deadline; `answered` follows the cancel by GRACE. */
function limits({ clock, signal, deadline }: Run): { sent: AbortSignal; answered: AbortSignal; end(): void } {
  const late = new AbortController();
  const over = new AbortController();
  const ended = new AbortController();
  const after = (ms: number, abort: () => void) => {
    clock.sleep(ms, ended.signal).then(abort, () => undefined);
  };
  const follow = () => after(GRACE, () => late.abort(signal.reason));
  signal.addEventListener('abort', follow, { once: true });
  after(Math.max(0, deadline - clock.now()), () => over.abort());
  return {
    sent: AbortSignal.any([signal, over.signal]),
    answered: late.signal,
    end() {
      signal.removeEventListener('abort', follow);
      ended.abort();
    },
  };
}
