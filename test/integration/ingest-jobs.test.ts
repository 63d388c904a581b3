import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, test } from 'node:test';
import { addIngestJob, INGEST_QUEUE, type IngestReport, Jobs } from '@covey/jobs';
import { publicKeyOf, signEvent } from '@covey/nostr';
import { recentRuns, startRun } from '@covey/postgres';
import { IngestWorker } from '../../services/coordinator/src/ingest/index.ts';
import { temporaryDirectory } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';
import { type IngestDatabase, startIngestDatabase } from './ingest-database.ts';

const quiet = { info: () => {}, warn: () => {} };
const root = join(import.meta.dirname, '../..');
const directory = temporaryDirectory('ingest-jobs');
const home = join(directory, 'home');
const changed: IngestReport[] = [];
let database: IngestDatabase;
let jobs: Jobs;
let worker: IngestWorker;

before(async () => {
  database = await startIngestDatabase();
  jobs = new Jobs({ cluster: 'ingest-jobs', databaseUrl: database.url, logger: quiet });
  worker = newWorker();
  // A run that died with its process, while its queue (say, on Redis) has forgotten it.
  await startRun(database.sql, { type: 'snapshot', unsigned: true }, new Date(Date.now() - 3_600_000));
  await worker.start();
});
beforeEach(() => {
  changed.length = 0;
});
after(async () => {
  await jobs?.close();
  await worker?.stop();
  await database?.stop();
  rmSync(directory, { recursive: true, force: true });
});

function newWorker(): IngestWorker {
  return new IngestWorker({
    sql: database.sql,
    jobs,
    logger: quiet,
    clock: Date.now,
    profile: 'local',
    onChanged: (report) => changed.push(report),
    spoolDir: join(home, 'ingest'),
  });
}

function eventFile(name: string, authors: number): string {
  const path = join(directory, name);
  writeFileSync(path, eventLines(authors));
  return path;
}

function eventLines(authors: number): string {
  const secret = (n: number) => n.toString(16).padStart(64, '0');
  return Array.from({ length: authors }, (_, i) => {
    const tags = [['p', publicKeyOf(secret(i + 2))]];
    const event = {
      pubkey: publicKeyOf(secret(i + 1)),
      kind: 3,
      created_at: 1_700_000_000,
      tags,
      content: '',
    };
    return `${JSON.stringify(signEvent(event, secret(i + 1)))}\n`;
  }).join('');
}

interface Ended {
  code: number | null;
  out: string;
  err: string;
}

