// The routes of the service, from its own description. Everything is written as text.
"use strict";

const make = (tag, className, ...children) => {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
};

const found = (description, schema) => {
  const name = schema && schema.$ref && schema.$ref.split("/").pop();
  return name ? description.components.schemas[name] : schema || {};
};

// What a value is, in a few words.
function kind(description, schema) {
  if (schema.$ref) return schema.$ref.split("/").pop();
  const some = schema.anyOf || schema.oneOf;
  if (some) return some.map((one) => kind(description, one)).join(" or ");
  if (schema.enum) return schema.enum.map(String).join(" | ");
  if (schema.type === "array") return `list of ${schema.items ? kind(description, schema.items) : "values"}`;
  return schema.type === "object" || !schema.type ? "object" : [schema.type].flat().join(" or ");
}

function fields(description, schema) {
  const { properties = {}, required = [] } = found(description, schema);
  const list = make("dl", "fields-of");
  for (const [name, value] of Object.entries(properties)) {
    const needed = required.includes(name) ? "" : ", may be left out";
    list.append(
      make("dt", "", make("code", "", name)),
      make("dd", "", `${kind(description, value)}${needed}`, make("small", "", value.description || "")),
    );
  }
  return Object.keys(properties).length ? list : null;
}

const json = (holder) => holder && holder.content && Object.values(holder.content)[0];

function route(description, path, method, operation) {
  const body = json(operation.requestBody), reply = json((operation.responses || {})["200"]);
  const box = make("details", "route", make(
    "summary", "", make("code", "method", method.toUpperCase()), make("code", "", path),
    make("span", "quiet", operation.summary || ""),
  ));
  for (const [title, content] of [["Send", body], ["Reply", reply]]) {
    const shown = content && content.schema && fields(description, content.schema);
    if (shown) box.append(make("h2", "", title), shown);
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
  for (const [path, methods] of Object.entries(description.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      if (operation.responses) main.append(route(description, path, method, operation));
    }
  }
}

start();
