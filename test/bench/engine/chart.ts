/** A small chart as SVG: lines and dots, labelled where they stand, legible on white and on black. */

export interface Point {
  x: number;
  y: number;
}

export interface Series {
  name: string;
  /** joined by a line; else dots alone */
  line: boolean;
  points: Point[];
}

export interface Chart {
  title: string;
  x: string;
  y: string;
  /** a logarithmic x axis */
  logX?: boolean;
  series: Series[];
}

const width = 720;
const height = 420;
const margin = { left: 64, right: 180, top: 44, bottom: 56 };
const colors = ['#0f766e', '#b45309', '#4338ca', '#be123c', '#4d7c0f', '#7e22ce', '#0369a1'];
const ticksWanted = 6;
/** Room that a label is taken to need. */
const labelWidth = 110;

export function chartSvg({ title, x, y, logX = false, series }: Chart): string {
  const points = series.flatMap((one) => one.points);
  const place = (value: number): number => (logX ? Math.log10(Math.max(1, value)) : value);
  const spanX = span(
    points.map((point) => place(point.x)),
    logX,
  );
  const spanY = span(
    points.map((point) => point.y),
    false,
  );
  const toX = (value: number): number =>
    margin.left +
    ((place(value) - spanX.from) / (spanX.to - spanX.from)) * (width - margin.left - margin.right);
  const toY = (value: number): number =>
    height -
    margin.bottom -
    ((value - spanY.from) / (spanY.to - spanY.from)) * (height - margin.top - margin.bottom);
  const parts = [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" font-size="12" fill="#737373">`,
    `<title>${escapeXml(`${title}: ${y} against ${x}`)}</title>`,
    text(margin.left, 22, title, 'font-size="15" font-weight="600"'),
  ];
  for (const tick of spanX.ticks) {
    const at = round(
      margin.left + ((tick - spanX.from) / (spanX.to - spanX.from)) * (width - margin.left - margin.right),
    );
    const shown = logX ? (10 ** tick).toLocaleString('en') : label(tick);
    parts.push(
      line(at, margin.top, at, height - margin.bottom),
      text(at, height - margin.bottom + 18, shown, 'text-anchor="middle"'),
    );
  }
  for (const tick of spanY.ticks) {
    const at = round(toY(tick));
    parts.push(
      line(margin.left, at, width - margin.right, at),
      text(margin.left - 8, at + 4, label(tick), 'text-anchor="end"'),
    );
  }
  parts.push(
    text((margin.left + width - margin.right) / 2, height - 14, x, 'text-anchor="middle"'),
    `<text transform="translate(18 ${(margin.top + height - margin.bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeXml(y)}</text>`,
  );
  const labels: Point[] = [];
  series.forEach((one, i) => {
    const color = colors[i % colors.length]!;
    const shown = one.points.map((point) => ({ x: round(toX(point.x)), y: round(toY(point.y)) }));
    if (one.line)
      parts.push(
        `<polyline points="${shown.map((point) => `${point.x},${point.y}`).join(' ')}" fill="none" stroke="${color}" stroke-width="2"/>`,
      );
    for (const point of shown) parts.push(`<circle cx="${point.x}" cy="${point.y}" r="4" fill="${color}"/>`);
    const last = shown.at(-1);
    if (!last) return;
    let at = last.y + 4;
    while (labels.some((other) => Math.abs(other.y - at) < 14 && Math.abs(other.x - last.x) < labelWidth))
      at += 14;
    labels.push({ x: last.x, y: at });
    parts.push(text(last.x + 9, at, one.name, `fill="${color}"`));
  });
  return `${parts.join('\n')}\n</svg>\n`;
}

/** From and to round numbers, and the ticks between. */
function span(values: readonly number[], whole: boolean): { from: number; to: number; ticks: number[] } {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const raw = Math.max((high - low) / ticksWanted, 1e-9);
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = whole ? 1 : ([1, 2, 5, 10].find((factor) => factor * power >= raw) ?? 10) * power;
  const from = Math.floor(low / step) * step;
  const to = Math.max(Math.ceil(high / step) * step, from + step);
  const ticks: number[] = [];
  for (let tick = from; tick <= to + step / 2; tick += step) ticks.push(tick);
  return { from, to, ticks };
}

const round = (value: number): number => Math.round(value * 10) / 10;
const label = (value: number): string => String(Math.round(value * 1000) / 1000);
const line = (x1: number, y1: number, x2: number, y2: number): string =>
  `<line x1="${x1}" y1="${y1}" x2="${x2}" y2="${y2}" stroke="#a3a3a3" stroke-opacity="0.35"/>`;
const text = (x: number, y: number, content: string, more: string): string =>
  `<text x="${x}" y="${y}" ${more}>${escapeXml(content)}</text>`;
const escapeXml = (content: string): string =>
  content.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
