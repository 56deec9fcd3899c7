import { distance } from 'fastest-levenshtein';

/** Up to three of `words` that a reader may have meant by `word`, the nearest first. */
export function nearest(word: string, words: Iterable<string>): string[] {
  const wanted = word.toLowerCase();
  return [...new Set(words)]
    .map((candidate) => {
      const other = candidate.toLowerCase();
      const contained = wanted.length > 1 && (other.includes(wanted) || wanted.includes(other));
      const far = distance(wanted, other);
      return { candidate, far: contained ? Math.min(1, far) : far };
    })
    .filter(({ candidate, far }) => far <= Math.max(2, Math.max(word.length, candidate.length) / 2))
    .sort((a, b) => a.far - b.far || (a.candidate < b.candidate ? -1 : 1))
    .slice(0, 3)
    .map(({ candidate }) => candidate);
}

/** `hk, sg or us-ca` */
export function or(words: string[]): string {
  return words.length > 1 ? `${words.slice(0, -1).join(', ')} or ${words.at(-1)}` : (words[0] ?? '');
}
