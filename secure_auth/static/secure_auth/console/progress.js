// Follows a verification that is under way, and shows its verdict when it is over.

const EVERY_MILLISECONDS = 1000;
const section = document.querySelector("[data-verification]");
const bar = document.getElementById("progress");
const told = document.querySelector("[data-progress]");

/** Nothing where the answer was lost on the way, or the service restarts: it is asked again. */
async function ask() {
  try {
    const answer = await fetch("/console/integrity/progress/", { redirect: "manual" });
    if (answer.ok) return await answer.json();
    return answer.status === 429 || answer.status >= 500 ? null : { open: false }; // refused: the page itself says why
  } catch {
    return null;
  }
}

async function follow() {
  const found = await ask();
  if (found && !(found.open && found.id === section.dataset.verification)) return location.reload();
  if (found?.total) {
    bar.max = found.total;
    bar.value = found.done;
    told.textContent = `${found.done} / ${found.total}`;
  }
  setTimeout(follow, EVERY_MILLISECONDS);
}

if (section?.dataset.verification) setTimeout(follow, EVERY_MILLISECONDS);
