// The key that this service asks for, kept until the tab is closed; asked for when it is needed.
"use strict";

const KEY = "gemel-key";
let asked = null; // the answer that is waited for, one for all requests

// What is typed into a form at the top of the page, which stays until a key is given.
function keyTyped(wasWrong) {
  asked = asked || new Promise((resolve) => {
    const form = make("form", "key-wanted"), input = make("input"), button = make("button", "", "Use it");
    input.type = "password";
    input.autocomplete = "off";
    input.required = true;
    form.append(make("label", "", wasWrong ? "The service does not take this key; another one" : "This service asks for a key", input), button);
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      asked = null;
      form.remove();
      resolve(input.value.trim());
    });
    document.body.prepend(form);
    input.focus();
  });
  return asked;
}

async function fetchWithKey(path, request = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...request.headers, ...(key && { authorization: `Bearer ${key}` }) };
  const reply = await fetch(path, { ...request, headers });
  if (reply.status !== 401) return reply;
  if (sessionStorage.getItem(KEY) === key) sessionStorage.setItem(KEY, await keyTyped(key !== null));
  return fetchWithKey(path, request);
}
