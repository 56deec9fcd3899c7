/**
 * Glob with `*` and `?` only: brackets are letters of an image name. Each star first takes nothing, then one letter
 * more whenever the rest does not fit; only the last star is taken back, so the time is bounded by the product of the
 * lengths.
 */
export function isLike(name: string, pattern: string): boolean {
  const letters = [...name];
  const signs = [...pattern];
  let at = 0;
  let sign = 0;
  let star = -1;
  let resume = 0;
  while (at < letters.length) {
    if (signs[sign] === '*') {
      star = sign++;
      resume = at;
    } else if (sign < signs.length && (signs[sign] === '?' || signs[sign] === letters[at])) {
      sign++;
      at++;
    } else if (star >= 0) {
      sign = star + 1;
      at = ++resume;
    } else return false;
  }
  return signs.slice(sign).every((left) => left === '*');
}
