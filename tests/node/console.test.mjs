// The console at `/`: its examples, and going on when the access token has expired.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ask, email, password, url } from './rapport.mjs';
import { openPage } from './page.mjs';

const [ACCESS, REFRESH] = ['rapport.token', 'rapport.refreshToken'];
const EXPIRED = 'expired';
const ME = '{ me { email } }';

const offer = await (await fetch(`${url}/console/examples.json`)).json();
const page = openPage({});
await import('../../api/src/http/console/app.mjs');
const { openSession } = await import('../../api/src/http/console/session.mjs');

const refreshes = () => page.sent.filter(({ query }) => query === offer.login.refresh).length;

/** A session of its own, and how often it was told that it has changed or ended. */
function session() {
  const stored = new Map();
  const storage = { getItem: (name) => stored.get(name) ?? null, setItem: (name, value) => stored.set(name, value) };
  const told = { changed: 0, ended: 0 };
  const count = (what) => () => (told[what] += 1);
  const refreshing = Promise.resolve(offer.login.refresh);
  return { ...openSession({ storage, refreshing, changed: count('changed'), ended: count('ended') }), stored, told };
}

/** Waits until something is so. */
async function until(isSo) {
  for (let turn = 0; !isSo(); turn += 1) {
    assert.ok(turn < 500, String(isSo));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

test('the page loads its own files, and may load nothing else', async () => {
  const html = await fetch(url);
  assert.match(html.headers.get('content-security-policy'), /^default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';/);
  const files = [...(await html.text()).matchAll(/(?:src|href)="([^"]+\.\w+)"/g)].map(([, path]) => path);
  assert.deepEqual(files, ['/console/style.css', '/console/app.mjs']);
  for (const path of [...files, '/console/session.mjs']) {
    const file = await fetch(new URL(path, url));
    assert.equal(file.status, 200, path);
    assert.match(file.headers.get('content-type'), path.endsWith('.css') ? /^text\/css/ : /^text\/javascript/);
  }
});

test('what the console offers runs', async () => {
  assert.ok(offer.examples.length > 0);
  for (const { query, variables } of offer.examples) await ask(query, variables ?? {});
});

test('a session goes on by one refresh, however many requests find its token expired', async () => {
  const mine = session();
  const { begun } = await mine.begin(offer.login.query, { email, password });
  assert.ok(begun);
  const refreshToken = mine.stored.get(REFRESH);
  mine.stored.set(ACCESS, EXPIRED);
  const before = refreshes();
  const all = await Promise.all(Array.from({ length: 5 }, () => mine.ask(ME)));
  for (const { response, answer } of all) {
    assert.equal(response.status, 200);
    assert.deepEqual(answer.data, { me: { email } });
  }
  assert.equal(refreshes() - before, 1);
  assert.deepEqual(mine.told, { changed: 2, ended: 0 });
  assert.notEqual(mine.stored.get(REFRESH), refreshToken);
  assert.notEqual(mine.token(), EXPIRED);
  mine.stored.set(ACCESS, EXPIRED);
  assert.deepEqual((await mine.ask(ME)).answer.data, { me: { email } }, 'and goes on by the next token');
});

test('a session that cannot be refreshed ends once, and what was asked is not asked again', async () => {
  const mine = session();
  await mine.begin(offer.login.query, { email, password });
  const { answer } = await mine.ask('mutation { logout { userErrors { code } } }');
  assert.deepEqual(answer.data.logout.userErrors, []);
  const before = page.sent.length;
  const all = await Promise.all([mine.ask(ME), mine.ask(ME)]);
  assert.deepEqual(all.map(({ response }) => response.status), [401, 401]);
  assert.equal(page.sent.length - before, 3, 'two questions and one refresh');
  assert.deepEqual(mine.told, { changed: 1, ended: 1 });
  assert.deepEqual([mine.stored.get(ACCESS), mine.stored.get(REFRESH)], ['', '']);
});

test('a token from elsewhere is not refreshed', async () => {
  const mine = session();
  await mine.begin(offer.login.query, { email, password });
  mine.use(EXPIRED);
  const before = refreshes();
  assert.equal((await mine.ask(ME)).response.status, 401);
  assert.equal(refreshes(), before);
  assert.deepEqual(mine.told, { changed: 1, ended: 0 });
});

test('the page signs in, goes on, and falls back to its form', async () => {
  const { element, storage } = page;
  await until(() => element('login').onsubmit);
  const run = async () => {
    element('query').value = ME;
    element('variables').value = '';
    element('run').click();
    await until(() => / in \d+ ms$/.test(element('status').textContent));
    return JSON.parse(element('result').textContent);
  };
  const inputs = element('login-fields').children;
  for (const input of inputs) input.value = { email, password }[input.name];
  await element('login').onsubmit({ preventDefault() {} });
  assert.equal(element('status').textContent, 'Signed in.');
  assert.deepEqual((await run()).data, { me: { email } });

  storage.set(ACCESS, EXPIRED);
  assert.deepEqual((await run()).data, { me: { email } });
  assert.equal(element('token').value, storage.get(ACCESS));

  storage.set(ACCESS, EXPIRED);
  storage.set(REFRESH, `${storage.get(REFRESH)}0`);
  assert.equal((await run()).errors[0].extensions.code, 'UNAUTHENTICATED');
  assert.equal(element('token').value, '');
  assert.equal(element('login-status').textContent, 'Your session has ended; sign in again.');
  assert.equal(document.activeElement, inputs.find(({ name }) => name === 'password'));

  await element('login').onsubmit({ preventDefault() {} });
  assert.equal(element('login-status').textContent, '');
  assert.deepEqual((await run()).data, { me: { email } });
});
