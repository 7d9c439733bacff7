"use strict";
// The page's whole program. The service describes itself (GET / as JSON), the form is made from that, and what is
// typed goes out as the text of the JSON that it is, so that no number changes on its way.

const at = (id) => document.getElementById(id);
const NUMBER = /^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/;
const LONGEST = 100000; // characters of an answer that are shown
let description = null;
let token = ""; // kept here, and nowhere else
let form = { fields: [], hasParts: false };

function element(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}

function authorization() {
  return token ? { authorization: `Bearer ${token}` } : {};
}

// The form ------------------------------------------------------------------------------------------------------------

function resolved(schema, definitions) {
  let found = schema;
  while (found && found.$ref) found = { ...definitions[found.$ref.split("/").pop()], ...found, $ref: undefined };
  const kinds = (found && found.anyOf) || [];
  const others = kinds.filter((kind) => kind.type !== "null");
  if (others.length !== 1 || others.length === kinds.length) return found || {};
  const other = resolved(others[0], definitions);
  return { ...other, ...found, anyOf: undefined, type: other.type, canBeNull: true };
}

function control(schema, id) {
  const options = schema.enum || (schema.type === "boolean" ? [true, false] : null);
  if (options) {
    const words = options.map((option) => JSON.stringify(option));
    const choices = ["", ...words].map((word) => element("option", { value: word, textContent: word.replace(/^"|"$/g, "") }));
    return element("select", { id }, ...choices);
  }
  if (["number", "integer", "string"].includes(schema.type)) {
    const inputMode = { number: "decimal", integer: "numeric" }[schema.type] || "text";
    return element("input", { id, type: "text", inputMode, autocomplete: "off", spellcheck: false });
  }
  return element("textarea", { id, spellcheck: false });
}

// How a value is shown in its control, and what JSON that text means: undefined for a value that is left out.
function shown(value, schema) {
  if (value === undefined || value === null) return "";
  if (schema.enum || schema.type === "boolean") return JSON.stringify(value);
  if (["string", "number", "integer"].includes(schema.type)) return String(value);
  return JSON.stringify(value, null, 1);
}

function meant(text, schema, isRequired) {
  if (schema.type === "string" && !schema.enum) {
    if (text !== "") return JSON.stringify(text);
    return isRequired ? (schema.canBeNull ? "null" : '""') : undefined;
  }
  if (text.trim() === "") return isRequired && schema.canBeNull ? "null" : undefined;
  if (["number", "integer"].includes(schema.type) && !schema.enum) {
    return NUMBER.test(text.trim()) ? text.trim() : JSON.stringify(text); // the service says what is wrong with it
  }
  JSON.parse(text); // throws what is told below the control
  return text.replace(/("(?:[^"\\]|\\.)*")|\s+/g, "$1");
}

function field(name, schema, isRequired, value) {
  const id = `field-${name}`;
  const input = control(schema, id);
  input.value = shown(value === undefined ? schema.default : value, schema);
  if (input.type === "textarea") input.rows = Math.min(12, input.value.split("\n").length + 1);
  const hints = [schema.description, isRequired ? "" : "may be empty", input.type === "textarea" ? "as JSON" : ""];
  const hint = element("p", { id: `${id}-hint`, className: "hint", textContent: hints.filter(Boolean).join("; ") });
  const wrong = element("p", { id: `${id}-wrong`, className: "wrong" });
  input.setAttribute("aria-describedby", `${hint.id} ${wrong.id}`);
  if (isRequired) input.setAttribute("aria-required", "true");
  const label = element("label", { htmlFor: id, textContent: name || "The request" });
  return { name, schema, isRequired, input, wrong, nodes: [label, hint, input, wrong] };
}

function chosen() {
  return description.endpoints[at("endpoint").value || 0];
}

function fill() {
  const { schema, example, doc } = chosen();
  const definitions = schema.$defs || {};
  const hasParts = schema.type === "object" && schema.properties;
  const required = new Set(schema.required || []);
  // What an example leaves out is left out; without an example, the defaults of the schema are shown.
  const valueOf = (name) => (example ? example[name] ?? null : undefined);
  const part = ([name, kind]) => field(name, resolved(kind, definitions), required.has(name), valueOf(name));
  const fields = hasParts ? Object.entries(schema.properties).map(part) : [field("", resolved(schema, definitions), true, example)];
  form = { fields, hasParts: Boolean(hasParts) };
  at("fields").replaceChildren(...fields.flatMap((each) => each.nodes));
  at("meaning").textContent = doc || "";
  at("answer").replaceChildren();
  at("answer-title").hidden = true;
  showSame();
}

function complain(each, sentence) {
  each.wrong.textContent = sentence;
  each.input.setAttribute("aria-invalid", sentence ? "true" : "false");
}

// The text of the request, or null after each wrong field has been told so.
function body() {
  const parts = [];
  let isWrong = false;
  for (const each of form.fields) {
    complain(each, "");
    try {
      const text = isText() ? each.input.value : meant(each.input.value, each.schema, each.isRequired);
      if (text !== undefined) parts.push([each.name, text]);
    } catch (error) {
      complain(each, `This is not JSON: ${error.message}`);
      isWrong = true;
    }
  }
  if (isWrong) return null;
  if (!form.hasParts) return parts.length ? parts[0][1] : "";
  return `{${parts.map(([name, text]) => `${JSON.stringify(name)}: ${text}`).join(", ")}}`;
}

