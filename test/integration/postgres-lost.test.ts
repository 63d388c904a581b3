import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { connectPostgres, type Sql } from '@covey/postgres';
import { startPostgres, type TestPostgres } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';

/** A process with transactions that stay open between statements: what a coordinator does all the time. */
const PROGRAM = `
import { connectPostgres } from '@covey/postgres';
const sql = connectPostgres(process.env.URL, { application: 'victim' });
if (process.argv[1] === 'throws') setTimeout(() => { throw new TypeError('mine'); }, 50);
const transactions = Array.from({ length: 5 }, async () => {
  for (;;) {
    try {
      await sql.begin(async (tx) => {
        await tx\`SELECT 1\`;
        await new Promise((resolve) => setTimeout(resolve, 10));
        await tx\`SELECT 1\`;
      });
      console.log('done');
    } catch (error) {
      console.log('failed', error.code);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
});
await Promise.all(transactions);
`;

describe('a process whose connections to PostgreSQL are lost', { timeout: 60_000 }, () => {
  let postgres: TestPostgres;
  let sql: Sql;

  before(async () => {
    postgres = await startPostgres();
    sql = connectPostgres(postgres.url, { application: 'test', connections: 1 });
  });
  after(async () => {
    await sql.end();
    await postgres.stop();
  });

  const start = (...args: string[]) => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM, ...args], {
      cwd: import.meta.dirname,
      env: { ...process.env, URL: postgres.url },
    });
    const lines: string[] = [];
    child.stdout.on('data', (data) => lines.push(...String(data).trim().split('\n')));
    child.stderr.on('data', (data) => lines.push(String(data)));
    return { child, lines };
  };

  it('lives on, and its transactions fail and go on', async () => {
    const { child, lines } = start();
    try {
      const count = (what: string) => lines.filter((line) => line.startsWith(what)).length;
      for (let round = 0; round < 10; round++) {
        const done = count('done');
        await waitFor(() => count('done') > done + 5 || child.exitCode !== null, 'transactions', 20_000);
        assert.equal(child.exitCode, null, lines.slice(-3).join('\n'));
        await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'victim'`;
      }
      const done = count('done');
      await waitFor(() => count('done') > done + 20 || child.exitCode !== null, 'transactions', 20_000);
      assert.equal(child.exitCode, null, lines.slice(-3).join('\n'));
      assert.ok(count('failed') > 5, `${count('failed')} transactions failed`);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('still ends at an error of its own', async () => {
    const { child, lines } = start('throws');
    await waitFor(() => child.exitCode !== null, 'the end');
    assert.equal(child.exitCode, 1);
    assert.ok(lines.some((line) => /TypeError: mine/.test(line)));
  });
});
