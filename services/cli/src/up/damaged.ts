import { readFileSync } from 'node:fs';
import { UP_EXIT, UpError } from './up-error.ts';

/** Something in the home is not as it should be. Says what, that it is as before, and how to keep it aside. */
export function damaged(home: string, what: string, fix: string, cause?: unknown): UpError {
  return new UpError(
    UP_EXIT.damaged,
    `${what}\nNothing was changed.\nNext: ${fix}; or start anew, with the old data kept aside: mv ${home} ${home}.old`,
    cause ? { cause } : undefined,
  );
}

/** @throws UpError when the file is missing, unreadable or no JSON. */
export function readHomeJson<T>(home: string, path: string): T {
  const fix = `restore ${path} from a backup`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw damaged(home, `${path} can't be read (${(error as NodeJS.ErrnoException).code}).`, fix, error);
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw damaged(home, `${path} is damaged: ${(error as Error).message}.`, `mend it, or ${fix}`, error);
  }
}
