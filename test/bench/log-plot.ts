export interface Series {
  name: string;
  color: string;
  /** positive numbers */
  points: readonly (readonly [number, number])[];
}

export interface LogPlot {
  title: string;
  x: string;
  series: readonly Series[];
}

const width = 640;
const height = 420;
const frame = { left: 64, right: 16, top: 36, bottom: 44 };

/** An SVG with both axes logarithmic, a grid line at each power of ten, points marked and named series. */
export function writeLogPlot({ title, x, series }: LogPlot): string {
  const all = series.flatMap(({ points }) => points).filter(([, y]) => y > 0);
  if (all.length === 0) throw new Error('nothing to plot: give at least one run');
  const range = (values: number[]): [number, number] => [
    Math.floor(Math.log10(Math.min(...values))),
    Math.max(Math.ceil(Math.log10(Math.max(...values))), Math.floor(Math.log10(Math.min(...values))) + 1),
  ];
  const [x0, x1] = range(all.map(([value]) => value));
  const [y0, y1] = range(all.map(([, value]) => value));
  const across = (value: number): number =>
    frame.left + ((Math.log10(value) - x0) / (x1 - x0)) * (width - frame.left - frame.right);
  const up = (value: number): number =>
    height - frame.bottom - ((Math.log10(value) - y0) / (y1 - y0)) * (height - frame.top - frame.bottom);
  const parts: string[] = [];
  const line = (a: number, b: number, c: number, d: number): void => {
    parts.push(
      `<line x1="${a.toFixed(1)}" y1="${b.toFixed(1)}" x2="${c.toFixed(1)}" y2="${d.toFixed(1)}" stroke="#ddd"/>`,
    );
  };
  const text = (a: number, b: number, content: string, rest = ''): void => {
    parts.push(`<text x="${a.toFixed(1)}" y="${b.toFixed(1)}" ${rest}>${content}</text>`);
  };
  for (let power = x0; power <= x1; power++) {
    line(across(10 ** power), frame.top, across(10 ** power), height - frame.bottom);
    text(across(10 ** power), height - frame.bottom + 18, tenTo(power), 'text-anchor="middle"');
  }
  for (let power = y0; power <= y1; power++) {
    line(frame.left, up(10 ** power), width - frame.right, up(10 ** power));
    text(frame.left - 8, up(10 ** power) + 4, tenTo(power), 'text-anchor="end"');
  }
  series.forEach(({ name, color, points }, i) => {
    const shown = points.filter(([, value]) => value > 0);
    const path = shown.map(([a, b]) => `${across(a).toFixed(1)},${up(b).toFixed(1)}`);
    parts.push(`<polyline points="${path.join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`);
    for (const [a, b] of shown) {
      parts.push(`<circle cx="${across(a).toFixed(1)}" cy="${up(b).toFixed(1)}" r="3.5" fill="${color}"/>`);
    }
    text(frame.left + 12, frame.top + 18 + i * 18, name, `fill="${color}"`);
  });
  text(width / 2, 22, title, 'text-anchor="middle" font-weight="bold"');
  text(width / 2, height - 8, x, 'text-anchor="middle"');
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="13">
<title>${title}</title>
<rect width="100%" height="100%" fill="white"/>
${parts.join('\n')}
</svg>
`;
}

function tenTo(power: number): string {
  if (power < 0) return String(10 ** power);
  if (power < 3) return String(10 ** power);
  const digits = '⁰¹²³⁴⁵⁶⁷⁸⁹';
  return `10${[...String(power)].map((digit) => digits[Number(digit)]).join('')}`;
}
