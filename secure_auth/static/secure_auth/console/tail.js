// Watches the log: asks every two seconds for what came, and puts it on top of the list.

const EVERY_MILLISECONDS = 2000;
const MOST_ROWS = 500;
const button = document.querySelector("[data-tail]");
const rows = document.querySelector("[data-events]");
const live = document.querySelector("[data-live]");
const template = document.querySelector("[data-row]");
const start = button?.textContent;
let tail = null;
let timer = 0;
let reached = button?.dataset.cursor; // of the list, then of what was added: no gap opens between two rows, however late it is watched

const formOf = () => new URLSearchParams({ form_token: button.dataset.token });
const addressOf = (more = "") => `/console/events/tail/${more}`;

function fill(row, event) {
  const values = { ...event, ip: event.source.ip };
  for (const cell of row.querySelectorAll(".time, button")) {
    const name = cell.name || "time";
    const value = values[name];
    if (!value) {
      cell.remove();
      continue;
    }
    const told = cell.firstElementChild ?? cell;
    told.textContent = cell.classList.contains("id") && value.length > 12 ? `…${value.slice(-8)}` : value;
    cell.title = value;
    if (name === "time") cell.href = `/console/events/${event.id}/`;
    else cell.value = value;
    if (name === "outcome") cell.className = `outcome-${value}`;
    if (name === "severity") told.className = `tag severity-${value}`;
  }
  return row;
}

/** Puts on top what the list does not show yet, and tells how much that was. */
function add(events) {
  const added = events.filter(({ id }) => !rows.querySelector(`[href="/console/events/${CSS.escape(id)}/"]`));
  const fresh = added.map((event) => {
    const row = fill(template.content.querySelector("tr").cloneNode(true), event);
    row.classList.add("fresh");
    return row;
  });
  rows.prepend(...fresh.reverse());
  while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
  return added.length;
}

async function ask(address, options) {
  const answer = await fetch(address, { redirect: "manual", headers: { Accept: "application/json" }, ...options });
  if (!answer.ok) throw Object.assign(new Error(`${answer.status} to a live tail`), { status: answer.status });
  return answer.status === 204 ? null : answer.json();
}

async function poll() {
  const own = tail;
  if (!own) return;
  try {
    const found = await ask(addressOf(`${own.id}/?${new URLSearchParams({ cursor: reached })}`));
    if (tail !== own) return; // stopped meanwhile, and perhaps begun anew
    reached = found.cursor;
    own.shown += add(found.results);
    say(found.behind ? button.dataset.behind : `+${own.shown}`);
    timer = setTimeout(poll, found.behind ? 0 : EVERY_MILLISECONDS);
  } catch (error) {
    if (tail !== own) return;
    if (isOver(error)) {
      tail = null;
      return show(button.dataset.lost);
    }
    say(button.dataset.waits);
    timer = setTimeout(poll, EVERY_MILLISECONDS);
  }
}

/** Whether the service refused; what was lost on the way or came while it restarts is asked again by the same cursor. */
function isOver(error) {
  return "status" in error && error.status !== 429 && error.status < 500;
}

/** Told once: a screen reader would read the same words again every two seconds. */
function say(words) {
  if (live.textContent !== words) live.textContent = words;
}

function show(words = "") {
  button.textContent = tail ? button.dataset.stop : start;
  say(words);
}

async function begin() {
  if (button.ariaBusy === "true") return;
  button.ariaBusy = "true"; // not disabled: that takes the focus away from who pressed it by key
  try {
    const opened = await ask(addressOf(`?${button.dataset.tail}`), { method: "POST", body: formOf() });
    tail = { id: opened.id, shown: 0 };
    show();
    timer = setTimeout(poll, 0);
  } catch {
    show(button.dataset.lost);
  }
  button.ariaBusy = null;
}

function stop() {
  const ended = tail;
  tail = null;
  clearTimeout(timer);
  // Where this is lost, the worker ends it.
  if (ended) fetch(addressOf(`${ended.id}/stop/`), { method: "POST", body: formOf(), keepalive: true }).catch(() => {});
  show();
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => (tail ? stop() : begin()));
  addEventListener("pagehide", stop);
}
