// Judges the proof of an event: RFC 9162 inclusion, C2SP checkpoint, salted commitments. Nothing is asked of the service.

const PINNED = "verifier-key:";
const FIELDS = ["id", "time", "type", "outcome", "reason", "severity", "session"];
const bytesOf = (text) => new TextEncoder().encode(text);
const fromBase64 = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
const toBase64 = (bytes) => btoa(String.fromCharCode(...bytes));

async function sha256(...parts) {
  const joined = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", joined));
}

const isSame = (one, other) => canonical(one) === canonical(other);

/** RFC 8785: what ECMAScript prints, with members in the order of their UTF-16 code units. */
function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/** The event that a leaf and its opened values tell. */
function eventOf(leaf, values) {
  const text = Object.entries(values).filter(([name]) => name.startsWith("text."));
  return {
    ...Object.fromEntries(FIELDS.map((name) => [name, leaf[name]])),
    user: values.user ?? "",
    subject: values.subject ?? "",
    source: { ip: values.ip ?? "", user_agent: values.user_agent ?? "", request_id: leaf.request_id },
    details: { ...leaf.details, ...Object.fromEntries(text.map(([name, value]) => [name.slice(5), value])) },
  };
}

/** The event as the page shows it. */
function shownEvent(root) {
  const found = { source: {}, details: {} };
  for (const one of root.querySelectorAll("[data-field]")) {
    const [outer, inner] = one.dataset.field.split(".");
    if (inner) found[outer][inner] = one.dataset.value;
    else found[outer] = one.dataset.value;
  }
  for (const one of root.querySelectorAll("[data-detail]")) found.details[one.dataset.detail] = JSON.parse(one.dataset.value);
  return found;
}

