import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { homeRoot, readRunState } from '@covey/config';
import { InvalidKeyError, type NostrEvent, parsePubkey } from '@covey/nostr';
import { InvalidManifestError, verifyManifest } from '@covey/table';
import type { Command } from 'commander';
import { CommandError, EXIT, runAsking } from '../api-client.ts';
import { withDatabase } from '../cluster-database.ts';
import { findCluster } from '../cluster-jobs.ts';

const COORDINATOR = join(import.meta.dirname, '..', '..', '..', 'coordinator', 'src', 'epochs');

type AuditEvidence = import('../../../coordinator/src/epochs/audit.ts').AuditEvidence;

interface AuditFlags {
  save?: string;
  from?: string;
  roots?: string;
  json?: boolean;
}

const help = `
Computes the placement of an epoch again, here, from everything that decided it, and compares: digest of the inputs, root of
the placement, table, and the step from the epoch before. It shows that the coordinator kept to the rules, not that who
follows whom is true. --save writes manifest and inputs into a folder for somebody else, who needs no database.

Examples:
  covey audit 42
  covey audit 42 --save epoch-42
  covey audit 42 --from epoch-42 --roots npub1…

Exit codes: 0 it is right, 64 wrong usage, 65 it is not right or can't be checked, 69 nothing there to ask`;

/** `covey audit`: is an epoch what its inputs give? */
export function registerAudit(program: Command): void {
  program
    .command('audit <epoch>')
    .description('compute an epoch again from its inputs, and say whether it is right')
    .option('--save <folder>', 'write manifest and inputs there instead')
    .option('--from <folder>', 'read them from there instead of the database')
    .option('--roots <keys>', 'root public keys to trust (default: COVEY_ROOTS, else the local cluster’s)')
    .option('--json', 'print one JSON object')
    .addHelpText('after', help)
    .action((epoch: string, flags: AuditFlags) => runAsking(() => audit(Number(epoch), flags)));
}

interface Evidence {
  event: NostrEvent;
  inputsPieces: Uint8Array[];
}

async function audit(epoch: number, flags: AuditFlags): Promise<void> {
  if (!Number.isSafeInteger(epoch) || epoch < 1)
    throw new CommandError(EXIT.usage, 'the epoch is a whole number from 1');
  const roots = trustedRoots(flags.roots);
  try {
    if (flags.from) return await judge(epoch, readFolder(flags.from), roots, flags);
    const { readEvidence } =
      await load<typeof import('../../../coordinator/src/epochs/evidence.ts')>('evidence.ts');
    const { cluster, ...link } = findCluster(process.env);
    const evidence = await withDatabase({ cluster, ...link }, (sql) =>
      readEvidence(sql, epoch, cluster, roots),
    );
    if (flags.save) return saveFolder(flags.save, evidence);
    await judge(epoch, evidence, roots, flags);
  } catch (error) {
    const known =
      error instanceof InvalidManifestError ||
      ['NoEvidenceError', 'InputsFileError'].includes((error as Error).name);
    if (known) throw new CommandError(EXIT.data, (error as Error).message, { cause: error });
    throw error;
  }
}

async function judge(
  epoch: number,
  evidence: Evidence & Pick<AuditEvidence, 'table' | 'before' | 'rollback'>,
  roots: readonly string[],
  { json }: AuditFlags,
): Promise<void> {
  const [{ judgeEpoch }, { computeEpoch }, { unpackInputs }] = await Promise.all([
    load<typeof import('../../../coordinator/src/epochs/audit.ts')>('audit.ts'),
    load<typeof import('../../../coordinator/src/epochs/compute-epoch.ts')>('compute-epoch.ts'),
    load<typeof import('../../../coordinator/src/epochs/inputs-file.ts')>('inputs-file.ts'),
  ]);
  const inputs = unpackInputs(evidence.inputsPieces);
  const manifest = verifyManifest(evidence.event, roots, inputs.cluster);
  if (manifest.epoch !== epoch)
    throw new CommandError(EXIT.data, `that is epoch ${manifest.epoch}, not ${epoch}`);
  const computed = computeEpoch(inputs, () => performance.now());
  const { table, before, rollback } = evidence;
  const verdict = judgeEpoch({ manifest, inputs, computed, rollback, table, before });
  if (json) console.log(JSON.stringify(verdict));
  else if (verdict.ok) console.log(`epoch ${epoch} is right: ${verdict.checked.join(', ')}`);
  else console.log(`epoch ${epoch} is NOT right:\n${verdict.faults.map((fault) => `  ${fault}`).join('\n')}`);
  if (!verdict.ok) process.exitCode = EXIT.data;
}

function load<T>(file: string): Promise<T> {
  return import(join(COORDINATOR, file));
}

function trustedRoots(option: string | undefined): string[] {
  const text = option ?? process.env['COVEY_ROOTS'] ?? '';
  const local = readRunState(homeRoot(process.env))?.roots ?? [];
  try {
    const given = text
      .split(',')
      .filter((part) => part.trim())
      .map(parsePubkey);
    if (given.length > 0 || local.length > 0) return given.length > 0 ? given : local;
  } catch (error) {
    if (error instanceof InvalidKeyError) throw new CommandError(EXIT.usage, `--roots: ${error.message}`);
    throw error;
  }
  throw new CommandError(EXIT.usage, 'name the root keys to trust: --roots npub1… or COVEY_ROOTS');
}

function saveFolder(folder: string, { event, inputsPieces }: Evidence): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(event)}\n`);
  writeFileSync(join(folder, 'inputs.zst'), Buffer.concat(inputsPieces));
  console.log(`${folder}: manifest.json, inputs.zst`);
}

function readFolder(folder: string): Evidence {
  try {
    return {
      event: JSON.parse(readFileSync(join(folder, 'manifest.json'), 'utf8')),
      inputsPieces: [readFileSync(join(folder, 'inputs.zst'))],
    };
  } catch (error) {
    throw new CommandError(EXIT.data, `${folder} can't be read: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
