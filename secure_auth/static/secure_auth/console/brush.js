// A span of time is chosen by drawing over the bars: the page of that span follows. A click leads to one bar's span.

const chart = document.querySelector("[data-bars]");
const bars = chart ? Array.from(chart.querySelectorAll("a")) : [];
let begun = -1;

function barAt(event) {
  const box = chart.getBoundingClientRect();
  const at = Math.floor(((event.clientX - box.left) / box.width) * bars.length);
  return Math.max(0, Math.min(bars.length - 1, at));
}

function mark(from, to) {
  bars.forEach((bar, index) => bar.classList.toggle("brushed", index >= from && index <= to));
}

function finish(event) {
  if (begun < 0) return;
  const [from, to] = [begun, barAt(event)].sort((one, other) => one - other);
  begun = -1;
  if (from === to) return mark(1, 0);
  const wanted = new URL(bars[from].getAttribute("href"), location.href);
  wanted.searchParams.set("until", new URL(bars[to].getAttribute("href"), location.href).searchParams.get("until"));
  location.assign(wanted);
}

if (bars.length) {
  chart.classList.add("can-brush");
  chart.addEventListener("dragstart", (event) => event.preventDefault());
  chart.addEventListener("pointerdown", (event) => {
    begun = event.button === 0 ? barAt(event) : -1;
  });
  chart.addEventListener("pointermove", (event) => {
    if (begun < 0) return;
    const [from, to] = [begun, barAt(event)].sort((one, other) => one - other);
    mark(from, to);
  });
  chart.addEventListener("pointerup", finish);
  chart.addEventListener("pointerleave", () => {
    begun = -1;
    mark(1, 0);
  });
  chart.addEventListener("click", (event) => {
    if (chart.querySelectorAll(".brushed").length > 1) event.preventDefault();
  });
}
