// As much of a browser as the console needs.

import { url } from './rapport.mjs';

class Element {
  children = [];
  value = '';
  textContent = '';
  hidden = false;
  append(...children) {
    this.children.push(...children);
  }
  replaceChildren(...children) {
    this.children = children;
  }
  get lastElementChild() {
    return this.children.at(-1);
  }
  querySelector() {
    return this.children[0]?.children?.[0];
  }
  click() {
    this.onclick?.();
  }
  focus() {
    document.activeElement = this;
  }
  setAttribute() {}
  addEventListener() {}
}

/** A page whose storage begins with `stored`: its elements by their ids, its storage, and the bodies that it has sent to /graphql. */
export function openPage(stored) {
  const [elements, storage, sent] = [new Map(), new Map(Object.entries(stored)), []];
  const element = (id) => {
    if (!elements.has(id)) elements.set(id, new Element());
    return elements.get(id);
  };
  globalThis.document = {
    activeElement: null,
    getElementById: element,
    createElement: () => new Element(),
    querySelector: () => null,
    addEventListener() {},
  };
  globalThis.sessionStorage = {
    getItem: (name) => storage.get(name) ?? null,
    setItem: (name, value) => storage.set(name, value),
  };
  const { fetch } = globalThis;
  globalThis.fetch = (path, options) => {
    if (path === '/graphql') sent.push(JSON.parse(options.body));
    return fetch(new URL(path, url), options);
  };
  return { element, storage, sent };
}
