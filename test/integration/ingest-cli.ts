// The two commands of ingest alone, as a program: the tests of them need nothing of the others.
import { Command } from 'commander';
import { registerIngest } from '../../services/cli/src/commands/ingest.ts';
import { registerJobs } from '../../services/cli/src/commands/jobs.ts';

const program = new Command('covey').exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 64));
registerIngest(program);
registerJobs(program);
await program.parseAsync();
