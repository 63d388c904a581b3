import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { type Browser, chromium } from 'playwright-core';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome'];
export const CHROMIUM_MISSING = 'no Chromium here: set CHROMIUM_PATH, or put chromium on the PATH';

/** Chromium's path, or undefined: the tests skip and say CHROMIUM_MISSING. @throws Error where COVEY_REQUIRE lists chromium. */
export function findChromium(env: NodeJS.ProcessEnv = process.env, exists = existsSync): string | undefined {
  const given = env['CHROMIUM_PATH'];
  if (given && !exists(given)) throw new Error(`CHROMIUM_PATH is ${given}, which is not there`);
  const places = (env['PATH'] ?? '').split(delimiter).flatMap((dir) => NAMES.map((name) => join(dir, name)));
  const found = given || ['/usr/bin/chromium', ...places].find((path) => exists(path));
  if (!found && (env['COVEY_REQUIRE'] ?? '').split(',').includes('chromium'))
    throw new Error(`COVEY_REQUIRE asks for chromium: ${CHROMIUM_MISSING}`);
  return found || undefined;
}

export async function launch(path: string, args: string[] = []): Promise<Browser> {
  return await chromium.launch({
    executablePath: path,
    // Chromium refuses its sandbox to root.
    args: [
      '--disable-gpu',
      '--disable-dev-shm-usage',
      ...(process.getuid?.() === 0 ? ['--no-sandbox'] : []),
      ...args,
    ],
  });
}
