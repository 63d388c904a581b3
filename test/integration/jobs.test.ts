import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { Jobs, UnrecoverableError } from '@covey/jobs';
import { REDIS_MISSING, startPostgres, startRedis } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';

const quiet = { info: () => {}, warn: () => {} };

interface Server {
  databaseUrl: string;
  redisUrl?: string;
  stop(): Promise<void>;
}

const backends: Record<'postgres' | 'redis', () => Promise<Server | undefined>> = {
  postgres: async () => {
    const { url, stop } = await startPostgres();
    return { databaseUrl: url, stop };
  },
  redis: async () => {
    const redis = await startRedis();
    return redis && { databaseUrl: 'postgres://nowhere.invalid/none', redisUrl: redis.url, stop: redis.stop };
  },
};

for (const [kind, start] of Object.entries(backends)) {
  describe(`jobs on ${kind}`, () => {
    let server: Server | undefined;
    const open: Jobs[] = [];
    const cluster = `test-${randomBytes(4).toString('hex')}`;
    const newJobs = (name = cluster) => {
      const { databaseUrl, redisUrl } = server!;
      const jobs = new Jobs({ cluster: name, databaseUrl, redisUrl, logger: quiet });
      open.push(jobs);
      return jobs;
    };

    before(async () => {
      server = await start();
    });
    after(async () => {
      await Promise.all(open.map((jobs) => jobs.close()));
      await server?.stop();
    });

    const withServer = (name: string, body: () => Promise<void>) =>
      test(name, async (t) => {
        if (server) await body();
        else t.skip(REDIS_MISSING);
      });

    withServer(
      'a poison job is set aside, visible, and the queue goes on; it can be retried and dropped',
      async () => {
        const jobs = newJobs();
        assert.equal(jobs.kind, kind);
        let cured = false;
        const done: string[] = [];
        jobs.work<{ name: string }, object, string>('poison', async ({ name }) => {
          if (name === 'poison' && !cured) throw new UnrecoverableError('it can not be read');
          done.push(name);
          return name;
        });
        const poison = await jobs.add('poison', { name: 'poison' });
        for (const name of ['a', 'b', 'c']) await jobs.add('poison', { name });
        await waitFor(() => done.length === 3, 'the jobs behind the poison one');
        const [aside] = await jobs.setAside('poison');
        assert.deepEqual([aside?.id, aside?.reason, aside?.attempts], [poison, 'it can not be read', 1]);
        assert.equal((await jobs.counts('poison')).failed, 1);

        cured = true;
        await jobs.retry('poison', poison);
        await waitFor(async () => (await jobs.find('poison', poison))?.state === 'completed', 'the retry');
        assert.equal((await jobs.find('poison', poison))?.result, 'poison');
        await assert.rejects(jobs.retry('poison', poison), { name: 'JobNotFoundError' });
        await assert.rejects(jobs.drop('poison', 'no-such-job'), { name: 'JobNotFoundError' });

        cured = false;
        const second = await jobs.add('poison', { name: 'poison' });
        await waitFor(async () => (await jobs.counts('poison')).failed === 1, 'the second poison job');
        await jobs.drop('poison', second);
        assert.equal((await jobs.counts('poison')).failed, 0);
      },
    );

    withServer('a job that fails is tried again after a wait, and its progress is seen', async () => {
      const jobs = newJobs();
      const tries: number[] = [];
      jobs.work<object, { step: number }, string>('again', async (_, { attempt, attemptsMax, progress }) => {
        tries.push(attempt);
        assert.ok(attemptsMax > 2);
        for (let step = 1; step <= 20; step++) progress({ step });
        if (attempt === 1) throw new Error('not yet');
        return 'done';
      });
      const id = await jobs.add('again', {});
      await waitFor(async () => (await jobs.find('again', id))?.state === 'delayed', 'the wait');
      assert.equal((await jobs.find('again', id))?.reason, 'not yet');
      await waitFor(async () => (await jobs.find('again', id))?.state === 'completed', 'the second try');
      assert.deepEqual(tries, [1, 2]);
      assert.deepEqual((await jobs.find('again', id))?.progress, { step: 20 });
    });

    withServer('the same errand twice is one job until it is done', async () => {
      const jobs = newJobs();
      let release = () => {};
      const held = new Promise<void>((resolve) => {
        release = resolve;
      });
      jobs.work('same', () => held);
      const first = await jobs.add('same', { n: 1 }, { key: 'one' });
      assert.equal(await jobs.add('same', { n: 1 }, { key: 'one' }), first);
      await waitFor(async () => (await jobs.find('same', first))?.state === 'active', 'the start');
      assert.equal(await jobs.add('same', { n: 1 }, { key: 'one' }), first);
      release();
      await waitFor(async () => (await jobs.find('same', first))?.state === 'completed', 'the end');
      assert.notEqual(await jobs.add('same', { n: 1 }, { key: 'one' }), first);
    });

    withServer('a process that stops gives its job back, uncounted, and another one takes it', async () => {
      const [first, second] = [newJobs(), newJobs()];
      let started = 0;
      const work = (_: object, { signal }: { signal: AbortSignal }) =>
        new Promise<string>((_resolve, reject) => {
          started++;
          signal.addEventListener('abort', () => reject(signal.reason as Error));
        });
      first.work('stop', work);
      const id = await second.add('stop', {});
      await waitFor(() => started === 1, 'the first start');
      await first.close();
      const waiting = await second.find('stop', id);
      assert.deepEqual([waiting?.state, waiting?.attempts], ['waiting', 0]);
      second.work('stop', async (_, { attempt }) => attempt);
      await waitFor(async () => (await second.find('stop', id))?.state === 'completed', 'the second start');
    });

    withServer('a schedule makes jobs, once however often it is set, until it is taken away', async () => {
      const [a, b] = [newJobs(), newJobs()];
      let runs = 0;
      a.work('clock', async () => ++runs);
      await Promise.all([a.schedule('clock', 'tick', 200, {}), b.schedule('clock', 'tick', 200, {})]);
      const startMs = performance.now();
      await waitFor(() => runs >= 4, 'four ticks');
      assert.ok(performance.now() - startMs > 400, 'not at once');
      await a.unschedule('clock', 'tick');
    });

    withServer('queues of another cluster are other queues', async () => {
      const [ours, theirs] = [newJobs(), newJobs(`${cluster}-b`)];
      const id = await ours.add('apart', {});
      assert.equal(await theirs.find('apart', id), undefined);
      assert.equal((await theirs.counts('apart')).waiting, 0);
      assert.equal((await ours.counts('apart')).waiting, 1);
    });
  });
}