/** RFC 9162 section 2.1.3.2: the root that a leaf's path leads to; null where the path has another length. */
async function rootOf(index, size, leafHash, path) {
  let [node, last, hash] = [index, size - 1, leafHash];
  if (!Number.isSafeInteger(index) || index < 0 || index >= size) return null;
  for (const sibling of path) {
    if (last === 0 || sibling.length !== 32) return null;
    if (node % 2 === 1 || node === last) {
      hash = await sha256(Uint8Array.of(1), sibling, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
    } else {
      hash = await sha256(Uint8Array.of(1), hash, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? hash : null;
}

/** A checkpoint's parts (C2SP tlog-checkpoint), and its signature lines (signed-note). */
function readCheckpoint(note) {
  const blank = note.indexOf("\n\n");
  const text = note.slice(0, blank + 1);
  const [origin, size, root] = text.split("\n");
  const lines = note.slice(blank + 2).split("\n").filter(Boolean).map((line) => line.split(" "));
  const signatures = lines.map(([, name, encoded]) => ({ name, bytes: fromBase64(encoded) }));
  return { text, origin, size: Number(size), root, signatures };
}

/** A C2SP verifier key: name+id+base64 of type and key. */
async function readKey(vkey) {
  const [, name, id, encoded] = /^([^+\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)$/.exec(vkey.trim()) ?? [];
  if (!name) throw new Error("no verifier key");
  const bytes = fromBase64(encoded);
  const own = (await sha256(bytesOf(`${name}\n`), bytes)).slice(0, 4);
  const hexadecimal = Array.from(own, (byte) => byte.toString(16).padStart(2, "0")).join("");
  if (bytes[0] !== 1 || bytes.length !== 33 || hexadecimal !== id) throw new Error("no Ed25519 verifier key");
  return { name, id: own, bytes: bytes.slice(1) };
}

/** Whether a key signed a checkpoint: what is no key did not. Undefined where this browser knows no Ed25519. */
async function isSigned(checkpoint, vkey) {
  let key, imported;
  try {
    key = await readKey(vkey);
    imported = await crypto.subtle.importKey("raw", key.bytes, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    return error.name === "NotSupportedError" ? undefined : false; // a slip in the key says nothing of the event
  }
  const own = checkpoint.signatures.find(
    ({ name, bytes }) => name === key.name && bytes.length === 68 && toBase64(bytes.slice(0, 4)) === toBase64(key.id),
  );
  if (!own || checkpoint.origin !== key.name) return false;
  return crypto.subtle.verify({ name: "Ed25519" }, imported, own.bytes.slice(4), bytesOf(checkpoint.text));
}

/** Whether salts and values open the commitments; undefined where some were removed, which no single event can judge. */
async function areOpened(leaf, openings, erased) {
  const named = [...Object.keys(openings), ...erased].sort();
  if (!isSame(named, Object.keys(leaf.commitments).sort())) return false;
  for (const [name, { salt, value }] of Object.entries(openings)) {
    const bytes = fromBase64(salt);
    const found = await sha256(bytes, bytesOf(canonical({ [name]: value })));
    if (bytes.length !== 16 || toBase64(found) !== leaf.commitments[name]) return false;
  }
  return erased.length ? undefined : true;
}

/** Whether it is the key that this browser met first for this log; it remembers the first one. */
function isPinned(vkey) {
  const name = PINNED + vkey.split("+")[0];
  const known = localStorage.getItem(name);
  if (known === null) localStorage.setItem(name, vkey.trim());
  return known === null || known === vkey.trim();
}

/** Every step, by name: true, false, or undefined where it could not be judged. */
async function judge(proof, shown, vkey) {
  const leafText = proof.leaf ?? "";
  const leaf = proof.leaf === null ? null : JSON.parse(leafText);
  const values = Object.fromEntries(Object.entries(proof.openings).map(([name, { value }]) => [name, value]));
  const hash = leaf ? await sha256(Uint8Array.of(0), bytesOf(leafText)) : fromBase64(proof.leaf_hash);
  const checkpoint = readCheckpoint(proof.checkpoint);
  const root = await rootOf(proof.index, checkpoint.size, hash, proof.hashes.map(fromBase64));
  const signature = await isSigned(checkpoint, vkey);
  return {
    shown: leaf ? isSame(shown, proof.event) : undefined,
    told: leaf ? isSame(proof.event, eventOf(leaf, values)) : undefined,
    leaf: leaf ? canonical(leaf) === leafText && toBase64(hash) === proof.leaf_hash : undefined,
    openings: leaf ? await areOpened(leaf, proof.openings, proof.erased) : undefined,
    path: root !== null && toBase64(root) === checkpoint.root,
    signature,
    pinned: signature ? isPinned(vkey) : undefined,
  };
}

/** Only what was judged wholly passes: a step without a result must never look like one that succeeded. */
function verdictOn(found, erased) {
  const open = Object.keys(found).filter((name) => found[name] !== true);
  if (open.some((name) => found[name] === false)) return "fail";
  if (open.length === 0) return "pass";
  return erased.length && open.every((name) => name === "openings") ? "erased" : "unable";
}

function showSteps(section, found, erased) {
  const words = section.querySelector(".checks").dataset;
  for (const line of section.querySelectorAll("[data-step]")) {
    const state = { true: "pass", false: "fail" }[found[line.dataset.step]] ?? "none";
    line.dataset.state = state;
    const told = line.querySelector("b") ?? line.appendChild(document.createElement("b"));
    told.textContent = words[state];
  }
  const verdict = section.querySelector("[data-verdict]");
  const state = verdictOn(found, erased);
  verdict.dataset.state = state;
  verdict.textContent = verdict.dataset[state];
  const removed = section.querySelector("[data-removed]");
  removed.hidden = erased.length === 0;
  removed.querySelector("b").textContent = erased.join(", ");
}

async function check(section) {
  const steps = Array.from(section.querySelectorAll("[data-step]"), (line) => line.dataset.step);
  let found = Object.fromEntries(steps.map((step) => [step, false]));
  let erased = [];
  try {
    const proof = JSON.parse(document.getElementById("proof").textContent);
    found = await judge(proof, shownEvent(document.querySelector("[data-fields]")), section.querySelector("[data-vkey]").value);
    erased = proof.erased;
  } catch {
    // What cannot even be read fits nothing: every step has failed.
  }
  showSteps(section, found, erased);
}

const section = document.querySelector("[data-verify]");
if (section?.querySelector("[data-step]")) {
  const again = section.querySelector("[data-again]");
  again.hidden = false;
  again.addEventListener("click", () => check(section));
  section.querySelector("[data-vkey]").addEventListener("change", () => check(section));
  for (const button of section.querySelectorAll("[data-copy]")) {
    button.hidden = false;
    button.addEventListener("click", async () => {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      button.textContent = button.dataset.done;
    });
  }
  check(section);
}
