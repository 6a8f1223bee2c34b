// Who is signed in at the console: their two tokens, and requests that go on when the access token has expired.
//
// Invariant: a refresh token is sent once, however many requests find out at the same time that their access
// token is not good any more.

const ACCESS = "rapport.token";
const REFRESH = "rapport.refreshToken";

/**
 * A session whose tokens are kept in `storage`. `refreshing` is a promise of the mutation that takes the variable
 * `refreshToken` and gives the next pair, or of nothing. `changed` is told when a session has begun, or gone on, and
 * `ended` when it cannot go on.
 */
export function openSession({ storage, refreshing, changed, ended }) {
  const held = (name) => storage.getItem(name) ?? "";
  let underWay = null;

  function keep(accessToken, refreshToken) {
    storage.setItem(ACCESS, accessToken);
    storage.setItem(REFRESH, refreshToken);
  }

  /** Keeps the tokens of a payload that has some. */
  function take(answer) {
    const [payload] = Object.values(answer.data ?? {});
    if (!payload?.accessToken) return false;
    keep(payload.accessToken, payload.refreshToken ?? "");
    changed();
    return true;
  }

  async function goOn(refreshToken) {
    const query = await refreshing;
    if (!query) return;
    const { answer } = await post(query, { refreshToken }, "");
    // Somebody else may have signed in meanwhile.
    if (held(REFRESH) !== refreshToken || take(answer)) return;
    const [payload] = Object.values(answer.data ?? {});
    const isRefused = payload?.userErrors?.some(({ code }) => code !== "RATE_LIMITED");
    if (!isRefused) return;
    keep("", "");
    ended();
  }

  return {
    /** The access token; empty when nobody is signed in. */
    token: () => held(ACCESS),

    /** Goes on with an access token that was got elsewhere, and cannot be refreshed. */
    use: (accessToken) => keep(accessToken, ""),

    /** Begins a session; the mutation's answer, and whether it has begun. */
    async begin(query, variables) {
      const { answer } = await post(query, variables, "");
      return { answer, begun: take(answer) };
    },

    /** Asks as who is signed in: the response, and its JSON. */
    async ask(query, variables = {}) {
      const sent = held(ACCESS);
      const first = await post(query, variables, sent);
      if (!isUnauthenticated(first)) return first;
      if (held(ACCESS) === sent && held(REFRESH)) {
        underWay ??= goOn(held(REFRESH)).finally(() => (underWay = null));
        await underWay;
      }
      const token = held(ACCESS);
      return token && token !== sent ? post(query, variables, token) : first;
    },
  };
}

/** Whether nothing was done for want of a good access token. */
function isUnauthenticated({ response, answer }) {
  const says = answer.errors?.some(({ extensions }) => extensions?.code === "UNAUTHENTICATED");
  return response.status === 401 || (says && !answer.data);
}

async function post(query, variables, token) {
  const response = await fetch("/graphql", {
    method: "POST",
    headers: {
      "content-type": "application/json",
      accept: "application/graphql-response+json, application/json",
      ...(token && { authorization: `Bearer ${token}` }),
    },
    body: JSON.stringify({ query, variables }),
  });
  return { response, answer: await response.json() };
}
