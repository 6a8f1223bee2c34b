// The schema keeps what the last release has promised: `api/schema.baseline.graphql`.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';

import { breaking } from './breaking.mjs';

const api = (name) => readFile(new URL(`../../api/${name}`, import.meta.url), 'utf8');

test('clients of the last release still work', async () => {
  const changes = breaking(await api('schema.baseline.graphql'), await api('schema.graphql'));
  const advice = 'Deprecate it, and take it away after the next release. A release copies api/schema.graphql to api/schema.baseline.graphql.';
  assert.deepEqual(changes, [], advice);
});

test('what breaks clients is found, unless it was deprecated', () => {
  const before = `
    type Query { a: Int b: Old @deprecated(reason: "a") c(x: Int): State d: Used }
    type Old { x: Int }
    type Used { x: Int }
    enum State { ON OFF HALF @deprecated(reason: "none") }`;
  const same = before.replace('b: Old @deprecated(reason: "a")', '').replace('type Old { x: Int }', '').replace('HALF @deprecated(reason: "none")', '');
  assert.deepEqual(breaking(before, before), []);
  assert.deepEqual(breaking(before, same), []);
  for (const [from, to] of [
    ['a: Int', ''],
    ['a: Int', 'a: String'],
    ['x: Int):', 'x: Int!):'],
    ['x: Int):', 'x: Int, y: Int!):'],
    ['ON OFF', 'ON'],
    ['d: Used', 'd: Int'],
  ]) {
    const after = same.replace(from, to);
    assert.notEqual(after, same);
    assert.equal(breaking(before, after).length > 0, true, `${from} to ${to}`);
  }
});
