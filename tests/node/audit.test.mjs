// The public audit of the GraphQL over HTTP specification: MUST, SHOULD and MAY alike.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { serverAudits } from 'graphql-http';

import { url } from './rapport.mjs';

describe('GraphQL over HTTP', () => {
  const audits = serverAudits({ url: `${url}/graphql`, fetchFn: fetch });

  test('the audit is whole', () => assert.equal(audits.length, 61));

  for (const audit of audits) {
    test(`${audit.id} ${audit.name}`, async () => {
      const result = await audit.fn();
      assert.equal(result.status, 'ok', result.reason);
    });
  }
});
