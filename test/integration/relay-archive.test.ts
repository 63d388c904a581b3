import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { newSigner } from '../conformance/signer.ts';
import { WireClient } from '../conformance/wire-client.ts';
import { TestCluster, until } from './relay-fixture.ts';

const CLI = fileURLToPath(new URL('../../services/cli/src/main.ts', import.meta.url));
const root = mkdtempSync(join(tmpdir(), 'covey-archive-'));
const clusters: TestCluster[] = [];
after(async () => {
  await Promise.all(clusters.map((cluster) => cluster.stop()));
  rmSync(root, { recursive: true, force: true });
});

const covey = async (...args: string[]) =>
  (await promisify(execFile)(process.execPath, [CLI, 'relay', ...args])).stdout;

async function make(count: number): Promise<TestCluster> {
  const cluster = await TestCluster.make(count);
  clusters.push(cluster);
  return cluster;
}

describe("a member's folder", { timeout: 60_000 }, () => {
  it('is exported, imported, backed up while it runs, and vacuumed', async () => {
    const alice = newSigner();
    const cluster = await make(2);
    const [first, second] = cluster.members as [(typeof cluster.members)[0], (typeof cluster.members)[0]];
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await first.start();
    const client = await WireClient.open(first.url);
    const events = Array.from({ length: 40 }, (_, i) => alice.sign({ content: `${i} ${'x'.repeat(2000)}` }));
    for (const event of events) await client.publish(event);
    await client.publish(alice.sign({ kind: 5, tags: events.slice(0, 30).map(({ id }) => ['e', id]) }));

    const copy = join(root, 'copy.sqlite');
    assert.match(await covey('backup', first.dir, copy), /made by the running member/);
    await assert.rejects(covey('backup', first.dir, copy), /exists already/);
    await assert.rejects(covey('export', first.dir, join(root, 'x')), /in use by another process/);
    assert.equal((await client.publish(alice.sign({ content: 'goes on' })))[0], true);
    client.close();
    await first.stop();

    const file = join(root, 'events.jsonl');
    assert.match(await covey('export', first.dir, file), /^12 events/);
    const lines = readFileSync(file, 'utf8').trim().split('\n');
    assert.equal(JSON.parse(lines[0]!).kind, 5, 'what deletes comes first');
    assert.match(await covey('vacuum', first.dir), /bytes before, \d+ after/);

    writeFileSync(
      file,
      `${lines.join('\n')}\n${JSON.stringify(events[0])}\n{"bad":1}\n${lines[1]!.replace('"sig":"', '"sig":"0')}\n`,
    );
    assert.match(
      await covey('import', second.dir, file),
      /^12 events stored, 1 known, superseded or deleted, 2 lines/,
    );
    // A copy is a store: the second member serves what the backup has.
    const third = join(root, 'third');
    await covey('import', third, file);
    await second.start();
    assert.equal(second.relay!.load().events, 12);
    // Placed at its start: the account lives at the first.
    await first.start();
    await until('delivery of what was imported', () => second.relay!.load().spooled === 0);
    assert.equal(first.relay!.load().events, 12);
  });
});

describe('what has its place elsewhere now', { timeout: 60_000 }, () => {
  it('leaves after its grace, when the new holders have it', async () => {
    const alice = newSigner();
    const cluster = await make(4);
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.members[0]!.start({ graceMs: 1 });
    const client = await WireClient.open(cluster.members[0]!.url);
    for (let i = 0; i < 25; i++) await client.publish(alice.sign({ content: String(i) }));
    cluster.place([{ members: [2, 3], accounts: [alice.pubkey] }]);
    const [old] = cluster.members as [(typeof cluster.members)[0]];
    await until('a hand-over', () => old.relay!.load().spooled === 50);
    await old.relay!.departNow();
    assert.equal(old.relay!.load().events, 25, 'nobody has it yet: it stays');
    for (const i of [2, 3]) await cluster.members[i]!.start();
    await until('delivery', () => old.relay!.load().spooled === 0, 20_000);
    await old.relay!.departNow();
    assert.equal(old.relay!.load().events, 0);
    const { events } = await client.read({ authors: [alice.pubkey] });
    assert.equal(events.length, 25, 'and is read from them');
    client.close();
  });

  it('stays until its grace is over', async () => {
    const alice = newSigner();
    const cluster = await make(2);
    cluster.place([{ members: [0], accounts: [alice.pubkey] }]);
    await cluster.startAll({ graceMs: 3_600_000 });
    const [old, next] = cluster.members as [(typeof cluster.members)[0], (typeof cluster.members)[0]];
    const client = await WireClient.open(old.url);
    await client.publish(alice.sign());
    cluster.place([{ members: [1], accounts: [alice.pubkey] }]);
    await until('the copy', () => next.relay!.load().events === 1);
    await old.relay!.departNow();
    assert.equal(old.relay!.load().events, 1);
    client.close();
  });
});
