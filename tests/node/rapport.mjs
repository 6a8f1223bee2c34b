// The Rapport that the tests talk to, as its Rust test has started it.

import { createHash } from 'node:crypto';

export const url = needed('RAPPORT_URL');
export const token = needed('RAPPORT_TOKEN');
export const email = needed('RAPPORT_EMAIL');
export const password = needed('RAPPORT_PASSWORD');
export const authorization = `Bearer ${token}`;

/** The lower-case hexadecimal SHA-256 of a text. */
export const sha256 = (text) => createHash('sha256').update(text).digest('hex');

/** Asks over plain HTTP; fails on any error. */
export async function ask(query, variables) {
  const response = await fetch(`${url}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}

/** Adds a customer; its id. */
export async function addCustomer(displayName) {
  const data = await ask(
    `mutation ($name: String!) {
      createCustomer(input: { kind: PERSON, displayName: $name }) { customer { id } userErrors { message } }
    }`,
    { name: displayName },
  );
  return data.createCustomer.customer.id;
}

function needed(name) {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is missing; \`cargo test -p tests --test suite node\` sets it`);
  return value;
}
