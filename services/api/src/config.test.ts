import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError } from '@covey/config';
import { isLoopback, readApiConfig } from './config.ts';

const ROOT = 'a'.repeat(64);

test('defaults: loopback, closed to admins, nothing but the root needed', () => {
  const config = readApiConfig({ COVEY_ROOTS: ROOT });
  assert.deepEqual(config.listen, { host: '127.0.0.1', port: 4600 });
  assert.equal(config.admin, false);
  assert.equal(config.nats, undefined);
  assert.equal(config.databaseUrl, undefined);
  assert.equal(config.dir, '.covey/api');
});

test('admin routes open on loopback only', () => {
  const open = (listen: string) =>
    readApiConfig({ COVEY_ROOTS: ROOT, COVEY_ADMIN: 'open', COVEY_LISTEN: listen });
  for (const listen of ['4700', 'localhost:4700', '127.0.0.1:4700', '[::1]:4700'])
    assert.equal(open(listen).admin, true, listen);
  for (const listen of ['0.0.0.0:4700', '[::]:4700', '10.0.0.1:4700'])
    assert.throws(() => open(listen), ConfigError, listen);
  assert.equal(isLoopback('127.0.0.1.example'), false);
});

test('what is missing or wrong is named', () => {
  assert.throws(() => readApiConfig({}), /COVEY_ROOTS is not set/);
  assert.throws(() => readApiConfig({ COVEY_ROOTS: ',' }), /COVEY_ROOTS names no root key/);
  assert.throws(() => readApiConfig({ COVEY_ROOTS: 'note1x' }), /COVEY_ROOTS/);
  assert.throws(() => readApiConfig({ COVEY_ROOTS: ROOT, COVEY_ADMIN: 'yes' }), /COVEY_ADMIN/);
});
