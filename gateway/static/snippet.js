/* Akrab site snippet. Put on every page of your site:

     <script src="https://YOUR-CRM/v1/public/snippet.js" data-form-key="YOUR-FORM-KEY" defer></script>

   It remembers where a visitor came from (first and last advertisement, link or search) over page changes, sends that with
   your form, and reports page views and the length of visits. A form on your page is connected by one attribute:

     <form data-akrab-form="YOUR-FORM-KEY"> <input name="phone"> ... </form>

   It uses localStorage only and no cookies; without scripts or storage the form still works. data-visits="off" on the script
   stops the reports. After a submission the form fires `akrab:sent` (detail.thankYouText) or `akrab:refused` (detail.problem). */
(function () {
  "use strict";
  var script = document.currentScript;
  if (!script) return;
  var server = new URL(script.src, location.href).origin;
  var formKey = script.getAttribute("data-form-key") || "";
  var PAUSE_MS = 30 * 60 * 1000; // a visit is page views without a longer pause than this
  var UTM = { utm_source: "utmSource", utm_medium: "utmMedium", utm_campaign: "utmCampaign", utm_term: "utmTerm", utm_content: "utmContent" };
  var CLICK_IDS = ["gclid", "gbraid", "wbraid", "yclid", "ymclid", "fbclid", "msclkid", "ttclid", "twclid", "li_fat_id", "vkclid"];
  var KEYWORDS = ["keyword", "q", "query", "p", "text"];

  function id() {
    if (window.crypto && crypto.randomUUID) return crypto.randomUUID();
    return "xxxxxxxxxxxx4xxxyxxxxxxxxxxxxxxx".replace(/[xy]/g, function (c) {
      var r = (Math.random() * 16) | 0;
      return (c === "x" ? r : (r & 3) | 8).toString(16);
    });
  }
  function load(name) {
    try { return JSON.parse(localStorage.getItem("akrab." + name) || "null"); } catch (e) { return null; }
  }
  function save(name, value) {
    try { localStorage.setItem("akrab." + name, JSON.stringify(value)); } catch (e) { /* private window: this page only */ }
  }
  function cut(text, length) { return String(text || "").slice(0, length); }

  // --- where the visitor came from
  function arrival() {
    var query = new URLSearchParams(location.search), touch = {}, clicks = {}, external = "";
    try { external = document.referrer && new URL(document.referrer).origin !== location.origin ? document.referrer : ""; } catch (e) { external = ""; }
    Object.keys(UTM).forEach(function (name) { if (query.get(name)) touch[UTM[name]] = cut(query.get(name), 300); });
    CLICK_IDS.forEach(function (name) { if (query.get(name)) clicks[name] = cut(query.get(name), 500); });
    if (Object.keys(clicks).length) touch.clickIds = clicks;
    var word = query.get("keyword") || query.get("utm_term");
    if (!word && external) {
      var asked = new URL(external).searchParams;
      KEYWORDS.some(function (name) { word = asked.get(name); return word; });
    }
    if (word) touch.keyword = cut(word, 300);
    var brought = Object.keys(touch).length > 0 || external !== "";
    touch.time = new Date().toISOString();
    if (external) touch.referrer = cut(external, 4000);
    touch.landingPage = cut(location.href, 4000);
    return { touch: touch, brought: brought };
  }
  var came = arrival();
  var first = load("first") || came.touch;
  var last = came.brought ? came.touch : load("last") || first;
  var visitor = load("visitor") || id();
  save("first", first);
  save("last", last);
  save("visitor", visitor);

  // --- visits
  function send(told) {
    if (!formKey || script.getAttribute("data-visits") === "off") return;
    told.formKey = formKey;
    told.visitorId = visitor;
    told.visitId = visit.id;
    var body = JSON.stringify(told), url = server + "/v1/public/visits";
    if (!(navigator.sendBeacon && navigator.sendBeacon(url, body)) && window.fetch) {
      fetch(url, { method: "POST", body: body, keepalive: true, mode: "cors", credentials: "omit" }).catch(function () {});
    }
  }
  var visit = load("visit"), now = Date.now();
  if (!visit || now - visit.seen > PAUSE_MS) visit = { id: id(), start: now, pages: 0, first: cut(location.href, 4000) };
  visit.pages += 1;
  visit.seen = now;
  save("visit", visit);
  send({ event: "view", url: cut(location.href, 4000), title: cut(document.title, 300), referrer: cut(document.referrer, 4000), position: visit.pages });
  // Nobody knows which page is the last one, so each page that is left tells the visit's length so far; the last one counts.
  addEventListener("pagehide", function () {
    visit.seen = Date.now();
    save("visit", visit);
    send({ event: "end", durationS: Math.min(86400, Math.round((visit.seen - visit.start) / 1000)), pageCount: visit.pages, firstUrl: visit.first, lastUrl: cut(location.href, 4000) });
  });

  // --- forms
  function fill(form, name, value) {
    var input = form.querySelector('input[name="' + name + '"]');
    if (input) input.value = value;
  }
  function connect(form) {
    if (form.hasAttribute("data-akrab-native")) { // our own hosted page posts by itself; it only learns what we know
      fill(form, "_first_touch", JSON.stringify(first));
      fill(form, "_last_touch", JSON.stringify(last));
      fill(form, "_visitor_id", visitor);
      return;
    }
    var requestId = id(); // the same for every try, so that sending twice makes one request
    form.addEventListener("submit", function (event) {
      event.preventDefault();
      var fields = {}, honeypot = "";
      new FormData(form).forEach(function (value, name) {
        if (name === "_website") honeypot = String(value);
        else if (name.charAt(0) !== "_" && typeof value === "string") fields[name] = value;
      });
      var body = { fields: fields, firstTouch: first, lastTouch: last, visitorId: visitor, honeypot: honeypot, requestId: requestId };
      fetch(server + "/v1/public/forms/" + encodeURIComponent(form.getAttribute("data-akrab-form")), {
        method: "POST", mode: "cors", credentials: "omit", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body)
      }).then(function (answer) {
        return answer.json().then(function (json) {
          if (!answer.ok) throw json;
          requestId = id();
          tell(form, "akrab:sent", json, json.thankYouText || "✓");
          form.reset();
        });
      }).catch(function (problem) {
        tell(form, "akrab:refused", { problem: problem }, (problem && problem.detail) || "✗");
      });
    });
  }
  function tell(form, name, detail, text) {
    if (!form.dispatchEvent(new CustomEvent(name, { bubbles: true, cancelable: true, detail: detail }))) return;
    var place = form.querySelector("[data-akrab-status]") || form.appendChild(document.createElement("p"));
    place.setAttribute("data-akrab-status", "");
    place.setAttribute("role", "status");
    place.textContent = text;
  }
  function connectAll() { Array.prototype.forEach.call(document.querySelectorAll("form[data-akrab-form]"), connect); }
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", connectAll); else connectAll();
})();
