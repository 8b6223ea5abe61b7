// Follows a verification that is under way, and shows its verdict when it is over.

const EVERY_MILLISECONDS = 1000;
const section = document.querySelector("[data-verification]");
const bar = document.getElementById("progress");
const told = document.querySelector("[data-progress]");

async function follow() {
  const answer = await fetch("/console/integrity/progress/", { redirect: "manual" });
  if (!answer.ok) return;
  const found = await answer.json();
  if (!found.open || found.id !== section.dataset.verification) return location.reload();
  if (found.total) {
    bar.max = found.total;
    bar.value = found.done;
    told.textContent = `${found.done} / ${found.total}`;
  }
  setTimeout(follow, EVERY_MILLISECONDS);
}

if (section?.dataset.verification) setTimeout(follow, EVERY_MILLISECONDS);
