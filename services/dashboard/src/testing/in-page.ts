/**
 * Questions that the browser tests ask inside the page. Each function is sent there by its text, so it uses nothing from
 * outside itself.
 */

/** Has the page ask for the status now, as when somebody comes back to its tab. */
export function wake(): void {
  document.dispatchEvent(new Event('visibilitychange'));
}

/** Text of what has the focus. */
export function focusedText(): string {
  return document.activeElement?.textContent ?? '';
}

/** Elements that reach beyond the right edge. */
export function tooWide(): string[] {
  const limit = document.documentElement.clientWidth;
  return [...document.querySelectorAll('body *')]
    .filter((element) => element.getBoundingClientRect().right > limit + 1 && !element.closest('.map-stage'))
    .map((element) => `${element.tagName}.${element.className}`);
}

/** How wide the page is to scroll. */
export function scrollWidth(): number {
  return document.documentElement.scrollWidth;
}

/** Controls that a screen reader has no name for. */
export function unnamedControls(): string[] {
  return [...document.querySelectorAll<HTMLInputElement>('input, button, a')]
    .filter((control) => !(control.textContent?.trim() || control.labels?.length || control.ariaLabel))
    .map((control) => control.outerHTML);
}

/** Pixels of a picture (PNG, base64) that have exactly the colour of one of the first five members. */
export async function memberPixels(png: string): Promise<number> {
  const image = new Image();
  image.src = `data:image/png;base64,${png}`;
  await image.decode();
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = canvas.getContext('2d')!;
  context.drawImage(image, 0, 0);
  const { data: pixels } = context.getImageData(0, 0, image.width, image.height);
  const style = getComputedStyle(document.documentElement);
  const colors = new Set(
    [0, 1, 2, 3, 4].map((i) => Number.parseInt(style.getPropertyValue(`--member-${i}`).trim().slice(1), 16)),
  );
  let count = 0;
  for (let at = 0; at < pixels.length; at += 4)
    if (colors.has((pixels[at]! << 16) | (pixels[at + 1]! << 8) | pixels[at + 2]!)) count++;
  return count;
}

/** Texts whose contrast with what is behind them is under WCAG AA: 4.5, or 3 for large ones. */
export function faintTexts(): string[] {
  const channel = (value: number) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const parse = (color: string) => (color.match(/[\d.]+/g) ?? []).map(Number);
  const luminance = ([r = 0, g = 0, b = 0]: number[]) =>
    0.2126 * channel(r / 255) + 0.7152 * channel(g / 255) + 0.0722 * channel(b / 255);
  const behind = (element: Element | null): number[] => {
    for (let at = element; at; at = at.parentElement) {
      const color = parse(getComputedStyle(at).backgroundColor);
      if (color.length === 3 || (color[3] ?? 0) > 0) return color;
    }
    return [255, 255, 255];
  };
  const faint: string[] = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement!;
    if (
      !node.textContent?.trim() ||
      element.getClientRects().length === 0 ||
      element.closest('svg, noscript')
    )
      continue;
    const style = getComputedStyle(element);
    const [a, b] = [luminance(parse(style.color)), luminance(behind(element))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large =
      Number.parseFloat(style.fontSize) >= 24 ||
      (Number.parseFloat(style.fontSize) >= 18.6 && Number(style.fontWeight) >= 700);
    if (contrast < (large ? 3 : 4.5))
      faint.push(`${contrast.toFixed(2)} ${node.textContent.trim().slice(0, 40)}`);
  }
  return [...new Set(faint)];
}
