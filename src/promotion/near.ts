import { distance } from 'fastest-levenshtein';

/**
 * Up to three of `words` that a reader may have meant by `word`, the nearest first. One that differs in nothing but case
 * is the only one; the stars of a glob do not count.
 */
export function nearest(word: string, words: Iterable<string>): string[] {
  const wanted = word.toLowerCase().replaceAll('*', '');
  if (wanted === '') return [];
  const candidates = [...new Set(words)];
  const same = candidates.filter((candidate) => candidate.toLowerCase() === wanted);
  if (same.length > 0) return same.slice(0, 3);
  const near = candidates
    .map((candidate) => {
      const other = candidate.toLowerCase();
      const isPart =
        wanted.length > 1 && other.length > 1 && (other.includes(wanted) || wanted.includes(other));
      const far = isPart ? 1 : distance(wanted, other);
      return {
        candidate,
        far,
        isNear: far <= Math.max(1, Math.round(Math.max(wanted.length, other.length) / 3)),
      };
    })
    .filter(({ isNear }) => isNear)
    .sort((a, b) => a.far - b.far || (a.candidate < b.candidate ? -1 : 1));
  // Beside one that is near, a farther one is only noise.
  return near
    .filter(({ far }) => far <= (near[0]?.far ?? 0) + 1)
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** `hk, sg and 3 more` */
export function some(words: string[], most: number): string {
  const more = words.length > most ? ` and ${words.length - most} more` : '';
  return words.slice(0, most).join(', ') + more;
}

/** `hk, sg or us-ca` */
export function or(words: string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : (words[0] ?? '');
}