function covey(
  args: string[],
  { input, env = {} }: { input?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  const child = spawn(process.execPath, [join(root, 'test/integration/ingest-cli.ts'), ...args], {
    env: {
      ...process.env,
      COVEY_HOME: home,
      COVEY_CLUSTER: 'ingest-jobs',
      DATABASE_URL: database.url,
      REDIS_URL: '',
      COVEY_PROFILE: 'local',
      ...env,
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(input ?? '');
  const ended: Ended = { code: null, out: '', err: '' };
  child.stdout.on('data', (data) => (ended.out += data));
  child.stderr.on('data', (data) => (ended.err += data));
  return new Promise((resolve) => child.on('close', (code) => resolve({ ...ended, code })));
}

test('a run that died is begun again when a coordinator starts', async () => {
  await waitFor(
    async () => (await recentRuns(database.sql, 5)).some(({ state }) => state === 'complete'),
    'the run',
  );
  const runs = await recentRuns(database.sql, 5);
  assert.deepEqual(
    runs.map(({ state, error }) => [state, error]),
    [
      ['complete', null],
      ['failed', 'the process ended in the middle'],
    ],
  );
});

test('covey ingest: a job that the coordinator does, counts at the end, and the coordinator is told', async () => {
  const path = eventFile('good.jsonl', 20);
  const json = await covey(['ingest', path, '--json']);
  assert.equal(json.code, 0, json.err);
  const outcome = JSON.parse(json.out);
  assert.deepEqual([outcome.state, outcome.counts.accepted, outcome.counts.read], ['complete', 20, 20]);
  assert.match(outcome.job, /^ingest:\d+$/);
  assert.equal(changed.length, 1);

  const people = await covey(['ingest', path]);
  assert.equal(people.code, 0);
  assert.match(people.out, /good\.jsonl: complete in .*\n {2}read +20\n {2}known already +20/);
  assert.equal(changed.length, 1, 'nothing changed the second time');
});

test('standard input is kept until it is read, and then removed', async () => {
  const { code, out, err } = await covey(['ingest', '-', '--json'], { input: eventLines(25) });
  assert.equal(code, 0, err);
  assert.deepEqual([JSON.parse(out).source, JSON.parse(out).counts.accepted], ['events: standard input', 5]);
  assert.deepEqual(readdirSync(join(home, 'ingest')), []);
});

test('--here reads in a process of its own; both ways know the same graph', async () => {
  const path = eventFile('here.jsonl', 30);
  const { code, out, err } = await covey(['ingest', '--here', path, '--json']);
  assert.equal(code, 0, err);
  const { counts, job } = JSON.parse(out);
  assert.deepEqual([counts.accepted, counts.duplicate, job], [5, 25, undefined]);
  const broken = await covey(['ingest', '--here', 'wss://10.0.0.1', '--json'], {
    env: { COVEY_PROFILE: 'public' },
  });
  assert.equal(broken.code, 64);
  assert.match(broken.err, /private network/);
});

test('exit codes: wrong usage, nothing usable, no cluster', async () => {
  const edges = join(directory, 'edges.txt');
  writeFileSync(edges, `${'a'.repeat(64)} ${'b'.repeat(64)}\n`);
  const unsigned = await covey(['ingest', edges, '--format', 'edges']);
  assert.equal(unsigned.code, 64);
  assert.match(unsigned.err, /--unsigned/);
  assert.equal((await covey(['ingest', edges, '--format', 'edges', '--unsigned'])).code, 0);
  assert.equal((await covey(['ingest', 'nostr-social-graph'])).code, 64);
  assert.equal((await covey(['ingest', edges, '--watch'])).code, 64);
  assert.equal((await covey(['ingest', 'https://relay.example.com'])).code, 64);
  assert.equal((await covey(['ingest'])).code, 64);

  const gone = await covey(['ingest', '/nowhere/events.jsonl']);
  assert.equal(gone.code, 65);
  assert.match(gone.err, /can't be read/);
  const useless = join(directory, 'useless');
  writeFileSync(useless, 'hello\nworld\n');
  const nothing = await covey(['ingest', useless]);
  assert.equal(nothing.code, 65);
  assert.match(nothing.out, /rejected: broken json +2/);

  const nowhere = await covey(['ingest', useless], { env: { DATABASE_URL: '' } });
  assert.equal(nowhere.code, 69);
  assert.match(nowhere.err, /covey up/);
  const down = await covey(['ingest', useless], { env: { DATABASE_URL: 'postgres://127.0.0.1:1/covey' } });
  assert.equal(down.code, 69);
  assert.match(down.err, /can't be reached/);
});

test('a job that can not be done is set aside, and covey jobs shows, retries and drops it', async () => {
  // Queued by hand: the command line would have seen that there is no such file.
  const path = join(directory, 'later.jsonl');
  const id = await addIngestJob(jobs, { type: 'events', path });
  const poison = await jobs.add(INGEST_QUEUE, { type: 'what is this' });
  await waitFor(async () => (await jobs.counts(INGEST_QUEUE)).failed === 2, 'both jobs set aside');
  const list = await covey(['jobs']);
  assert.equal(list.code, 0, list.err);
  assert.match(list.out, new RegExp(`ingest:${id}: .*can't be read`));
  assert.match(list.out, new RegExp(`ingest:${poison}: "what is this" is not a type of source`));

  writeFileSync(path, eventLines(2));
  assert.equal((await covey(['jobs', 'retry', `ingest:${id}`])).code, 0);
  await waitFor(async () => (await jobs.find(INGEST_QUEUE, id))?.state === 'completed', 'the retry');
  assert.equal((await covey(['jobs', 'drop', `ingest:${poison}`])).code, 0);
  const json = JSON.parse((await covey(['jobs', '--json'])).out);
  assert.deepEqual(json.setAside, []);
  assert.equal((await covey(['jobs', 'drop', `ingest:${poison}`])).code, 65);
  assert.equal((await covey(['jobs', 'drop', 'nonsense'])).code, 64);
});

test('only what was spooled is ever removed', async () => {
  mkdirSync(join(home, 'ingest'), { recursive: true });
  const mine = eventFile('mine.jsonl', 1);
  const beside = join(home, 'ingest', 'mine.jsonl');
  writeFileSync(beside, eventLines(1));
  for (const path of [mine, beside]) {
    const id = await addIngestJob(jobs, { type: 'events', path, temporary: true });
    await waitFor(async () => (await jobs.find(INGEST_QUEUE, id))?.state === 'completed', 'the run');
    assert.ok(existsSync(path));
  }
});
