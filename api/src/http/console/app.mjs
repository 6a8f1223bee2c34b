// The console at `/`: asks, shows, and browses the schema. It uses nothing but the browser and /graphql.

import { openSession } from "./session.mjs";

const $ = (id) => document.getElementById(id);
const el = (tag, props = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
};
const DRAFT = "rapport.draft";

const offered = fetch("/console/examples.json").then((response) => response.json());
const session = openSession({
  storage: sessionStorage,
  refreshing: offered.then(({ login }) => login?.refresh),
  changed: () => {
    $("token").value = session.token();
    $("login-status").textContent = "";
  },
  ended: () => {
    $("token").value = "";
    $("login-status").textContent = "Your session has ended; sign in again.";
    $("login-fields").lastElementChild?.focus();
  },
});

function report(text, isBad = false) {
  $("status").textContent = text;
  $("status").className = isBad ? "bad" : "";
}

async function run() {
  let variables = {};
  try {
    variables = JSON.parse($("variables").value.trim() || "{}");
  } catch (error) {
    return report(`The variables are not JSON: ${error.message}`, true);
  }
  sessionStorage.setItem(DRAFT, JSON.stringify([$("query").value, $("variables").value]));
  report("…");
  const started = performance.now();
  try {
    const { response, answer } = await session.ask($("query").value, variables);
    const ms = Math.round(performance.now() - started);
    $("result").textContent = JSON.stringify(answer, null, 2);
    report(`${response.status} in ${ms} ms`, Boolean(answer.errors));
  } catch (error) {
    report(`No answer: ${error.message}`, true);
  }
}

// Examples and signing in

function choose(example, button) {
  $("query").value = example.query.trim();
  $("variables").value = example.variables ? JSON.stringify(example.variables, null, 2) : "";
  $("about").textContent = example.about ?? "";
  document.querySelector("#example-list [aria-current]")?.removeAttribute("aria-current");
  button.setAttribute("aria-current", "true");
}

function offer(examples) {
  for (const example of examples) {
    const button = el("button", { type: "button", textContent: example.title });
    button.onclick = () => choose(example, button);
    $("example-list").append(el("li", {}, button));
  }
  const draft = JSON.parse(sessionStorage.getItem(DRAFT) ?? "null");
  if (draft) [$("query").value, $("variables").value] = draft;
  else $("example-list").querySelector("button")?.click();
  $("examples").hidden = !examples.length;
}

function offerLogin(login) {
  if (!login) return;
  const inputs = Object.entries(login.fields).map(([name, value]) =>
    el("input", { name, value, type: name.includes("password") ? "password" : "text", placeholder: name, ariaLabel: name }));
  $("login-fields").replaceChildren(...inputs);
  $("login").hidden = false;
  $("login").onsubmit = async (event) => {
    event.preventDefault();
    try {
      const variables = Object.fromEntries(inputs.map(({ name, value }) => [name, value]));
      const { answer, begun } = await session.begin(login.query, variables);
      if (begun) {
        report("Signed in.");
        loadSchema();
      } else {
        $("result").textContent = JSON.stringify(answer, null, 2);
        report("Not signed in.", true);
      }
    } catch (error) {
      report(`No answer: ${error.message}`, true);
    }
  };
}

// The schema

const TYPE = "kind name ofType { kind name ofType { kind name ofType { kind name } } }";
const INTROSPECTION = `{ __schema {
  queryType { name } mutationType { name } subscriptionType { name }
  types { kind name description
    fields(includeDeprecated: true) { name description isDeprecated deprecationReason type { ${TYPE} } args { name description defaultValue type { ${TYPE} } } }
    inputFields { name description defaultValue type { ${TYPE} } }
    enumValues { name description } possibleTypes { name } } } }`;

let schema = { types: new Map(), roots: [] };

