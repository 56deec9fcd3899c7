/** Copies of the source in regions that nobody asked for. */
import { ask } from '../promotion/check.ts';
import { type Context, causesOf } from '../promotion/context.ts';
import { customImages } from '../promotion/images.ts';
import { signerOf } from '../promotion/mark.ts';
import type { ImageRef } from '../promotion/model.ts';
import { copiesOf } from './judge.ts';
import type { Target } from './verify.ts';

/** Where copies of which source may be that nobody asked for. */
export interface Others {
  source: { region: string; imageId: string } | null;
  places: { region: string; projectId: string }[];
}

/** Whatever becomes of it, the verdict stands. */
export async function searchElsewhere(
  run: Context,
  others: Others,
  targets: readonly Target[],
): Promise<ImageRef[]> {
  // An API endpoint that heeds no Region lists the targets' own in other regions, too.
  const isKnown = ({ imageId }: ImageRef) => targets.some((target) => target.imageId === imageId);
  try {
    return (await findExtra(run, others)).filter((copy) => !isKnown(copy));
  } catch (error) {
    const [cause = { message: 'the step was cancelled.', advice: 'Run it again.' }] = causesOf(
      error,
      run.signal,
    );
    const message = `The account's other regions were not searched for more copies: ${cause.message}`;
    run.report({ type: 'warning', problem: { message, advice: cause.advice } });
    return [];
  }
}

/** At first sight or not at all: it decides nothing, so a region that cannot be read is passed over. */
async function findExtra({ cloud, order, signal }: Context, { source, places }: Others): Promise<ImageRef[]> {
  if (!source) return [];
  const signer = signerOf(order);
  const found = await Promise.all(
    places.map(async ({ region, projectId }) => {
      const answer = await ask(customImages(cloud, region, projectId, { signal }));
      const copies = answer.ok ? copiesOf(answer.value, source, signer && { ...signer, projectId }) : [];
      return copies.map(({ ImageId }) => ({ region, projectId, imageId: ImageId }));
    }),
  );
  return found.flat();
}
