/** The values hidden from a job's log, with the spellings of each that the runner hides as well. */
export class Masks {
  /** What was asked for, in order. */
  readonly values: string[] = [];
  readonly #spellings = new Set<string>();

  add(value: string): void {
    this.values.push(value);
    this.hide(value);
  }

  /** Hides a value that no add-mask asked for, as the runner does with the job's token. */
  hide(value: string): void {
    // Output is seen line by line, so each line of a key is a secret of its own.
    for (const part of [value, ...value.split(/[\r\n]+/)]) {
      for (const spelling of spellings(part)) if (spelling !== '') this.#spellings.add(spelling);
    }
  }

  apply(text: string): string {
    const ranges: [number, number][] = [];
    for (const secret of this.#spellings) {
      for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) {
        ranges.push([at, at + secret.length]);
      }
    }
    ranges.sort((a, b) => a[0] - b[0]);
    let shown = '';
    let end = 0;
    let masked = -1;
    for (const [from, to] of ranges) {
      // Secrets that overlap or touch are one stretch with one mask.
      if (from > masked) shown += `${text.slice(end, from)}***`;
      masked = Math.max(masked, to);
      end = Math.max(end, to);
    }
    return shown + text.slice(end);
  }
}

function spellings(value: string): string[] {
  return [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value.toWellFormed()),
    value.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;'),
    value.replace(/^"(.*)"$/, '$1'),
    // The Base64 of a longer text holds the value at one of three alignments; its edges mix with neighbours.
    ...[0, 1, 2].map((skip) => {
      const bytes = Buffer.from(value).subarray(skip);
      return bytes.subarray(0, bytes.length - (bytes.length % 3)).toString('base64');
    }),
  ];
}
