// Apollo Client: persisted queries, pages in Relay's form, errors.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { CombinedGraphQLErrors } from '@apollo/client/errors';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { relayStylePagination } from '@apollo/client/utilities';

import { addCustomer, authorization, sha256, url } from './rapport.mjs';

const PAGE = gql`
  query Page($after: String, $search: String!) {
    customers(first: 2, after: $after, filter: { search: $search }, orderBy: [{ field: DISPLAY_NAME }]) {
      edges { cursor node { id displayName } }
      pageInfo { hasNextPage endCursor }
      totalCount
    }
  }
`;

/** A client, and what it has sent. */
function client() {
  const sent = [];
  const http = new HttpLink({
    uri: `${url}/graphql`,
    headers: { authorization },
    fetch: async (uri, options) => {
      const response = await fetch(uri, options);
      const whole = (options.body ?? decodeURIComponent(uri)).includes('query Page');
      sent.push({ method: options.method, whole, status: response.status, cache: response.headers.get('cache-control') });
      return response;
    },
  });
  const persisted = new PersistedQueryLink({ sha256, useGETForHashedQueries: true });
  const cache = new InMemoryCache({
    typePolicies: { Query: { fields: { customers: relayStylePagination(['filter', 'orderBy']) } } },
  });
  return { client: new ApolloClient({ link: persisted.concat(http), cache }), sent };
}

test('a document is sent once by one of all clients, and pages add up', async () => {
  const search = `apollo ${sha256(authorization).slice(0, 8)}`;
  for (const letter of ['E', 'A', 'C', 'B', 'D']) await addCustomer(`${letter} ${search}`);

  const first = client();
  const pages = first.client.watchQuery({ query: PAGE, variables: { search } });
  pages.subscribe(() => {});
  let page = (await pages.result?.()) ?? (await first.client.query({ query: PAGE, variables: { search } }));
  while (page.data.customers.pageInfo.hasNextPage) {
    page = await pages.fetchMore({ variables: { after: page.data.customers.pageInfo.endCursor } });
  }
  const { data } = await first.client.query({ query: PAGE, variables: { search } });
  const names = data.customers.edges.map(({ node }) => node.displayName[0]);
  assert.deepEqual(names, ['A', 'B', 'C', 'D', 'E']);
  assert.equal(data.customers.totalCount, 5);
  const whole = first.sent.filter((request) => request.whole);
  assert.ok(whole.length <= 1 + 1, JSON.stringify(first.sent));
  const last = first.sent.at(-1);
  assert.deepEqual(last, { method: 'GET', whole: false, status: 200, cache: 'no-store' });

  const second = client();
  await second.client.query({ query: PAGE, variables: { search } });
  assert.deepEqual(second.sent, [{ method: 'GET', whole: false, status: 200, cache: 'no-store' }]);
});

test('errors arrive with their codes', async () => {
  const { client: apollo } = client();
  await assert.rejects(apollo.query({ query: gql`query Page { absent }` }), (error) => {
    assert.ok(CombinedGraphQLErrors.is(error), String(error));
    assert.equal(error.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    return true;
  });
});
