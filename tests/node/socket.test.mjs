// The reference client of graphql-transport-ws.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

import { addCustomer, ask, authorization, url } from './rapport.mjs';

const FOLLOW = 'subscription ($ids: [ID!]) { customerChanged(ids: $ids) { id displayName } }';
const RENAME = `mutation ($id: ID!, $name: String!) {
  updateCustomer(id: $id, input: { displayName: $name }) { customer { displayName } userErrors { message } }
}`;

function client(options = {}) {
  return createClient({
    url: `${url.replace('http', 'ws')}/graphql/ws`,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
    ...options,
  });
}

test('queries, mutations and errors come over the socket', async (t) => {
  const socket = client({ lazy: false });
  t.after(() => socket.dispose());
  const first = async (payload) => (await socket.iterate(payload).next()).value;
  assert.deepEqual((await first({ query: '{ me { email } }' })).data, { me: { email: 'accountant@rapport.example' } });
  const id = await addCustomer('Lan');
  const renamed = await first({ query: RENAME, variables: { id, name: 'Lan Anh' } });
  assert.equal(renamed.data.updateCustomer.customer.displayName, 'Lan Anh');
  await assert.rejects(first({ query: '{ absent }' }), (errors) => {
    assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    return true;
  });
});

test('a follower hears of a change, and the socket serves several followers', async (t) => {
  const socket = client({ lazy: false });
  t.after(() => socket.dispose());
  const [lan, minh] = [await addCustomer('Lan'), await addCustomer('Minh')];
  const followers = [lan, minh].map((id) => socket.iterate({ query: FOLLOW, variables: { ids: [id] } }));
  const heard = followers.map(async (follower) => {
    for await (const { data } of follower) {
      if (data.customerChanged.displayName.endsWith('!')) return data.customerChanged;
    }
  });
  // Operations of a socket begin in order.
  await socket.iterate({ query: '{ __typename }' }).next();
  await ask(RENAME, { id: minh, name: 'Minh!' });
  await ask(RENAME, { id: lan, name: 'Lan!' });
  assert.deepEqual(await Promise.all(heard), [
    { id: lan, displayName: 'Lan!' },
    { id: minh, displayName: 'Minh!' },
  ]);
});

test('who cannot say who they are is not let in', async (t) => {
  for (const connectionParams of [undefined, { authorization: 'Bearer nonsense' }]) {
    const socket = client({ connectionParams });
    t.after(() => socket.dispose());
    await assert.rejects(socket.iterate({ query: '{ __typename }' }).next(), (event) => {
      assert.equal(event.code, 4403);
      return true;
    });
  }
});
