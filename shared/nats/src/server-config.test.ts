import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createNkey, InvalidNkeyError, publicNkey } from './nkeys.ts';
import { natsServerConfig } from './server-config.ts';

const settings = {
  name: 'covey-test',
  host: '127.0.0.1',
  port: 4620,
  storeDir: '/data/"quoted" $HOME',
  pidFile: '/data/nats.pid',
  storeBytesMax: 2 ** 30,
  syncAlways: true,
};
const permissions = { publish: { allow: ['$JS.API.INFO'] }, subscribe: { allow: ['a.>'] } };

test('names and subjects stand quoted, so that nothing in them is taken for syntax or a variable', () => {
  const { nkey } = createNkey();
  const config = natsServerConfig({ ...settings, users: [{ nkey, permissions }] });
  assert.match(config, /"store_dir": "\/data\/\\"quoted\\" \$HOME"/);
  assert.match(config, /"\$JS\.API\.INFO"/);
  assert.match(config, /"sync_interval": "always"/);
  assert.match(config, new RegExp(`"nkey": "${nkey}"`));
});

test('a seed never gets into a configuration', () => {
  const { seed, nkey } = createNkey();
  assert.throws(() => natsServerConfig({ ...settings, users: [{ nkey: seed, permissions }] }), {
    name: 'InvalidNatsUserError',
  });
  assert.equal(publicNkey(`${seed}\n`), nkey);
  assert.equal(publicNkey(nkey), nkey);
  for (const text of ['', 'U', 'SUabc', nkey.slice(0, -1)])
    assert.throws(() => publicNkey(text), InvalidNkeyError);
});
