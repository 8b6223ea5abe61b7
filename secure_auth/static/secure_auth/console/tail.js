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

const formOf = () => new URLSearchParams({ form_token: button.dataset.token });
const addressOf = (more = "") => `/console/events/tail/${more}`;

function fill(row, event) {
  const values = { ...event, ip: event.source.ip, q: event.reason };
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

function add(events) {
  for (const event of events) {
    const row = fill(template.content.querySelector("tr").cloneNode(true), event);
    row.classList.add("fresh");
    rows.prepend(row);
  }
  while (rows.children.length > MOST_ROWS) rows.lastElementChild.remove();
}

async function ask(address, options) {
  const answer = await fetch(address, { redirect: "manual", headers: { Accept: "application/json" }, ...options });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer.status === 204 ? null : answer.json();
}

async function poll() {
  if (!tail) return;
  try {
    const found = await ask(addressOf(`${tail.id}/?${new URLSearchParams({ cursor: tail.cursor })}`));
    if (!tail) return;
    tail.cursor = found.cursor;
    tail.shown += found.results.length;
    add(found.results);
    live.textContent = found.behind ? button.dataset.behind : `+${tail.shown}`;
    timer = setTimeout(poll, found.behind ? 0 : EVERY_MILLISECONDS);
  } catch {
    tail = null;
    show(button.dataset.lost);
  }
}

function show(words = "") {
  button.textContent = tail ? button.dataset.stop : start;
  button.setAttribute("aria-pressed", String(Boolean(tail)));
  live.textContent = words;
}

async function begin() {
  button.disabled = true;
  try {
    const opened = await ask(addressOf(`?${button.dataset.tail}`), { method: "POST", body: formOf() });
    tail = { ...opened, shown: 0 };
    show();
    timer = setTimeout(poll, 0);
  } catch {
    show(button.dataset.lost);
  }
  button.disabled = false;
}

function stop() {
  const ended = tail;
  tail = null;
  clearTimeout(timer);
  if (ended) fetch(addressOf(`${ended.id}/stop/`), { method: "POST", body: formOf(), keepalive: true });
  show();
}

if (button) {
  button.hidden = false;
  button.addEventListener("click", () => (tail ? stop() : begin()));
  addEventListener("pagehide", stop);
}