const spell = (type) => type.kind === "NON_NULL" ? `${spell(type.ofType)}!` : type.kind === "LIST" ? `[${spell(type.ofType)}]` : type.name;
const base = (type) => type.ofType ? base(type.ofType) : type.name;
const link = (text, name) => el("button", { type: "button", className: "name", textContent: text, onclick: () => showType(name) });
const says = (text, word) => text?.toLowerCase().includes(word);

function entry(member) {
  const term = el("dt", {}, member.name);
  if (member.args?.length) {
    const args = member.args.flatMap((arg, index) => [
      index ? ", " : "(", el("span", { title: arg.description ?? "" }, `${arg.name}: `), link(spell(arg.type), base(arg.type)),
    ]);
    term.append(...args, ")");
  }
  if (member.type) term.append(": ", link(spell(member.type), base(member.type)));
  if (member.defaultValue) term.append(` = ${member.defaultValue}`);
  const notes = [member.description, member.isDeprecated && `Deprecated: ${member.deprecationReason ?? ""}`].filter(Boolean);
  return [term, el("dd", {}, notes.join("\n"))];
}

function showType(name) {
  const type = schema.types.get(name);
  if (!type) return;
  const members = type.fields ?? type.inputFields ?? type.enumValues ?? type.possibleTypes ?? [];
  $("types").replaceChildren(
    el("p", {}, el("button", { type: "button", className: "name", textContent: "← all", onclick: showAll }), ` ${type.kind.toLowerCase().replace("_", " ")}`),
    el("h3", { textContent: type.name }),
    el("p", { textContent: type.description ?? "" }),
    el("dl", {}, ...members.flatMap((member) => type.possibleTypes && !type.fields ? [el("dt", {}, link(member.name, member.name))] : entry(member))),
  );
  $("schema").scrollTop = 0;
}

function showAll() {
  const word = $("search").value.trim().toLowerCase();
  const found = [];
  for (const root of schema.roots) {
    const fields = (schema.types.get(root).fields ?? []).filter((field) => !word || says(field.name, word) || says(field.description, word));
    if (fields.length) found.push(el("h3", { textContent: root }), el("dl", {}, ...fields.flatMap(entry)));
  }
  const types = [...schema.types.values()].filter((type) => !type.name.startsWith("__") && !schema.roots.includes(type.name));
  const matching = types.filter((type) => !word || says(type.name, word) || says(type.description, word)
    || [...(type.fields ?? []), ...(type.inputFields ?? []), ...(type.enumValues ?? [])].some((member) => says(member.name, word) || says(member.description, word)));
  if (matching.length) {
    found.push(el("h3", { textContent: "Types" }), el("dl", {}, ...matching.flatMap((type) =>
      [el("dt", {}, link(type.name, type.name)), el("dd", { textContent: (type.description ?? "").split("\n")[0] })])));
  }
  $("types").replaceChildren(...(found.length ? found : [el("p", { textContent: "Nothing matches." })]));
}

async function loadSchema() {
  const { answer } = await session.ask(INTROSPECTION);
  const found = answer.data?.__schema;
  if (!found) {
    return $("types").replaceChildren(el("p", { textContent: "The schema cannot be read. Sign in first?" }));
  }
  schema.types = new Map(found.types.map((type) => [type.name, type]));
  schema.roots = [found.queryType, found.mutationType, found.subscriptionType].filter(Boolean).map((type) => type.name);
  showAll();
}

$("run").onclick = run;
$("search").oninput = showAll;
$("token").value = session.token();
$("token").onchange = () => { session.use($("token").value.trim()); loadSchema(); };
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    run();
  }
});
for (const id of ["query", "variables"]) {
  $(id).addEventListener("keydown", (event) => {
    if (event.key === "Escape") $("run").focus(); // The way out by keyboard, since Tab indents.
    if (event.key === "Tab" && !event.shiftKey && !event.ctrlKey) {
      event.preventDefault();
      event.target.setRangeText("  ", event.target.selectionStart, event.target.selectionEnd, "end");
    }
  });
}
offered.then(({ login, examples = [] }) => {
  offerLogin(login);
  offer(examples);
});
loadSchema();
