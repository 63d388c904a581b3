import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { ConfigError } from '@covey/config';
import { readConfig } from './config.ts';

const dir = mkdtempSync(join(tmpdir(), 'covey-config-'));
after(() => rmSync(dir, { recursive: true, force: true }));
const key = join(dir, 'member.key');
writeFileSync(key, '01'.repeat(32), { mode: 0o600 });
const read = (more: Record<string, string>) =>
  readConfig({ COVEY_MEMBER_KEY_FILE: key, COVEY_MEMBER_DIR: dir, ...more }).relay;

describe("a member's settings", () => {
  it('say what NIP-11 says of the relay and its operator, and nothing that is not given', () => {
    assert.deepEqual(read({}).words, {});
    const pubkey = 'a'.repeat(64);
    assert.deepEqual(
      read({
        COVEY_MEMBER_DESCRIPTION: 'birds',
        COVEY_OPERATOR_PUBKEY: pubkey,
        COVEY_OPERATOR_CONTACT: 'mailto:me@example.com',
        COVEY_MEMBER_TERMS: 'https://example.com/terms',
      }).words,
      {
        description: 'birds',
        pubkey,
        contact: 'mailto:me@example.com',
        terms_of_service: 'https://example.com/terms',
      },
    );
    for (const bad of [
      { COVEY_OPERATOR_PUBKEY: 'me' },
      { COVEY_OPERATOR_CONTACT: 'me' },
      { COVEY_MEMBER_ICON: 'icon.png' },
    ])
      assert.throws(() => read(bad), ConfigError);
  });

  it('name a store and a verifier', () => {
    assert.equal(read({}).storeUrl, undefined);
    assert.deepEqual(read({}).verifier, {});
    assert.equal(read({ COVEY_STORE_URL: 'postgres://db/covey' }).storeUrl, 'postgres://db/covey');
    assert.deepEqual(read({ COVEY_VERIFIER: 'secp256k1', COVEY_SECP256K1_LIBRARY: '/x.so' }).verifier, {
      wanted: 'secp256k1',
      library: '/x.so',
    });
    for (const bad of [{ COVEY_STORE_URL: 'mysql://db' }, { COVEY_VERIFIER: 'fastest' }])
      assert.throws(() => read(bad), ConfigError);
  });
});
