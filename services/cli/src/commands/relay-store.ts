import { join, resolve } from 'node:path';
import type { Command } from 'commander';

const ARCHIVE = join(import.meta.dirname, '..', '..', '..', 'relay', 'src', 'store', 'archive.ts');

/** The relay's own functions over a folder. Loaded by path, for services do not depend on each other. */
interface Archive {
  exportStore(dir: string, file: string): Promise<number>;
  importStore(dir: string, file: string): Promise<{ stored: number; known: number; bad: number }>;
  backupStore(dir: string, to: string): Promise<'stopped' | 'running'>;
  vacuumStore(dir: string): { before: number; after: number };
}

/** `covey relay export|import|backup|vacuum`: what an operator does with a member's folder. */
export function registerRelayStore(relay: Command): void {
  const command = (name: string, description: string, act: (archive: Archive, args: string[]) => unknown) =>
    relay
      .command(name)
      .description(description)
      .action(async (...args: unknown[]) => {
        const texts = args.filter((arg) => typeof arg === 'string').map((path) => resolve(path as string));
        await act((await import(ARCHIVE)) as Archive, texts);
      });
  command(
    'export <dir> <file>',
    'write every event of a stopped member to a file, as JSON, one a line; with COVEY_STORE_URL from PostgreSQL',
    async (archive, [dir, file]) =>
      console.log(`${await archive.exportStore(dir!, file!)} events written to ${file}`),
  );
  command(
    'import <dir> <file>',
    'read events (JSON, one a line) into a stopped member, with COVEY_STORE_URL into PostgreSQL; they are placed at its next start',
    async (archive, [dir, file]) => {
      const { stored, known, bad } = await archive.importStore(dir!, file!);
      console.log(`${stored} events stored, ${known} known, superseded or deleted, ${bad} lines refused`);
    },
  );
  command(
    'backup <dir> <file>',
    'copy the store of a member, running or stopped, as of one moment',
    async (archive, [dir, file]) => {
      const how = await archive.backupStore(dir!, file!);
      console.log(`${file} is a copy of the store${how === 'running' ? ', made by the running member' : ''}`);
    },
  );
  command(
    'vacuum <dir>',
    'give room of deleted events back to the disk; the member must be stopped',
    (archive, [dir]) => {
      const { before, after } = archive.vacuumStore(dir!);
      console.log(`${before} bytes before, ${after} after`);
    },
  );
}
