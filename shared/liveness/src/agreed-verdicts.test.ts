import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agreedVerdicts } from './agreed-verdicts.ts';
import { ALL_ALIVE } from './verdicts.ts';

test('a member stands as most say, or worse', () => {
  const dead = { ...ALL_ALIVE, dead: ['x'] };
  const absent = { ...ALL_ALIVE, absent: ['x'] };
  const suspect = { ...ALL_ALIVE, suspect: ['x'] };
  assert.deepEqual(agreedVerdicts([dead, absent, ALL_ALIVE]).dead, ['x']);
  assert.deepEqual(agreedVerdicts([dead, absent, absent]).absent, ['x']);
  assert.deepEqual(agreedVerdicts([dead, suspect, ALL_ALIVE]).suspect, ['x']);
  assert.deepEqual(agreedVerdicts([dead, ALL_ALIVE]), ALL_ALIVE);
  assert.deepEqual(agreedVerdicts([{ ...ALL_ALIVE, returning: ['x'] }]).returning, ['x']);
});

test('and nobody knows of a majority while most do not', () => {
  const minority = { ...ALL_ALIVE, majority: false };
  assert.equal(agreedVerdicts([minority, ALL_ALIVE]).majority, false);
  assert.equal(agreedVerdicts([minority, ALL_ALIVE, ALL_ALIVE]).majority, true);
  assert.equal(agreedVerdicts([]).majority, false);
});