test('a cluster name that no queue can carry is refused', () => {
  for (const cluster of ['', 'Ä', 'a b', 'x'.repeat(41), '"; drop'])
    assert.throws(() => new Jobs({ cluster, databaseUrl: 'postgres://x', logger: quiet }), {
      name: 'JobsConfigError',
    });
});

test('a server that is away is told as such, in time', async () => {
  const nowhere = 'postgres://127.0.0.1:1/none';
  for (const [redisUrl, expected] of [
    ['redis://127.0.0.1:1', { name: 'JobsUnreachableError' }],
    [undefined, { code: 'ECONNREFUSED' }],
  ] as const) {
    const jobs = new Jobs({
      cluster: 'away',
      databaseUrl: nowhere,
      redisUrl,
      logger: quiet,
      answerMsMax: 200,
    });
    await assert.rejects(jobs.add('any', {}), expected);
    await jobs.close();
  }
});

test('PostgreSQL crashes: jobs that wait stay, and new ones are new', async (t) => {
  const postgres = await startPostgres();
  const jobs = new Jobs({ cluster: 'crash', databaseUrl: postgres.url, logger: quiet });
  t.after(async () => {
    await jobs.close();
    await postgres.stop();
  });
  if (!postgres.restart) return t.skip('the PostgreSQL of DATABASE_URL is not restarted');
  for (let i = 0; i < 3; i++) await jobs.add('waits', { i });
  await postgres.restart('SIGQUIT');
  // Its connections are dead, and it finds that out by asking.
  await waitFor(
    () =>
      jobs
        .counts('waits')
        .then(({ waiting }) => waiting === 3)
        .catch(() => false),
    'the jobs of before',
  );
  for (let i = 3; i < 6; i++) await jobs.add('waits', { i });
  assert.equal((await jobs.counts('waits')).waiting, 6);
});
