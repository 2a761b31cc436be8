// The API, drawn from openapi.json: operations by kind, their parameters and bodies, and a curl line for each. No CDN, no build.
"use strict";
let api = null;
const at = (id) => document.getElementById(id);

function element(tag, attributes, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) made.setAttribute(name, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

function resolved(schema) {
  if (schema && schema.$ref) return { ...api.components.schemas[schema.$ref.split("/").pop()], name: schema.$ref.split("/").pop() };
  if (schema && schema.allOf) return schema.allOf.map(resolved).reduce((all, part) => ({ ...all, ...part }), {});
  return schema || {};
}

function typeOf(schema) {
  if (!schema) return "";
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.type === "array") return typeOf(schema.items) + "[]";
  if (schema.additionalProperties && schema.additionalProperties !== true) return "map of " + (typeOf(schema.additionalProperties) || "values");
  return [schema.type || "any", schema.format].filter(Boolean).join(", ");
}

function limits(schema) {
  const said = [];
  const names = { minLength: "at least", maxLength: "at most", minimum: "≥", maximum: "≤", pattern: "pattern", maxItems: "items ≤" };
  for (const [name, word] of Object.entries(names)) if (schema[name] !== undefined) said.push(`${word} ${schema[name]}`);
  return said.join(", ");
}

// An example value, three levels deep; deeper it would be noise.
function example(schema, depth = 0) {
  schema = resolved(schema);
  if (schema.enum) return schema.enum[1] || schema.enum[0];
  if (schema.type === "array") return depth > 2 ? [] : [example(schema.items, depth + 1)];
  if (schema.type === "object" || schema.properties) {
    if (depth > 2) return {};
    const wanted = Object.entries(schema.properties || {}).filter(([, part]) => !part.readOnly);
    const needed = wanted.filter(([name]) => (schema.required || []).includes(name));
    const shown = needed.length ? needed : wanted.slice(0, 4);
    return Object.fromEntries(shown.map(([name, part]) => [name, example(part, depth + 1)]));
  }
  return { "date-time": "2026-01-31T09:00:00Z", uuid: "0198a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", email: "ana@example.com" }[schema.format] ||
    { integer: 1, number: 1.5, boolean: true, string: "…" }[schema.type] || null;
}

function fieldsTable(schema) {
  const shape = resolved(schema), rows = Object.entries(shape.properties || {});
  if (!rows.length) return null;
  const table = element("table", {}, element("thead", {}, element("tr", {}, ...["field", "type", "meaning"].map((h) => element("th", { scope: "col" }, h)))));
  const body = element("tbody");
  for (const [name, part] of rows) {
    const mark = (shape.required || []).includes(name) ? " *" : "";
    body.append(element("tr", {}, element("td", {}, element("code", {}, name + mark)), element("td", {}, typeOf(part)),
      element("td", {}, [part.description, limits(part)].filter(Boolean).join(" · "))));
  }
  table.append(body);
  return table;
}

function curl(path, verb, operation) {
  const lines = [`curl${verb === "get" ? "" : " -X " + verb.toUpperCase()} '${location.origin}${path}'`];
  if (!operation.security) lines.push(`-H "Authorization: Bearer $TOKEN"`);
  const content = operation.requestBody && operation.requestBody.content["application/json"];
  if (content) lines.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(example(content.schema))}'`);
  if (operation.responses["200"] && operation.responses["200"].content["text/event-stream"]) lines.splice(1, 0, "-N -H 'Accept: text/event-stream'");
  return lines.join(" \\\n  ");
}

function operationOf(path, verb, operation) {
  const shown = element("details", { id: operation.operationId },
    element("summary", {}, element("span", { class: "verb" }, verb.toUpperCase()), element("code", {}, path), element("small", {}, operation.summary || "")));
  // Drawn when opened: hundreds of tables at once would make the page slow.
  shown.addEventListener("toggle", () => {
    if (shown.children.length > 1) return;
    const inside = element("div", { class: "inside" }, element("p", {}, operation.description || ""));
    const parameters = operation.parameters || [];
    if (parameters.length) {
      const table = element("table", {}, element("caption", {}, "Parameters"));
      for (const p of parameters) {
        table.append(element("tr", {}, element("td", {}, element("code", {}, p.name + (p.required ? " *" : ""))), element("td", {}, p.in),
          element("td", {}, typeOf(p.schema)), element("td", {}, [p.description || p.schema.description, limits(p.schema)].filter(Boolean).join(" · "))));
      }
      inside.append(table);
    }
    const sent = operation.requestBody && operation.requestBody.content["application/json"];
    if (sent) inside.append(element("h3", {}, "Body"), fieldsTable(sent.schema) || element("p", {}, "{}"));
    const answered = operation.responses["200"] && operation.responses["200"].content && operation.responses["200"].content["application/json"];
    if (answered) inside.append(element("h3", {}, "Answer"), fieldsTable(answered.schema) || element("p", {}, "{}"));
    inside.append(element("pre", { tabindex: "0" }, curl(path, verb, operation)));
    shown.append(inside);
  });
  return shown;
}

function draw(wanted) {
  const groups = new Map();
  for (const [path, verbs] of Object.entries(api.paths)) {
    for (const [verb, operation] of Object.entries(verbs)) {
      const text = `${verb} ${path} ${operation.summary} ${operation.operationId}`.toLowerCase();
      if (!wanted.every((word) => text.includes(word))) continue;
      const tag = (operation.tags || ["other"])[0];
      if (!groups.has(tag)) groups.set(tag, []);
      groups.get(tag).push([path, verb, operation]);
    }
  }
  const names = [...groups.keys()].sort();
  at("tags").replaceChildren(...names.map((name) => element("a", { href: "#kind-" + name }, name)));
  at("operations").replaceChildren(...names.flatMap((name) => [
    element("h2", { id: "kind-" + name }, name), ...groups.get(name).map((found) => operationOf(...found)),
  ]));
  if (!names.length) at("operations").append(element("p", {}, "Nothing is called that."));
}

fetch("/v1/openapi.json").then((answer) => answer.json()).then((document_) => {
  api = document_;
  draw([]);
  at("find").addEventListener("input", () => draw(at("find").value.toLowerCase().split(/\s+/).filter(Boolean)));
  const chosen = location.hash && document.getElementById(location.hash.slice(1));
  if (chosen) { if (chosen.tagName === "DETAILS") chosen.open = true; chosen.scrollIntoView(); }
}).catch(() => at("operations").replaceChildren(element("p", {}, "The description of the API could not be read.")));
