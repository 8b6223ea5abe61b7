// How strong a new password is, estimated by the service while it is typed. What the service takes is decided there.

const WAIT_MILLISECONDS = 350;
const BUSY_MILLISECONDS = 1500; // the service makes one estimate at a time
const room = document.querySelector("[data-strength]");
const form = room.closest("form");
const input = form.querySelector("[autocomplete=new-password]");
const address = form.querySelector("[autocomplete=username]");
const meter = room.querySelector("meter");
const words = room.querySelector("[data-words]");
const sentences = JSON.parse(room.dataset.advice || "null"); // zxcvbn's own, in the language of the page
let waiting = 0;
let asking = new AbortController();

function show({ score, warning, suggestions, faults }) {
  const fault = faults.map((one) => room.dataset[one.code]).find(Boolean);
  const advice = [warning, ...suggestions].map((one) => (sentences ? sentences[one] : one));
  meter.value = fault ? Math.min(score, 1) : score;
  words.textContent = [fault ?? `${room.dataset[`score${score}`]}.`, ...advice].filter(Boolean).join(" ");
  room.hidden = meter.hidden = false;
}

async function estimate() {
  asking.abort();
  asking = new AbortController();
  try {
    const answer = await fetch("/api/v1/password/strength/", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ password: input.value, email: address?.value || undefined }),
      signal: asking.signal,
    });
    if (answer.ok) show(await answer.json());
    else room.hidden = true;
    if (answer.status === 503) waiting = setTimeout(estimate, BUSY_MILLISECONDS);
  } catch (error) {
    if (error.name !== "AbortError") room.hidden = true;
  }
}

input.addEventListener("input", () => {
  clearTimeout(waiting);
  if (input.value) waiting = setTimeout(estimate, WAIT_MILLISECONDS);
  else room.hidden = true;
});
