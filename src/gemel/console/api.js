// The routes of the service, from its own description. Everything is written as text.
"use strict";

const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

const ITEM = "Payload";
const named = (schema) => schema && schema.$ref && schema.$ref.split("/").pop();
const found = (description, schema) => description.components.schemas[named(schema)] || schema || {};
const short = (name) => (name === ITEM ? "item" : name.split(".").pop());

// The kinds that a value may be of, each once. An item that is a string alone stands for one.
function kinds(schema) {
  if (schema.$ref) return [short(named(schema))];
  const some = schema.anyOf || schema.oneOf;
  if (some) {
    const all = [...new Set(some.flatMap(kinds))], isItem = all.includes("item");
    return [...all.filter((one) => one !== "null" && !(isItem && one === "string")), ...all.filter((one) => one === "null")];
  }
  if (schema.enum) return [schema.enum.map(String).join(" | ")];
  if (schema.type === "array") return [`list of ${schema.items ? plural(schema.items) : "values"}`];
  return schema.type === "object" || !schema.type ? ["object"] : [schema.type].flat();
}

const kind = (schema) => kinds(schema).join(" or ");

function plural(schema) {
  const all = kinds(schema), some = all.filter((one) => one !== "null");
  return some.map((one) => (/^[a-z]+$/.test(one) ? `${one}s` : one)).join(" or ") + (some.length < all.length ? " and nulls" : "");
}

// The first type of its own that a value holds, for what is folded below it.
function inner(schema) {
  if (schema.$ref) return named(schema) === ITEM ? null : schema;
  return [...(schema.anyOf || schema.oneOf || []), schema.items].filter(Boolean).map(inner).find(Boolean) || null;
}

const DEEPEST = 3;

function fields(description, schema, depth = 1) {
  const { properties = {}, required = [] } = found(description, schema);
  const list = make("dl", "fields-of");
  for (const [name, value] of Object.entries(properties)) {
    const needed = required.includes(name) ? "" : ", may be left out", below = depth < DEEPEST && inner(value);
    const more = below && fields(description, below, depth + 1);
    list.append(
      make("dt", "", make("code", "", name)),
      make(
        "dd", "", `${kind(value)}${needed}`, make("small", "", value.description || ""),
        more ? make("details", "quiet", make("summary", "", short(named(below))), more) : null,
      ),
    );
  }
  return Object.keys(properties).length ? list : null;
}

// A body with what cannot be left out, if items of the live release are all that it takes.
function sample(description, schema, examples) {
  const { properties = {}, required = [] } = found(description, schema);
  const isItem = (name) => kinds(properties[name])[0] === "item";
  if (!examples.length || !required.length || !required.every(isItem)) return null;
  const body = Object.fromEntries(required.map((name, i) => [name, examples[i % examples.length]]));
  return shortened(JSON.stringify(body, null, 1));
}

const MAX_SHOWN = 1200;
const shortened = (text) => (text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}…` : text);

// What an item is to the live release.
function item(description, examples) {
  const schema = description.components.schemas[ITEM];
  const box = make("details", "route", make(
    "summary", "", make("strong", "", "An item"), make("span", "quiet", "what is compared: what the live release takes"),
  ));
  box.append(fields(description, schema) || make("p", "", kind(schema)));
  if (examples.length) box.append(make("h2", "", "For example"), make("pre", "", shortened(JSON.stringify(examples[0], null, 1))));
  return box;
}

const json = (holder) => holder && holder.content && Object.values(holder.content)[0];

function route(description, path, method, operation, examples) {
  const body = json(operation.requestBody), reply = json((operation.responses || {})["200"]);
  const box = make("details", "route", make(
    "summary", "", make("code", "method", method.toUpperCase()), make("code", "", path),
    make("span", "quiet", operation.summary || ""),
  ));
  for (const [title, content] of [["Send", body], ["Reply", reply]]) {
    const shown = content && content.schema && fields(description, content.schema);
    if (shown) box.append(make("h2", "", title), shown);
    const given = shown && title === "Send" && sample(description, content.schema, examples);
    if (given) box.append(make("h2", "", "For example"), make("pre", "", given));
  }
  return box;
}

async function start() {
  const main = document.getElementById("routes");
  const reply = await fetchWithKey("/openapi.json").catch(() => null);
  if (!reply || !reply.ok) {
    main.append(make("p", "problem", "The service does not answer"));
    return;
  }
  const description = await reply.json();
  const { examples } = await fetchWithKey("/console/examples").then((r) => r.json()).catch(() => ({ examples: [] }));
  main.append(item(description, examples || []));
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (operation.responses) main.append(route(description, path, method, operation, examples || []));
    }
  }
}

start();
