import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import {
  apiPermissions,
  deflatedEventsFrame,
  eventsFrame,
  InvalidBatchError,
  InvalidClusterNameError,
  InvalidMessageError,
  isShortened,
  memberPermissions,
  parseAnnouncement,
  parseEventsFrame,
  parsePlacementFrame,
  parseProbeFrame,
  parseRedirect,
  probeFrame,
  readAck,
  readDeflatedEventsFrame,
  readHeartbeat,
  readMirrored,
  redirectMessage,
  subjectsOf,
  withoutLongContent,
} from './index.ts';

const vectors = JSON.parse(
  readFileSync(new URL('../../../test/vectors/protocol.json', import.meta.url), 'utf8'),
);
test('probes between members, as the vectors say', () => {
  for (const { frame, type } of vectors.probeFrames) {
    const parsed = parseProbeFrame(frame);
    assert.equal(parsed?.type ?? null, type, JSON.stringify(frame));
    if (parsed) assert.deepEqual(JSON.parse(probeFrame(parsed)), frame);
  }
});

const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const member = 'ab'.repeat(32);

describe('redirects and announcements', () => {
  test('as the vectors say', () => {
    for (const { message, urls } of vectors.redirects)
      assert.deepEqual(parseRedirect(message) ?? null, urls, message);
    for (const { frame, version } of vectors.announcements)
      assert.equal(parseAnnouncement(frame)?.version ?? null, version, JSON.stringify(frame));
  });

  test('what is written is read', () => {
    const urls = ['wss://a.example', 'wss://b.example/x'];
    assert.deepEqual(parseRedirect(redirectMessage(urls)), urls);
  });
});

describe('what announced clients get', () => {
  test('options as the vectors say', () => {
    for (const { announced, ...expected } of vectors.options) {
      const options = parseAnnouncement(['COVEY', { version: 1, ...announced }])?.options;
      assert.deepEqual(JSON.parse(JSON.stringify(options)), expected, JSON.stringify(announced));
    }
  });

  test('batches, as text and compressed', () => {
    const { subscription, list, text, header, deflated, badBinary } = vectors.events;
    assert.equal(eventsFrame(subscription, list), text);
    assert.deepEqual(parseEventsFrame(JSON.parse(text)), { subscription, events: JSON.parse(list) });
    const frame = deflatedEventsFrame(subscription, Buffer.from(deflated, 'hex'));
    assert.equal(Buffer.from(frame).toString('hex'), header + deflated);
    const read = readDeflatedEventsFrame(frame);
    assert.equal(read.subscription, subscription);
    assert.equal(inflateRawSync(read.deflatedList).toString(), list);
    for (const bad of badBinary)
      assert.throws(() => readDeflatedEventsFrame(Buffer.from(bad, 'hex')), InvalidBatchError, bad);
    assert.equal(parseEventsFrame(['EVENT', 'a', {}]), undefined);
    for (const bad of [['EVENTS'], ['EVENTS', 'a'], ['EVENTS', 'a', {}], ['EVENTS', 1, []]])
      assert.throws(() => parseEventsFrame(bad), InvalidBatchError);
  });

  test('content above a size is left out, and said', () => {
    for (const { bytesMax, json, sent } of vectors.shortened) {
      assert.equal(withoutLongContent(json, bytesMax), sent);
      assert.equal(isShortened(JSON.parse(sent)), sent !== json);
    }
  });

  test('frames about placement as the vectors say', () => {
    for (const { frame, type } of vectors.placementFrames)
      assert.equal(parsePlacementFrame(frame)?.type ?? null, type, JSON.stringify(frame));
  });
});

describe('NATS', () => {
  test('subjects as the vectors say', () => {
    const s = subjectsOf(vectors.subjects.cluster);
    const { manifest, ack, heartbeat } = vectors.subjects;
    assert.deepEqual(
      [s.manifest, s.delta(7), s.ack(vectors.subjects.member), s.heartbeat(vectors.subjects.member)],
      [manifest, vectors.subjects['delta 7'], ack, heartbeat],
    );
  });

  test('names that could reach into other subjects are refused', () => {
    for (const name of ['', 'a.b', '*', '>', 'A', 'a b', '-a', 'a'.repeat(33)])
      assert.throws(() => subjectsOf(name), InvalidClusterNameError, name);
  });

  test('a member may publish under its own key alone, the api nothing of the cluster', () => {
    const own = memberPermissions('birds', member).publish.allow.filter((subject) =>
      subject.startsWith('covey.'),
    );
    assert.deepEqual(
      own,
      ['ack', 'heartbeat', 'mirrored'].map((what) => `covey.birds.member.${member}.${what}`),
    );
    assert.ok(!apiPermissions('birds').publish.allow.some((subject) => subject.startsWith('covey.')));
    for (const { publish } of [memberPermissions('birds', member), apiPermissions('birds')])
      assert.ok(
        !publish.allow.some((subject) => /STREAM\.(CREATE|UPDATE|DELETE|PURGE)|API\.>/.test(subject)),
      );
  });

  test('messages are checked field by field', () => {
    const ack = { member, epoch: 3, root: 'cd'.repeat(32), atMs: 5 };
    assert.deepEqual(readAck(bytes(ack)), ack);
    const load = {
      connections: 0,
      subscriptions: 0,
      events: 0,
      bytes: 0,
      writesPerSecond: 0,
      readsPerSecond: 0,
      spooled: 0,
    };
    const beat = { member, startedAtMs: 1, sequence: 1, epoch: 0, software: 'covey', load };
    assert.deepEqual(readHeartbeat(bytes(beat)), beat);
    const verdicts = { suspect: [], returning: [], dead: [member], absent: [], majority: true };
    assert.deepEqual(readHeartbeat(bytes({ ...beat, verdicts })).verdicts, verdicts);
    assert.throws(() => readHeartbeat(bytes({ ...beat, verdicts: { dead: ['x'] } })), InvalidMessageError);
    for (const bad of [
      { ...beat, member: 'x' },
      { ...beat, sequence: -1 },
      { ...beat, load: { ...load, events: 'many' } },
      { ...beat, load: undefined },
      null,
      5,
    ])
      assert.throws(() => readHeartbeat(bytes(bad)), InvalidMessageError);
    const mirrored = { member, atMs: 5, accounts: [['cd'.repeat(32), 0]] };
    assert.deepEqual(readMirrored(bytes(mirrored)), mirrored);
    assert.throws(() => readMirrored(bytes({ ...mirrored, accounts: [['cd', 0]] })), InvalidMessageError);
    assert.throws(() => readAck(new Uint8Array([0xff, 0xfe])), /not JSON/);
  });
});
