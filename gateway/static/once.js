// The pages behind one-time links: set-up, invitation, new password. The token stands behind # and never reaches a log.
"use strict";
const at = (id) => document.getElementById(id);
const token = location.hash.slice(1);
const region = (Intl.DateTimeFormat().resolvedOptions().locale.split("-")[1] || "").slice(0, 2);

const PAGES = {
  "/setup": {
    title: "Set up Akrab", lead: "This link works once. You become the administrator; colleagues are invited later.", company: true,
    send: () => ["/v1/setup", {
      token,
      company: {
        name: at("company-name").value, country: at("country").value.toUpperCase(), currency: at("currency").value.toUpperCase(),
        language: navigator.language || "en", timeZone: at("zone").value,
      },
      administrator: { name: at("name").value, email: at("email").value, password: at("password").value },
    }],
  },
  "/join": {
    title: "Welcome", lead: "Choose a password, then sign in with your e-mail.",
    send: () => ["/v1/auth:acceptInvitation", { token, password: at("password").value }],
  },
  "/reset-password": {
    title: "New password", lead: "Choose a new password. You will be signed out everywhere.",
    send: () => ["/v1/auth:resetPassword", { token, password: at("password").value }],
  },
};
const page = PAGES[location.pathname];
at("title").textContent = page.title;
at("lead").textContent = page.lead;
if (page.company) {
  at("company").hidden = at("person").hidden = false;
  for (const id of ["company-name", "country", "currency", "zone", "name", "email"]) at(id).required = true;
  at("zone").value = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  at("country").value = region;
}

at("once").addEventListener("submit", async (event) => {
  event.preventDefault();
  const [path, body] = page.send();
  const answer = await fetch(path, {
    method: "POST", headers: { "Content-Type": "application/json", "X-CSRF": "1" }, body: JSON.stringify(body),
  });
  if (answer.ok) { location.replace("/"); return; }
  const problem = await answer.json().catch(() => ({}));
  at("alert").hidden = false;
  at("alert").textContent = problem.detail || answer.statusText;
});
