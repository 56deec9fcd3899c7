import type { Copy, Outcome } from './model.ts';
import type { Place, Run } from './place.ts';

/** The place as log, outputs, summary and state show it. Nothing in it is live. */
export function copyOf(place: Place): Copy {
  const { region, projectId, name, optional, why, held, problem, doubt } = place;
  // Beside an image that it holds, another may turn up; and one that a refused list made may be listed late.
  const mayTurnUp = doubt !== null && place.readAt < doubt.until;
  const mayBeOfList = doubt !== null && place.readAt < (doubt.listUntil ?? 0);
  const unclear = place.unclear || (mayTurnUp && held !== null) || mayBeOfList;
  return {
    region,
    projectId,
    name,
    optional,
    plan: place.plan === 'nothing' ? 'copy' : place.plan,
    why,
    imageId: held?.imageId ?? null,
    taskId: held?.taskId ?? null,
    state: held?.state ?? null,
    outcome: outcomeOf(place),
    created: held?.created ?? false,
    others: place.plan === 'copy' ? place.own.filter((imageId) => imageId !== held?.imageId) : [],
    listed: held !== null && held.misses === 0,
    ...(held?.marked ? { marked: true } : {}),
    unread: held !== null && place.trouble !== null,
    pending: problem !== null && (held ? held.finishedAt === null : unclear && !isLookedThrough(place)),
    unclear,
    startedAt: held?.startedAt ?? null,
    finishedAt: held?.finishedAt ?? null,
    problem,
  };
}

/** A listing after the window showed none: what is not known then is whether one of those listed is ours. */
function isLookedThrough({ doubt, readAt }: Place): boolean {
  return doubt !== null && readAt >= doubt.until;
}

function outcomeOf({ plan, held, problem }: Place): Outcome {
  if (problem) return 'failed';
  if (plan === 'source') return 'source';
  if (!held) return 'planned';
  return held.created ? 'copied' : 'adopted';
}

/** Every target, in the order of the input. */
export function copiesOf({ places }: Pick<Run, 'places'>): Copy[] {
  return places.filter(({ plan }) => plan !== 'nothing').map(copyOf);
}
