// Passkeys: asks the service for options and the browser for an answer, which goes back as a field of the page's form.
// Without this file, or in a browser without passkeys, the form stays hidden and the other ways remain.

const toBytes = (text) =>
  Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (character) => character.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");

/** The options as the browser takes them, where it does not read their JSON itself (WebAuthn Level 3 section 5.1.10). */
function decode(options) {
  const known = (listed) => listed?.map((one) => ({ ...one, id: toBytes(one.id) }));
  return {
    ...options,
    challenge: toBytes(options.challenge),
    ...(options.user && { user: { ...options.user, id: toBytes(options.user.id) } }),
    ...(options.allowCredentials && { allowCredentials: known(options.allowCredentials) }),
    ...(options.excludeCredentials && { excludeCredentials: known(options.excludeCredentials) }),
  };
}

/** The JSON form of a credential (section 5.1.1), where the browser does not write it itself. */
function encode(credential) {
  if (credential.toJSON) return credential.toJSON();
  const { response } = credential;
  const told = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (response[name]) told[name] = toText(response[name]);
  }
  if (response.getTransports) told.transports = response.getTransports();
  return { id: credential.id, rawId: toText(credential.rawId), type: credential.type, response: told };
}

const ceremonies = {
  create: (options) =>
    navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON?.(options) ?? decode(options) }),
  get: (options) =>
    navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON?.(options) ?? decode(options) }),
};

async function fetchOptions(form) {
  const body = new URLSearchParams({ form_token: form.elements.form_token.value });
  const answer = await fetch(form.dataset.options, { method: "POST", body });
  if (answer.redirected) {
    location.reload(); // the login or the fresh proof is over: the page itself says what to do
    return null;
  }
  return answer.ok ? (await answer.json()).publicKey : null;
}

const REASONS = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known" };

function say(form, reason) {
  const said = form.querySelector("[data-said]");
  said.textContent = reason ? said.dataset[reason] : "";
  said.hidden = !reason;
}

async function answer(form) {
  say(form, "");
  try {
    const options = await fetchOptions(form);
    if (!options) return say(form, "failed");
    const credential = await ceremonies[form.dataset.passkey](options);
    form.elements.credential.value = JSON.stringify(encode(credential));
    form.requestSubmit();
  } catch (error) {
    say(form, REASONS[error.name] ?? "failed");
  }
}

const form = document.querySelector("form[data-passkey]");
if (form && window.PublicKeyCredential) {
  let isUnderWay = false;
  form.hidden = false;
  document.querySelector("[data-no-passkey]").hidden = true;
  if (form.dataset.passkey === "get") form.querySelector("button").focus();
  // Before any other listener: what has no credential yet is no second click.
  document.addEventListener(
    "submit",
    async (event) => {
      if (event.target !== form || form.elements.credential.value) return;
      event.preventDefault();
      if (isUnderWay) return;
      isUnderWay = true;
      await answer(form);
      isUnderWay = false;
    },
    true,
  );
  addEventListener("pageshow", () => (form.elements.credential.value = ""));
}
