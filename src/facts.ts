import { groupBy, needsReader } from './outcome.ts';
import type { Copy, Problem, Promotion } from './promotion/model.ts';

export interface Failure {
  /** The targets that it struck, none when it struck the whole. */
  regions: string[];
  /** Its message names none of the regions. */
  problem: Problem;
}

/** What went wrong, each fact once: first what stopped the whole, then the targets, at last those that are gone for it. */
export function failuresOf(promotion: Promotion): Failure[] {
  const { ended, problems, copies } = promotion;
  // A cancel is in the heading, and each copy says what became of it.
  const whole = ended === 'cancelled' && copies.some(({ problem }) => problem) ? [] : problems;
  const isCause = (copy: Copy) => needsReader(copy, promotion);
  const struck = [...copies.filter(isCause), ...copies.filter((copy) => !isCause(copy))];
  return byFact([
    ...whole.map((problem) => ({ region: null, problem })),
    ...struck.flatMap(({ region, problem }) => (problem ? [{ region, problem }] : [])),
  ]);
}

/** A warning names its region at the start, if it is about one. */
export function warningsOf(problems: readonly Problem[], copies: readonly Copy[]): Failure[] {
  return byFact(
    problems.map((problem) => ({
      region: copies.find(({ region }) => problem.message.startsWith(`${region}: `))?.region ?? null,
      problem,
    })),
  );
}

/** What the messages of two regions share that tell one fact: neither its region nor its request id. */
export function factOf(message: string, region: string | null): string {
  return withoutRegion(message.replace(/, request id [\w-]+/g, ''), region);
}

function withoutRegion(message: string, region: string | null): string {
  const words = message.split(/([\w-]+)/);
  return words.map((word) => (word === region ? '…' : word)).join('');
}

interface Said {
  region: string | null;
  message: string;
}

const REQUEST_ID = /(?<=, request id )[\w-]+/g;

/** The same fact of several regions, without their names. Of many request ids the first, and whose it is. */
export function together(facts: readonly [Said, ...Said[]]): string {
  const [{ region, message }] = facts;
  if (facts.length === 1) return message;
  const many = new Set(facts.map((fact) => fact.message.match(REQUEST_ID)?.[0])).size > 1;
  const whose = `of ${region}: `;
  return withoutRegion(message, region).replace(REQUEST_ID, (id) => `${many && region ? whose : ''}${id}`);
}

/** Region → request id: what the vendor's support asks for. */
export function requestIdsOf(copies: readonly Copy[]): [string, string][] {
  return copies.flatMap(({ region, problem }): [string, string][] => {
    const id = problem?.message.match(REQUEST_ID)?.[0];
    return id ? [[region, id]] : [];
  });
}

/** The same fact in several regions is one. */
function byFact(facts: readonly { region: string | null; problem: Problem }[]): Failure[] {
  const bare = facts.map(({ region, problem: { message, advice } }) => {
    const prefix = `${region}: `;
    return { region, message: message.startsWith(prefix) ? message.slice(prefix.length) : message, advice };
  });
  return groupBy(bare, ({ message, region, advice }) => [factOf(message, region), advice]).map((group) => ({
    regions: [...new Set(group.flatMap(({ region }) => region ?? []))],
    problem: {
      message: together(group),
      advice: group[0].advice,
    },
  }));
}