function isText() {
  return !form.hasParts && chosen().schema.type === "string";
}

// The same request ----------------------------------------------------------------------------------------------------

function quoted(text) {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function asPython(text) {
  const words = { true: "True", false: "False", null: "None" };
  return text.replace(/"(?:[^"\\]|\\.)*"|\b(?:true|false|null)\b/g, (found) => words[found] || JSON.stringify(JSON.parse(found)));
}

function showSame() {
  const text = body();
  if (text === null) return;
  const url = new URL(chosen().path, location.href).href;
  const kind = isText() ? "text/plain" : "application/json";
  const key = description.asks_token ? ` \\\n  -H "authorization: Bearer $BENTOSHIP_TOKEN"` : "";
  at("curl").textContent = `curl -s ${quoted(url)}${key} \\\n  -H 'content-type: ${kind}' \\\n  -d ${quoted(text)}`;
  const imports = description.asks_token ? "import os\n\nimport requests" : "import requests";
  const headers = description.asks_token ? `\n    headers={"authorization": f"Bearer {os.environ['BENTOSHIP_TOKEN']}"},` : "";
  const sent = isText() ? `data=${JSON.stringify(text)}.encode()` : `json=${asPython(text)}`;
  at("python").textContent = `${imports}\n\nanswer = requests.post(\n    ${JSON.stringify(url)},\n    ${sent},${headers}\n)\nprint(answer.text)`;
}

// Asking --------------------------------------------------------------------------------------------------------------

async function ask(event) {
  event.preventDefault();
  const text = body();
  if (text === null) {
    form.fields.find((each) => each.wrong.textContent).input.focus();
    return;
  }
  at("ask").setAttribute("aria-busy", "true");
  const begin = performance.now();
  try {
    const headers = { "content-type": isText() ? "text/plain" : "application/json", ...authorization() };
    const answer = await fetch(chosen().path, { method: "POST", body: text, headers, credentials: "omit" });
    show(answer, await answer.text(), performance.now() - begin);
  } catch (error) {
    tell(`There was no answer: ${error.message}`);
  } finally {
    at("ask").removeAttribute("aria-busy");
  }
}

function show(answer, text, milliseconds) {
  const release = answer.headers.get("x-bentoship-release");
  const who = release ? `Release ${release}` : "The service";
  const facts = `${who} answered ${answer.status} after ${Math.round(milliseconds)} ms.`;
  tell(facts, element("pre", { id: "value", textContent: readable(text).slice(0, LONGEST) }));
  if (answer.status === 400) blame(text);
}

function tell(sentence, ...more) {
  at("answer-title").hidden = false;
  at("answer").replaceChildren(element("p", { textContent: sentence }), ...more);
  at("answer").scrollIntoView({ block: "nearest" });
}

function readable(text) {
  try {
    const value = JSON.parse(text);
    const isExact = !/\d{16}/.test(text.replace(/"(?:[^"\\]|\\.)*"|\.\d+/g, ""));
    return isExact ? JSON.stringify(value, null, 2) : text; // whole numbers that JavaScript doesn't have stay as they came
  } catch {
    return text;
  }
}

// What the service finds wrong with a field is told below that field as well.
function blame(text) {
  try {
    for (const fault of JSON.parse(text).detail || []) {
      const each = form.fields.find(({ name }) => name === String(fault.loc[0]));
      if (each) complain(each, fault.msg);
    }
  } catch {
    // it is told as the answer in any case
  }
}

// The beginning -------------------------------------------------------------------------------------------------------

function introduce() {
  const { service, release, endpoints, others } = description;
  document.title = `Ask ${service}`;
  at("service").textContent = service;
  at("release").textContent = release ? `Release ${release}` : "";
  at("endpoint").replaceChildren(...endpoints.map(({ path }, number) => element("option", { value: number, textContent: path })));
  at("choice").hidden = endpoints.length < 2;
  at("others").textContent = others.length ? `Not in this form, since they take files or run in the background: ${others.join(", ")}.` : "";
  at("request").hidden = endpoints.length === 0;
  at("same").hidden = endpoints.length === 0;
  if (endpoints.length) fill();
}

async function describe() {
  const headers = { accept: "application/json", ...authorization() };
  const answer = await fetch(location.pathname, { headers, credentials: "omit" });
  if (answer.status === 401) {
    at("entrance-said").textContent = token ? "This is none of its tokens." : "";
    at("entrance").hidden = false;
    at("token").focus();
    return;
  }
  description = await answer.json();
  const hadEntrance = !at("entrance").hidden;
  at("entrance").hidden = true;
  introduce();
  if (hadEntrance && form.fields.length) form.fields[0].input.focus();
}

function begin() {
  describe().catch((error) => tell(`The service does not describe itself: ${error.message}`));
}

function copy(event) {
  const button = event.currentTarget;
  navigator.clipboard.writeText(at(button.dataset.copies).textContent).then(() => {
    button.textContent = "Copied";
  });
}

at("entrance").addEventListener("submit", (event) => {
  event.preventDefault();
  token = at("token").value.trim();
  begin();
});
for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = !navigator.clipboard; // browsers have it for HTTPS and for this machine
  button.addEventListener("click", copy);
}
at("endpoint").addEventListener("change", fill);
at("fields").addEventListener("input", showSame);
at("request").addEventListener("submit", ask);
begin();
