// The key that this service asks for, kept until the tab is closed; asked for when it is needed.
"use strict";

const KEY = "gemel-key";

async function fetchWithKey(path, request = {}) {
  const key = sessionStorage.getItem(KEY);
  const headers = { ...request.headers, ...(key && { authorization: `Bearer ${key}` }) };
  const reply = await fetch(path, { ...request, headers });
  if (reply.status !== 401) return reply;
  const typed = prompt("This service asks for a key");
  if (!typed) return reply;
  sessionStorage.setItem(KEY, typed.trim());
  return fetchWithKey(path, request);
}
