import { Command } from 'commander';
import { registerAudit } from './commands/audit.ts';
import { registerAuthority } from './commands/authority.ts';
import { registerCommunities } from './commands/communities.ts';
import { registerEpochs } from './commands/epochs.ts';
import { registerEvaluate } from './commands/evaluate.ts';
import { registerExplain } from './commands/explain.ts';
import { registerGenerate } from './commands/generate.ts';
import { registerIngest } from './commands/ingest.ts';
import { registerJobs } from './commands/jobs.ts';
import { registerKeygen } from './commands/keygen.ts';
import { registerLookup } from './commands/lookup.ts';
import { registerMembers } from './commands/members.ts';
import { registerPlace } from './commands/place.ts';
import { registerPlan } from './commands/plan.ts';
import { registerPublish } from './commands/publish.ts';
import { registerRead } from './commands/read.ts';
import { registerServices } from './commands/services.ts';
import { registerStatus } from './commands/status.ts';
import { registerStrfryPlugin } from './commands/strfry-plugin.ts';
import { registerUp } from './commands/up.ts';

const EXIT_USAGE = 64;

const program = new Command('covey')
  .description(
    'Relays that co-operate: Nostr accounts placed by social cluster, so that clients open a few relays, not dozens.',
  )
  .version('0.1.0')
  .showHelpAfterError('(covey help lists the commands; covey COMMAND --help has examples)')
  .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : EXIT_USAGE))
  .addHelpText(
    'after',
    `
Examples:
  covey up                                   start a whole cluster on this machine
  covey status                               who is in it, and how it is
  covey lookup npub1…                        where an account lives
  covey explain npub1…                       why it lives there
  covey plan --follows npub1…                which few relays to open for the accounts that it follows
  covey publish "hello" --relay ws://…       sign a note with a fresh key and publish it
  covey read npub1…                          read an account from its own relays
  covey ingest events.jsonl.gz               learn follow lists from an export

Settings come from the environment (README.md has the table); COVEY_HOME is where a local cluster keeps its data.`,
  );

program.commandsGroup('Run:');
registerUp(program);
registerServices(program);
registerStrfryPlugin(program);
registerKeygen(program);
program.commandsGroup('Ask:');
registerStatus(program);
registerLookup(program);
registerExplain(program);
registerPlan(program);
registerPublish(program);
registerRead(program);
program.commandsGroup('Feed and place:');
registerIngest(program);
registerJobs(program);
registerEpochs(program);
program.commandsGroup('Operate:');
registerMembers(program);
registerAuthority(program);
registerAudit(program);
program.commandsGroup('Work on files:');
registerPlace(program);
registerEvaluate(program);
registerCommunities(program);
registerGenerate(program);

try {
  await program.parseAsync();
} catch (error) {
  console.error(`covey: ${error instanceof Error ? error.message : String(error)}`);
  if (process.env['COVEY_LOG'] === 'debug' && error instanceof Error) console.error(error.stack);
  process.exit(70);
}
