// The small start page: sign in, see who you are, look through contacts, watch what happens. The web client comes later.
"use strict";
const at = (id) => document.getElementById(id);
let stream = null, next = "", query = "", renewing = null, challenge = "";

async function call(method, path, body, again = true) {
  const answer = await fetch(path, {
    method, credentials: "same-origin",
    headers: { "X-CSRF": "1", ...(body ? { "Content-Type": "application/json" } : {}) },
    body: body ? JSON.stringify(body) : undefined,
  });
  if (answer.status === 401 && again && !path.startsWith("/v1/auth:")) {
    // One renewal for all requests that wait: a refresh token is good for one use.
    renewing = renewing || call("POST", "/v1/auth:refresh").then(() => true, () => false).finally(() => { renewing = null; });
    if (await renewing) return call(method, path, body, false);
  }
  const json = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(json.detail || answer.statusText), { status: answer.status, problem: json });
  return json;
}

function element(tag, text, ...children) {
  const made = document.createElement(tag);
  if (text) made.textContent = text;
  made.append(...children);
  return made;
}

function alertOf(error) {
  at("alert").hidden = !error;
  at("alert").textContent = error ? error.message : "";
}

async function enter() {
  try {
    const me = await call("GET", "/v1/me");
    at("who").textContent = [me.user && me.user.name, me.tenant && me.tenant.name].filter(Boolean).join(" · ");
    at("sign-in").hidden = true;
    at("home").hidden = at("leave").hidden = false;
    alertOf(null);
    await contacts(false);
    watch();
  } catch (error) {
    if (error.status && error.status !== 401 && error.status !== 403) alertOf(error);
    at("home").hidden = at("leave").hidden = true;
    at("sign-in").hidden = false;
  }
}

async function contacts(more) {
  const asked = new URLSearchParams({ pageSize: "25", fields: "displayName,phones,emails" });
  if (query) asked.set("q", query);
  if (more) asked.set("pageToken", next);
  const page = await call("GET", "/v1/contacts?" + asked);
  if (!more) at("contacts").replaceChildren();
  for (const contact of page.contacts || []) {
    const open = element("button", contact.displayName || contact.id);
    const reached = [(contact.phones || [])[0]?.number, (contact.emails || [])[0]?.address].filter(Boolean).join(" · ");
    open.append(element("br"), element("small", reached));
    open.addEventListener("click", () => card(contact.id).catch(alertOf));
    at("contacts").append(element("li", "", open));
  }
  if (!at("contacts").children.length) at("contacts").append(element("li", "Nobody found."));
  next = page.nextPageToken || "";
  at("more").hidden = !next;
}

async function card(id) {
  const shown = await call("GET", `/v1/contacts/${id}/card`);
  const contact = shown.contact || {}, facts = element("dl");
  const add = (name, value) => value && facts.append(element("dt", name), element("dd", value));
  add("Name", contact.displayName);
  add("Company", shown.company && shown.company.displayName || shown.company && shown.company.name);
  (contact.phones || []).forEach((phone) => add("Phone", phone.number));
  (contact.emails || []).forEach((email) => add("E-mail", email.address));
  const lines = element("ul");
  lines.className = "list";
  for (const entry of shown.timeline || []) {
    lines.append(element("li", `${words(entry.type)}${entry.headline ? ": " + entry.headline : ""} `, element("small", moment(entry.time))));
  }
  at("card").replaceChildren(facts, element("h2", "What happened"), lines);
  if ((shown.unavailable || []).length) at("card").append(element("p", "Not reachable now: " + shown.unavailable.join(", ")));
}

const words = (type) => (type || "").split(".").pop().replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase();
const moment = (time) => (time ? new Date(time).toLocaleString() : "");

function watch() {
  if (stream) stream.close();
  stream = new EventSource("/v1/events");
  stream.onopen = () => { at("pulse").textContent = "●"; at("pulse").className = "on"; at("pulse").title = "live"; };
  stream.onerror = () => {
    at("pulse").textContent = "○"; at("pulse").className = ""; at("pulse").title = "connecting";
    // A refused stream is not tried again by the browser: the session may only need to be renewed.
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => call("GET", "/v1/me").then(watch, () => {}), 3000);
  };
  stream.onmessage = (message) => {
    const event = JSON.parse(message.data), list = at("live");
    if (list.firstElementChild && list.firstElementChild.className === "hint") list.replaceChildren();
    list.prepend(element("li", words(event.type) + " ", element("small", moment(event.time))));
    while (list.children.length > 30) list.lastElementChild.remove();
  };
}

at("sign-in").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const login = await call("POST", "/v1/auth:login", { email: at("email").value, password: at("password").value });
    at("password").value = "";
    await (login.secondFactor ? ask(login.secondFactor.challenge, login.secondFactor.enrolment) : enter());
  } catch (error) { alertOf(error); }
});

// The second step: a code, and before it, where the company demands one, setting up the app that makes them.
async function ask(given, enrolment) {
  challenge = given;
  at("sign-in").hidden = at("home").hidden = true;
  at("second-factor").hidden = false;
  alertOf(null);
  if (enrolment) {
    const made = await call("POST", "/v1/auth:enrolSecondFactor", { challenge });
    at("picture").src = "data:image/svg+xml," + encodeURIComponent(made.qrSvg);
    at("key").textContent = made.secret;
    at("enrolment").hidden = false;
  }
  at("code").focus();
}

at("second-factor").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    const login = await call("POST", "/v1/auth:verifySecondFactor", { challenge, code: at("code").value });
    at("code").value = at("key").textContent = "";
    at("picture").removeAttribute("src");
    at("second-factor").hidden = true;
    if (!login.recoveryCodes) { await enter(); return; }
    at("codes").replaceChildren(...login.recoveryCodes.map((code) => element("li", code)));
    at("recovery").hidden = false;
  } catch (error) { alertOf(error); }
});
at("written").addEventListener("click", () => {
  at("codes").replaceChildren();
  at("recovery").hidden = true;
  enter();
});
at("leave").addEventListener("click", async () => {
  if (stream) stream.close();
  await call("POST", "/v1/auth:logout").catch(() => {});
  location.reload();
});
at("more").addEventListener("click", () => contacts(true).catch(alertOf));
let typing = 0;
at("search").addEventListener("submit", (event) => event.preventDefault());
at("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { query = at("q").value.trim(); contacts(false).catch(alertOf); }, 250);
});
// A sign-in through the company's provider may come back here half-way; the challenge stands behind #, unseen by servers.
const half = new URLSearchParams(location.hash.slice(1));
if (half.has("challenge")) {
  history.replaceState(null, "", location.pathname);
  ask(half.get("challenge"), half.has("enrolment")).catch(alertOf);
} else {
  enter();
}
