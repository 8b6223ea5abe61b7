// Refreshes the session whose tokens this browser holds as cookies, once for all tabs of this origin. For pages of
// adopting applications (docs/cookies.md): the address of this file and what it exports stay as they are.
//
//   import { lastRefresh, refresh } from "/static/secure_auth/refresh.js";
//
//   const before = await lastRefresh();       // before a request; where its answer has the code invalid_token:
//   await refresh(before);
//
// No token is seen here. One record in IndexedDB is shared by the tabs: the key of a refresh that is under way, so that
// a lost answer is asked for again and not taken for theft, and what the last refresh came to, for those that waited.
// It is not in localStorage: what one tab writes there, another may see only after it got the lock.

const ADDRESS = "/api/v1/token/refresh/";
const NAME = "secure-auth-refresh"; // of the lock and of the database
const ATTEMPTS = 2; // the second asks for an answer that was lost; for more the caller had better wait
const WAIT_MILLISECONDS = 20_000;
const ENDED = [400, 401, 403]; // no refresh token, a session that is over, no CSRF token

/** What tells the last refresh of any tab from others. Ask before a request that may be refused. */
export async function lastRefresh() {
  return change((state) => state.last);
}

/**
 * Get new tokens, unless a tab got some since `before`.
 *
 * @param {string} [before] what lastRefresh() told before the request that was refused; what it tells now, if left out.
 * @returns {Promise<boolean>} true: go on; false: the session is over, sign in.
 * @throws {Error} nobody knows: no answer came (`cause` says why), or the service is busy (`status`). Ask again later.
 */
export async function refresh(before) {
  const begun = Date.now();
  const since = before ?? (await lastRefresh());
  const come = () => refreshOnce(since, begun);
  // Without locks the tabs share the key, so that their requests are doubles of one: more of them, and no harm.
  return navigator.locks ? navigator.locks.request(NAME, come) : come();
}

async function refreshOnce(before, begun) {
  let failure = new Error("secure-auth: another tab got no answer to a refresh");
  let turn;
  for (let lost = 0; lost < ATTEMPTS; ) {
    turn = await change((state) => takeTurn(state, before, begun));
    let outcome = turn.outcome;
    if (!outcome) {
      try {
        outcome = await conclude(turn, await send(turn.key));
      } catch (error) {
        failure = error;
        lost += error.status ? ATTEMPTS : 1;
      }
    }
    if (outcome === "none") throw failure;
    if (outcome) return outcome === "fresh";
  }
  await change((state) => settle(state, turn.since, { outcome: "none" }));
  throw failure;
}

/** What another tab came to meanwhile; or the key to send, which is kept before it is sent. */
function takeTurn(state, before, begun) {
  // Who waited meanwhile gets no answer either; who comes later asks anew.
  const isAnew = state.outcome === "none" && state.at < begun;
  if (state.last !== before && !isAnew) return { outcome: state.outcome };
  const isKept = Boolean(state.key);
  state.key ||= crypto.randomUUID();
  return { key: state.key, isKept, since: state.last };
}

/** What an answer means to all tabs; empty where another key must be taken. */
async function conclude({ key, isKept, since }, { ok, status }) {
  if (!ok && !ENDED.includes(status)) {
    throw Object.assign(new Error(`secure-auth: ${status} to a refresh`), { status });
  }
  // A kept key did its work already: the cookies came, and the tab went before it knew. They may be old by now.
  const outcome = ok ? "fresh" : status === 400 && isKept ? "" : "over";
  return change((state) => settle(state, since, { outcome, key }));
}

function settle(state, since, { outcome, key }) {
  const isLate = state.last !== since;
  if (isLate && !(state.outcome === "none" && outcome === "fresh")) return state.outcome;
  if (state.key === key) state.key = "";
  if (outcome) Object.assign(state, { outcome, last: crypto.randomUUID(), at: Date.now() });
  return outcome;
}

async function send(key) {
  const csrf = document.cookie.match(/(?:^|; )__Host-csrf=([^;]*)/)?.[1] ?? "";
  try {
    return await fetch(ADDRESS, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        "X-Token-Delivery": "cookie",
        "X-CSRF-Token": csrf,
        "Idempotency-Key": key,
      },
      body: "{}",
      signal: AbortSignal.timeout(WAIT_MILLISECONDS),
    });
  } catch (cause) {
    throw new Error("secure-auth: no answer to a refresh", { cause });
  }
}

/** Read the record, let `decide` change it, and write it: one step that no other tab comes between. */
async function change(decide) {
  const database = await open();
  return new Promise((resolve, reject) => {
    const transaction = database.transaction("state", "readwrite", { durability: "strict" });
    const records = transaction.objectStore("state");
    const read = records.get(0);
    let result;
    read.onsuccess = () => {
      const state = read.result ?? { key: "", last: "", outcome: "" };
      result = decide(state);
      records.put(state, 0);
    };
    transaction.oncomplete = () => resolve(result);
    transaction.onabort = () => reject(transaction.error);
  });
}

let opened;

function open() {
  opened ??= new Promise((resolve, reject) => {
    const asked = indexedDB.open(NAME, 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("state");
    asked.onsuccess = () => {
      // Site data may be cleared while a tab is open.
      asked.result.onversionchange = asked.result.onclose = () => {
        asked.result.close();
        opened = undefined;
      };
      resolve(asked.result);
    };
    asked.onerror = () => reject(asked.error);
  });
  // A browser may forbid storage for now, and say so at once or by the request.
  opened.catch(() => {
    opened = undefined;
  });
  return opened;
}
