// A span of time is chosen by drawing over the bars: the page of that span follows. A click leads to one bar's span.

const chart = document.querySelector("[data-bars]");
const bars = chart ? Array.from(chart.children) : [];
let begun = -1;

function barAt(event) {
  const box = chart.getBoundingClientRect();
  const at = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
  return Math.max(0, Math.min(bars.length - 1, at));
}

function mark(from, to) {
  bars.forEach((bar, index) => bar.classList.toggle("brushed", index >= from && index <= to));
}

/** The first and last millisecond of a bar. */
function spanOf(index) {
  const length = chart.dataset.seconds * 1000;
  const start = Date.parse(chart.dataset.begin) + index * length;
  return [start, start + length - 1].map((moment) => new Date(moment).toISOString());
}

/** What can be pointed at: bars that are no links of their own, the empty ones too, get their place here. */
function makePlace(bar, index) {
  const place = document.createElementNS(chart.namespaceURI, "rect");
  const width = 1000 / bars.length;
  for (const [name, value] of Object.entries({ class: "place", x: index * width, width, height: 200 })) {
    place.setAttribute(name, value);
  }
  bar.prepend(place);
}

function open(from, to) {
  const wanted = new URL(chart.dataset.target, location.href);
  wanted.search = chart.dataset.query;
  wanted.searchParams.set("since", spanOf(from)[0]);
  wanted.searchParams.set("until", spanOf(to)[1]);
  location.assign(wanted);
}

function abandon() {
  begun = -1;
  mark(1, 0);
}

function finish(event) {
  if (begun < 0) return;
  const [from, to] = [begun, barAt(event)].sort((one, other) => one - other);
  if (from !== to || !bars[from].hasAttribute("href")) {
    begun = -1;
    return open(from, to);
  }
  abandon();
}

if (bars.length) {
  chart.classList.add("can-brush");
  bars.forEach((bar, index) => bar.hasAttribute("href") || makePlace(bar, index));
  chart.addEventListener("dragstart", (event) => event.preventDefault());
  chart.addEventListener("pointerdown", (event) => {
    begun = event.button === 0 && event.isPrimary ? barAt(event) : -1; // a second finger makes it a zoom
  });
  // A stroke is followed wherever it goes: who draws to the last bar goes beyond it.
  addEventListener("pointermove", (event) => {
    if (begun < 0) return;
    const [from, to] = [begun, barAt(event)].sort((one, other) => one - other);
    mark(from, to);
  });
  addEventListener("pointerup", finish);
  addEventListener("pointercancel", abandon);
  addEventListener("keydown", ({ key }) => key === "Escape" && abandon());
  chart.addEventListener("click", (event) => {
    if (chart.querySelectorAll(".brushed").length > 1) event.preventDefault();
  });
}
