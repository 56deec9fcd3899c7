import type { Effect, Fate, Run, Scenario } from './scenario.ts';
import { REGIONS, SOURCE_REGION } from './world/facts.ts';
import { isExecuted } from './world/wire.ts';

/** What is not as usual, line by line. */
export function story({ site, targets, faults, runs, outage, ...rest }: Scenario): string {
  const lines = [
    `The source is in ${SOURCE_REGION}; the target project is ${rest.sameProject ? 'its own' : 'another one'}.`,
    ...(rest.byName ? ['It is given by its name.'] : []),
    ...(rest.tellsProject ? [] : ['project-id is not given.']),
    ...(rest.text === 4 ? [] : [`The source is described by ${rest.text} characters.`]),
    ...(site.batch ? [] : ['The site ignores TargetRegionList.']),
    ...(site.answersOne ? ['The site answers a batch with its first id alone.'] : []),
    ...(site.throttle
      ? [`The site allows ${site.throttle.rate} calls a second, ${site.throttle.burst} at once.`]
      : []),
    ...(site.description === null ? [] : [`The site keeps ${site.description} characters of a description.`]),
    ...(targets.some(({ refuses }) => refuses !== null) || rest.sameProject
      ? [
          `A batch with a region that is refused makes ${site.midway === 'nothing' ? 'nothing' : site.midway === 'before' ? 'those before it' : 'all others'}, and answers ${site.answersRefusal === 'code' ? 'with the code' : `with ${site.answersRefusal === 'missing' ? 'no' : 'an empty'} entry for it`}.`,
        ]
      : []),
    ...(site.denies ? ['GetRegion and GetProjectList are denied.'] : []),
    ...(site.lowercases ? ['The site keeps names in small letters.'] : []),
    ...(site.states === 'documented' ? [] : [`The site writes states as ${site.states}.`]),
    ...(site.ghosts
      ? [
          `What was deleted stays in lists for ${site.ghosts.seconds} s${site.ghosts.byId ? ', and is read by its id' : ''}.`,
        ]
      : []),
    ...(site.locked ? ['Every delete is refused with 295.'] : []),
    ...(site.everywhere ? ['Lists show the images of every region, and deletes heed the id alone.'] : []),
    ...(site.deletes
      ? [
          site.deletes.how === 'late'
            ? `A delete is carried out ${site.deletes.seconds} s after its answer.`
            : `The first ${site.deletes.times} deletes of an image are accepted and not carried out.`,
        ]
      : []),
    ...(site.missingIsAnError ? ['The site answers 8956 for an id that is not listed.'] : []),
    ...(site.others > 0
      ? [
          `Each region holds ${site.others} other images; pages of ${site.page}, ${site.newestFirst ? 'newest' : 'oldest'} first, ${site.total ? 'with' : 'without'} a total.`,
        ]
      : []),
    ...(site.refusal
      ? [`A delete is refused with ${site.refusal.code} while copying, for ${site.refusal.seconds} s.`]
      : []),
    `An answer takes ${site.latency} ms.`,
    ...targets.flatMap(({ held, fates, strangers, refuses, unlisted }, index) => [
      `${REGIONS[index]}: ${held.length > 0 ? `holds ${held.join(', ')}; ` : ''}copies become ${fates.map(fateWords).join('; then ')}.`,
      ...(refuses === null ? [] : [`${REGIONS[index]}: every copy to it is refused with ${refuses}.`]),
      ...(unlisted === null
        ? []
        : [`${REGIONS[index]}: lists answer ${unlisted.how} for ${unlisted.seconds} s.`]),
      ...strangers.map(
        ({ after, described, same }) =>
          `${REGIONS[index]}: after ${after} s somebody makes an image of our name, ${described === 'not' ? 'without a description' : `described ${described}`}, ${same ? 'like' : 'unlike'} the source.`,
      ),
    ]),
    ...(outage
      ? [
          `From ${outage.at} s on, for ${outage.seconds} s, every ${outage.reads ? 'read' : 'call'} ${outage.how === 'throttle' ? 'is throttled' : 'finds no connection'}.`,
        ]
      : []),
    ...faults.map(
      ({ on, nth, count, effect }) =>
        `${on === 'GetRegion' ? 'GetRegion or GetProjectList' : on} ${count > 1 ? `${nth} to ${nth + count - 1}` : nth}: ${describe(effect)}.`,
    ),
    ...runs.map(
      (one, index) =>
        `Run ${index}: if-exists ${one.ifExists}, wait ${one.wait}, timeout ${one.timeout}, rollback ${one.rollback}${one.pollInterval ? `, poll-interval ${one.pollInterval}` : ''}${stopWords(one)}${one.twin === null ? '' : `; the same step begins once more after ${one.twin} ms`}${one.laterStepFails ? '; a later step fails' : ''}; then ${one.gap} s.`,
    ),
    ...(rest.convergence ? ['A last run has no faults.'] : []),
  ];
  return lines.map((line) => `  ${line}`).join('\n');
}

function stopWords({ stop }: Run): string {
  if (!stop) return '';
  const when =
    'seconds' in stop.at
      ? `after ${stop.at.seconds} s`
      : `${stop.at.plus} ms after CopyCustomImage ${stop.at.copy}`;
  return `; ${stop.how} ${when}${stop.post ? ', then the post step' : ', no post step'}`;
}

export function fateWords({ seconds, end, odd, listedAfter, removedAfter, sizeless, edited }: Fate): string {
  return [
    `${end} after ${seconds} s`,
    ...(odd ? ['meanwhile in a state nobody knows'] : []),
    ...(listedAfter > 0 ? [`listed after ${listedAfter} s`] : []),
    ...(sizeless === 'never' ? [] : [`without a size ${sizeless}`]),
    ...(edited ? [`its description ${edited.how} after ${edited.after} s`] : []),
    ...(removedAfter === undefined ? [] : [`deleted by somebody after ${removedAfter} s`]),
  ].join(', ');
}

export function describe(effect: Effect): string {
  const run =
    'executed' in effect
      ? effect.executed === null
        ? ', not executed'
        : `, executed${effect.executed > 0 ? ` after ${effect.executed} s` : ''}`
      : '';
  switch (effect.kind) {
    case 'refused':
      return 'the connection is refused';
    case 'lost':
      return `the answer is lost after ${effect.after} s${run}`;
    case 'hang':
      return `hangs${run}`;
    case 'http':
      return `HTTP ${effect.status}${effect.status >= 500 ? run : ''}`;
    case 'code': {
      const places = [0, 1, 2, 3, 4].filter((place) => isExecuted(effect, place));
      const some = places.length < 5 && effect.executed !== null;
      return `RetCode ${effect.code}${run}${some ? `, of a batch only at ${places.join(', ') || 'no place'}` : ''}`;
    }
    case 'garbage':
      return `answers garbage${run}`;
    case 'truncated':
      return 'the answer is cut';
    case 'partial':
      return `region ${effect.which} of the answer has ${{ missing: 'no entry', empty: 'an empty id', twice: 'two ids', wrong: "somebody's id", old: "somebody's old id", swapped: "the next one's id" }[effect.how]}${run}`;
    case 'slow':
      return `answers after ${effect.seconds} s`;
    case 'blink':
      return 'answers an empty list';
    case 'unwhole':
      return effect.how === 'no set'
        ? 'answers without ImageSet'
        : `answers a list ${{ rows: 'without its last row', empty: 'without rows', null: 'with null for its last row' }[effect.how]}, and the true total`;
  }
}
