// Comfort only: every page works without this file.

const FILE_MILLISECONDS = 3000;

// A second click on a button that is under way does nothing. Where a file comes, the page stays and is of use again.
for (const form of document.forms) {
  form.addEventListener("submit", (event) => {
    if (form.ariaBusy === "true") {
      event.preventDefault();
    } else if (!event.defaultPrevented) {
      form.ariaBusy = "true";
      if ("file" in form.dataset) setTimeout(() => (form.ariaBusy = null), FILE_MILLISECONDS);
    }
  });
}
function free() {
  for (const form of document.forms) {
    form.ariaBusy = null;
  }
}
// Who stops an answer that takes too long may press again.
globalThis.navigation?.addEventListener("navigateerror", free);
addEventListener("pageshow", (event) => {
  free();
  // A browser may keep a page whole for the Back button; who is signed in may have changed since.
  if (event.persisted) {
    location.reload();
  }
});

// A refusal is the answer to what was sent: without this, the history keeps the password in it, which a reload sends
// again, and so does who comes after, by going back.
if (document.querySelector("[data-secret]")) history.replaceState(history.state, "", location.href);

// Show what is typed into a password field.
for (const box of document.querySelectorAll("[data-secret]")) {
  const input = box.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet";
  const say = (shown) => {
    input.type = shown ? "text" : "password";
    button.textContent = shown ? box.dataset.hide : box.dataset.show;
    button.setAttribute("aria-label", `${button.textContent}: ${input.labels[0].textContent}`);
  };
  button.addEventListener("click", () => say(input.type === "password"));
  input.form.addEventListener("submit", () => say(false));
  say(false);
  box.append(button);
}

// A mailed link carries its token behind #, which no server and no referrer sees.
const mailed = document.querySelector("[data-mailed-token]");
function takeToken() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  if (mailed && token) {
    mailed.value = token;
    history.replaceState(null, "", location.pathname + location.search);
  } else if (token && ["/enrol/", "/reauthenticate/"].includes(location.pathname) && location.search !== "?mailed") {
    // Somebody is signed in here, and the link is for another account, whose app would open this one.
    location.replace(`/enrol/?mailed${location.hash}`);
  }
  // From the link, or still good after a refusal that was for something else.
  if (mailed?.value && mailed.ariaInvalid !== "true") {
    mailed.closest(".field").hidden = true;
    // The browser itself goes to a field that was refused.
    if (!mailed.form.querySelector("[autofocus]")) {
      mailed.form.querySelector("input:not([type=hidden]):not([data-mailed-token])")?.focus();
    }
  }
}
takeToken();
// Another link, opened where such a page is shown already, changes nothing but what stands behind #.
addEventListener("hashchange", takeToken);
// Another language is another page: what the link brought goes along as it came.
document.querySelector(".languages")?.addEventListener("submit", ({ target }) => {
  if (mailed?.value) target.action += `#${new URLSearchParams({ token: mailed.value })}`;
});

// Recovery codes: copy, download, print.
const codes = document.querySelector("[data-codes]");
if (codes) {
  const text = [...codes.querySelectorAll("li")].map((line) => line.textContent.trim()).join("\n") + "\n";
  const said = document.querySelector("[data-said]");
  const acts = {
    copy: async (button) => {
      try {
        await navigator.clipboard.writeText(text);
        said.textContent = button.dataset.done;
      } catch {
        said.textContent = button.dataset.refused;
      }
    },
    download: (button) => {
      const link = document.createElement("a");
      link.href = URL.createObjectURL(new Blob([`${button.dataset.heading}\n\n${text}`], { type: "text/plain" }));
      link.download = button.dataset.name;
      link.click();
      URL.revokeObjectURL(link.href);
    },
    print: () => window.print(),
  };
  for (const button of document.querySelectorAll("[data-act]")) {
    button.hidden = false;
    button.addEventListener("click", () => acts[button.dataset.act](button));
  }
}

// Times in the person's own zone.
for (const time of document.querySelectorAll("time[datetime]")) {
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  time.title = time.textContent;
  time.textContent = format.format(new Date(time.dateTime));
}
