/** Line charts as SVG: just what the plots in docs/ need. */

export interface Axis {
  label?: string;
  /** Value → its label. The least and the greatest bound the axis. */
  ticks: Readonly<Record<number, string>>;
  log?: boolean;
}

export interface Panel {
  title: string;
  x: Axis;
  y: Axis;
  lines: readonly { name: string; points: readonly [x: number, y: number][] }[];
}

const WIDTH = 440;
const HEIGHT = 300;
const LEFT = 52;
const TOP = 64;
const BOTTOM = 96;
const GAP = 24;
/** Told apart by people who see few colours, on white. The first is the one that the chart is about. */
const COLOURS = ['#d1242f', '#0969da', '#8250df', '#1a7f37', '#6e7781', '#bc4c00'];

/** Panels beside each other with one legend; the lines of all are the same, in the same order. */
export function chart(title: string, panels: readonly Panel[]): string {
  const width = panels.length * (LEFT + WIDTH + GAP);
  const height = TOP + HEIGHT + BOTTOM;
  const parts = panels.map((panel, index) => draw(panel, LEFT + index * (LEFT + WIDTH + GAP)));
  const names = panels[0]?.lines.map(({ name }) => name) ?? [];
  const step = (width - LEFT) / names.length;
  const legend = names.map((name, index) => {
    const x = LEFT + index * step;
    const y = height - 20;
    return `<path d="M${r(x)} ${y - 4}h24" ${stroke(index)}/><text x="${r(x + 30)}" y="${y}">${quoted(name)}</text>`;
  });
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" role="img" font-family="system-ui, sans-serif" font-size="13" fill="#1f2328">`,
    `<title>${quoted(title)}</title>`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    `<text x="${LEFT}" y="24" font-size="16" font-weight="600">${quoted(title)}</text>`,
    ...parts,
    ...legend,
    '</svg>',
    '',
  ].join('\n');
}

function draw({ title, x, y, lines }: Panel, left: number): string {
  const across = scale(x, left, left + WIDTH);
  const up = scale(y, TOP + HEIGHT, TOP);
  const parts = [`<text x="${left}" y="${TOP - 14}" font-weight="600">${quoted(title)}</text>`];
  for (const [value, label] of ticks(y)) {
    const at = r(up(value));
    parts.push(`<path d="M${left} ${at}h${WIDTH}" stroke="#d1d9e0"/>`);
    parts.push(`<text x="${left - 8}" y="${r(at + 4)}" text-anchor="end">${quoted(label)}</text>`);
  }
  for (const [value, label] of ticks(x)) {
    const at = r(across(value));
    parts.push(`<path d="M${at} ${TOP + HEIGHT}v5" stroke="#59636e"/>`);
    parts.push(`<text x="${at}" y="${TOP + HEIGHT + 20}" text-anchor="middle">${quoted(label)}</text>`);
  }
  if (x.label) {
    const middle = left + WIDTH / 2;
    parts.push(`<text x="${middle}" y="${TOP + HEIGHT + 42}" text-anchor="middle">${quoted(x.label)}</text>`);
  }
  // The first line is drawn last, so that nothing hides it.
  for (const [index, { points }] of [...lines.entries()].reverse()) {
    if (points.length === 0) continue;
    const path = points.map(([a, b]) => `${r(across(a))} ${r(up(b))}`).join('L');
    parts.push(`<path d="M${path}" ${stroke(index)}/>`);
  }
  return parts.join('\n');
}

const stroke = (index: number) =>
  `fill="none" stroke="${COLOURS[index % COLOURS.length]}" stroke-width="${index === 0 ? 3 : 1.5}" stroke-linejoin="round"`;

function ticks({ ticks: labels }: Axis): [number, string][] {
  return Object.entries(labels).map(([value, label]): [number, string] => [Number(value), label]);
}

/** Values beyond the axis are drawn at its edge. */
function scale(axis: Axis, from: number, to: number): (value: number) => number {
  const map = axis.log ? Math.log : (value: number) => value;
  const values = ticks(axis).map(([value]) => map(value));
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return (value) => {
    const part = (map(value) - least) / (most - least);
    return from + (to - from) * Math.min(1, Math.max(0, Number.isNaN(part) ? 0 : part));
  };
}

const r = (value: number) => Math.round(value * 10) / 10;
const quoted = (text: string) =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
