import assert from 'node:assert/strict';
import { test } from 'node:test';
import { connectNats, NatsLink } from '@covey/nats';
import { subjectsOf } from '@covey/protocol';
import { freePort, startNats } from '../support/servers.ts';
import { waitFor } from '../support/wait-for.ts';

test('a link waits for a server that is not there yet, and can be closed while it waits', {
  timeout: 20_000,
}, async () => {
  const link = new NatsLink({ url: `nats://127.0.0.1:${await freePort()}`, user: 'coordinator' });
  await waitFor(() => link.lastError, 'a failed attempt');
  assert.equal(link.connection, undefined);
  assert.equal(link.publish('x', {}), false, 'dropped, not queued');
  await link.close();
  // The test runner's own time-out would tell if an attempt kept the process alive.
});

test('a link hears of the server’s restart, and is connected again', { timeout: 40_000 }, async () => {
  const nats = await startNats();
  const link = new NatsLink({ url: nats.url, user: 'coordinator', nkeyFile: nats.nkeyFile('coordinator') });
  let connects = 0;
  link.onConnect(() => connects++);
  try {
    await waitFor(() => connects === 1, 'the first connect');
    if (process.env['NATS_URL']) return; // a server that ran before is not restarted
    await nats.restart();
    await waitFor(() => connects === 2 && link.connection, 'the second connect', 20_000);
  } finally {
    await link.close();
    await nats.stop();
  }
});

test('a member can’t publish another’s heartbeat, nor touch the streams', {
  timeout: 20_000,
}, async (context) => {
  if (process.env['NATS_URL']) return context.skip('the server of NATS_URL has users of its own');
  const [one, two] = ['aa'.repeat(32), 'bb'.repeat(32)] as [string, string];
  const nats = await startNats({ members: [one] });
  const connection = await connectNats({ url: nats.url, user: one, nkeyFile: nats.nkeyFile(one) });
  const subjects = subjectsOf(nats.cluster);
  try {
    const errors: string[] = [];
    void (async () => {
      for await (const status of connection.status())
        if (status.type === 'error') errors.push(String(status.error));
    })();
    connection.publish(subjects.heartbeat(one), '{}');
    await connection.flush();
    assert.equal(errors.length, 0);
    for (const forbidden of [
      subjects.heartbeat(two),
      subjects.manifest,
      subjects.ack(two),
      `$JS.API.STREAM.DELETE.${subjects.tableStream}`,
    ]) {
      connection.publish(forbidden, '{}');
      await connection.flush();
      await waitFor(() => errors.some((error) => error.includes(forbidden)), `a refusal of ${forbidden}`);
    }
  } finally {
    await connection.close();
    await nats.stop();
  }
});
