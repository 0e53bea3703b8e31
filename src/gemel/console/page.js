// The page of one release. Everything that comes from the service is written as text.
"use strict";

const OUTCOMES = { match: "Match", review: "For review", no_match: "No match" };
let live = null;
let kinds = []; // what an item is one of, if it has no fields: a text, or a file of some media type
let picture = null; // the name of the kind that is an image file
let examples = [];
let alike = []; // positions of the two examples that are most alike
let range = [-1, 1]; // of the scores on eval
let nextExample = 0;

const byId = (id) => document.getElementById(id);

function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

const figure = (value) =>
  value === null || value === undefined ? "–" : Number(value).toPrecision(4);

function percent(value) {
  if (value === null || value === undefined) return "–";
  const share = value * 100, left = 100 - share;
  if (share === 0 || left === 0) return `${share} %`;
  if (share < 1 || left < 0.1) return `${Number(share.toPrecision(share < 1 ? 2 : 3 - Math.floor(Math.log10(left))))} %`;
  return `${share.toFixed(1)} %`;
}

async function ask(method, path, body) {
  let reply;
  try {
    reply = await fetchWithKey(path, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
  } catch {
    throw { detail: "The service does not answer", hint: "is it still running?" };
  }
  const answer = await reply.json().catch(() => ({ detail: reply.statusText }));
  if (!reply.ok) throw answer;
  return answer;
}

// The place of a problem as the page calls it: left.by is "Left, By".
function placed(where) {
  const [item, ...rest] = (where || "").split("."), field = rest.join(".");
  return live && isField(field) && !item.includes("[") ? `${labelled(item)}, ${labelled(field)}` : where;
}

function showProblem(section, problem) {
  const where = problem.where ? `${placed(problem.where)}: ` : "";
  const hint = [problem.hint, problem.request_id && `request ${problem.request_id}`];
  const box = make("p", "problem", `${where}${problem.detail || problem}`);
  box.append(make("small", "", hint.filter(Boolean).join(" · ")));
  section.querySelector(".result").replaceChildren(box);
  const [item, ...rest] = (problem.where || "").split("."), field = rest.join(".");
  for (const input of section.querySelectorAll("input[data-field]")) {
    const side = input.closest("fieldset").dataset.item;
    input.setAttribute("aria-invalid", String(side === item && input.dataset.field === field));
  }
}

// ---- forms

// The name of a column as people write it: fname_c1 is Fname c1.
function labelled(name) {
  const words = name.replace(/[_.-]+/g, " ").replace(/([a-z])([A-Z])/g, "$1 $2").trim() || name;
  return words[0].toUpperCase() + words.slice(1);
}

// Fields that no example has stand behind the others, folded.
function buildRow(fieldset) {
  const fields = make("div", "fields"), rare = make("div", "fields");
  const has = (name) => examples.some((one) => one[name] !== undefined && one[name] !== null && one[name] !== "");
  for (const field of live.fields) {
    const input = make("input");
    input.type = field.kind === "date" ? "date" : "text";
    if (field.kind === "number") input.inputMode = "decimal";
    input.autocomplete = "off";
    input.spellcheck = false;
    input.dataset.field = field.name;
    input.dataset.kind = field.kind;
    input.title = field.name;
    (examples.length && !has(field.name) ? rare : fields).append(make("label", "", labelled(field.name), input));
  }
  fieldset.append(fields);
  if (rare.children.length) fieldset.append(make("details", "quiet", make("summary", "", "Fields that no example has"), rare));
}

// One input for each kind of item; what is given last counts.
function buildKinds(fieldset) {
  for (const kind of kinds) (kind.media ? buildFile : buildText)(fieldset, kind);
}

function buildText(fieldset, kind) {
  const text = make("textarea");
  text.rows = 3;
  text.dataset.kind = kind.name;
  text.addEventListener("input", () => text.value && dropFile(fieldset));
  fieldset.append(make("label", "", labelled(kind.name), text));
}

function buildFile(fieldset, kind) {
  const noun = kind.media.startsWith("image/") ? "an image" : `a file of ${kind.name}`;
  const input = make("input");
  input.type = "file";
  input.accept = kind.media;
  const drop = make("label", "drop", make("span", "quiet", `Choose or drop ${noun}`), input);
  drop.dataset.kind = kind.name;
  input.addEventListener("change", () => input.files[0] && takeFile(fieldset, kind, input.files[0]));
  for (const name of ["dragover", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      const file = name === "drop" && event.dataTransfer.files[0];
      if (file) takeFile(fieldset, kind, file);
    });
  }
  fieldset.append(drop);
}

function buildJson(fieldset) {
  const text = make("textarea");
  text.rows = 4;
  text.spellcheck = false;
  fieldset.append(make("label", "", "Item, as JSON", text));
}

function takeFile(fieldset, kind, file) {
  const reader = new FileReader();
  reader.addEventListener("load", () => showFile(fieldset, kind, reader.result, file.name));
  reader.readAsDataURL(file);
}

function showFile(fieldset, kind, url, name) {
  clear(fieldset);
  const content = url.slice(url.indexOf(",") + 1);
  const drop = fieldset.querySelector(`.drop[data-kind="${kind.name}"]`);
  drop.dataset.content = content;
  const size = `${Math.ceil((content.length * 3) / 4096)} kB`;
  const shown = kind.name === picture ? make("img") : make("span", "", `${name || kind.name}, ${size}`);
  if (kind.name === picture) {
    shown.src = url;
    shown.alt = `${fieldset.dataset.item} image`;
    shown.addEventListener("error", () => shown.replaceWith(make("span", "", `${name || kind.name}, ${size}: nothing that a browser can show`)));
  }
  drop.querySelectorAll("img, span").forEach((old) => old.remove());
  drop.prepend(shown);
}

function dropFile(fieldset) {
  for (const drop of fieldset.querySelectorAll(".drop")) {
    delete drop.dataset.content;
    drop.querySelectorAll("img").forEach((old) => old.replaceWith(make("span", "quiet", "Choose or drop an image")));
  }
}

function clear(fieldset) {
  dropFile(fieldset);
  for (const text of fieldset.querySelectorAll("textarea[data-kind]")) text.value = "";
}

function read(fieldset) {
  if (kinds.length) {
    const text = [...fieldset.querySelectorAll("textarea[data-kind]")].find((t) => t.value.trim());
    const drop = fieldset.querySelector(".drop[data-content]");
    if (text) return { [text.dataset.kind]: text.value };
    return drop ? { [drop.dataset.kind]: drop.dataset.content } : { [kinds[0].name]: "" };
  }
  const json = fieldset.querySelector("textarea");
  if (json) {
    try {
      return JSON.parse(json.value);
    } catch {
      throw { where: labelled(fieldset.dataset.item), detail: "not JSON" };
    }
  }
  const row = {};
  for (const input of fieldset.querySelectorAll("input[data-field]")) {
    const text = input.value.trim(), number = Number(text);
    const isNumber = text !== "" && input.dataset.kind === "number" && Number.isFinite(number);
    row[input.dataset.field] = isNumber ? number : text || null;
  }
  return row;
}

function fill(fieldset, item) {
  if (kinds.length) {
    clear(fieldset);
    const kind = kinds.find((k) => k.name in item);
    if (kind.media) showFile(fieldset, kind, `data:image;base64,${item[kind.name]}`);
    else fieldset.querySelector(`textarea[data-kind="${kind.name}"]`).value = item[kind.name];
    return;
  }
  const json = fieldset.querySelector("textarea");
  if (json) json.value = JSON.stringify(item);
  for (const input of fieldset.querySelectorAll("input[data-field]")) {
    const value = item[input.dataset.field];
    input.value = value === null || value === undefined ? "" : String(value);
    input.setAttribute("aria-invalid", "false");
  }
}

// ---- results

// Every threshold stands in the middle of its bar; the ends are the ends of the scores on eval.
const MIDDLE = 50;

function place(score, threshold) {
  const [low, high] = range;
  const end = score < threshold ? Math.min(low, threshold - 1e-9) : Math.max(high, threshold + 1e-9);
  const share = Math.min(1, (score - threshold) / (end - threshold));
  const at = score < threshold ? MIDDLE * (1 - share) : MIDDLE + (100 - MIDDLE) * share;
  return `${Math.max(1, Math.min(99, at))}%`;
}

function bar(score, threshold, outcome) {
  const value = make("i", outcome), mark = make("b");
  value.style.width = place(score, threshold);
  mark.style.left = `${MIDDLE}%`;
  const box = make("div", "bar", value, mark);
  box.setAttribute("role", "img");
  box.setAttribute("aria-label", `score ${figure(score)}, threshold ${figure(threshold)}`);
  return box;
}

function named(name, value) {
  return make("div", "", make("span", "", name), value);
}

// A probability as what it is: `probability_is` of the reply.
function chance({ probability, probability_is: is }) {
  const said = percent(probability);
  if (is === "of no chance") return named("probability that it is no chance", said);
  return named("probability of a match", { "at least": `at least ${said}`, unproven: `${said}, unproven` }[is] || said);
}

function showDecision(section, reply, left, right) {
  const figures = make(
    "div", "figures",
    reply.probability === null ? null : chance(reply),
    reply.interval ? named("between", reply.interval.map(percent).join(" and ")) : null,
  );
  const why = whyButton(section, left, right);
  section.querySelector(".result").replaceChildren(
    make("p", `outcome ${reply.outcome}`, OUTCOMES[reply.outcome] || reply.outcome),
    figures,
    bar(reply.score, reply.threshold, reply.outcome),
    outside(reply),
    make("p", "quiet legend", "The line marks the threshold: right of it is a match."),
    why,
    details(reply),
  );
  if (new URLSearchParams(location.search).get("example") === "why") why.click();
}

// Numbers far from all that was learned from, if there are any.
function outside(reply) {
  return make("div", "quiet", ...(reply.outside || []).map((words) => make("p", "", `${words}; scores do not tell how far off that is`)));
}

// ---- why

function whyButton(section, left, right) {
  const button = make("button", "plain", "Why?");
  button.type = "button";
  button.addEventListener("click", async () => {
    button.disabled = true;
    try {
      const why = await ask("POST", "/v1/explain", { left, right });
      button.replaceWith(whyPanel(why, left, right));
    } catch (problem) {
      showProblem(section, problem);
    }
  });
  return button;
}

function whyPanel(why, left, right) {
  const panel = make("div", "why");
  if (why.margin) panel.append(make("p", "", sentence(why.margin.text)));
  if (why.around) {
    const { n, n_genuine, within } = why.around;
    panel.append(make(
      "p", "quiet",
      `Of ${n} known comparisons with a score within ${figure(within)} of this one, ${n_genuine} were genuine.`,
    ));
  }
  if (picture) panel.append(maps(why.parts, left, right));
  const told = why.parts.filter((part) => !part.box);
  if (told.length) panel.append(worths({ ...why, parts: told }));
  return panel;
}

const sentence = (text) => `${text[0].toUpperCase()}${text.slice(1)}.`;

// Fields with what each is worth: to the right for a match, to the left against it.
function worths({ parts, outcome }) {
  const speaksFor = (part) => Math.max(part.lost, 0);
  const against = (part) => Math.max(part.cost === null ? -part.lost : part.cost, 0);
  const largest = Math.max(...parts.flatMap((part) => [speaksFor(part), against(part)]), 1e-9);
  const list = make("dl", "worths");
  const side = (name, value) => {
    const made = make("i", name);
    made.style.width = `${Math.min(50, (value / largest) * 50)}%`;
    return made;
  };
  const add = (part, className) => {
    const bars = make("div", "worth", side("against", against(part)), side("for", speaksFor(part)));
    const turns = (name, other) => (other && other !== outcome ? [`${name}: ${OUTCOMES[other]}`] : []);
    const said = [...turns("without it", part.outcome), ...turns("if equal", part.outcome_if_equal)];
    const worth = make(
      "dd", "",
      make("span", "", against(part) ? `−${figure2(against(part))}` : ""),
      bars,
      make("span", "", speaksFor(part) ? `+${figure2(speaksFor(part))}` : ""),
    );
    list.append(make("dt", className, isField(part.name) ? labelled(part.name) : part.name, make("small", "", said.join(" · "))), worth);
  };
  for (const part of parts) {
    add(part, "");
    for (const inner of part.parts) if (inner.lost !== part.lost) add(inner, "inner");
  }
  return make("div", "", list, make(
    "p", "quiet legend",
    "To the right, the score that would be lost without the part; to the left, what its difference costs.",
  ));
}

const isField = (name) => live.fields.some((field) => field.name === name);
const figure2 = (value) => String(Number(value.toPrecision(2)));

// Both images with their regions tinted; regions that were taken apart are shown by their parts.
function maps(parts, left, right) {
  const leaves = parts.flatMap((part) => (part.parts.length ? part.parts : [part]));
  const largest = Math.max(...leaves.map((part) => Math.abs(part.lost)), 1e-9);
  const pair = make("div", "pair");
  for (const [side, item] of [["left", left], ["right", right]]) {
    if (!item[picture]) continue;
    const image = make("img");
    image.src = `data:image;base64,${item[picture]}`;
    image.alt = `${side} image, tinted`;
    const map = make("div", "map", image);
    for (const part of leaves.filter((leaf) => leaf[side] !== null && leaf.box)) {
      const [x0, y0, x1, y1] = part.box.map((share) => share * 100);
      const tint = make("i", part.lost < 0 ? "against" : "for");
      Object.assign(tint.style, {
        left: `${x0}%`, top: `${y0}%`, width: `${x1 - x0}%`, height: `${y1 - y0}%`,
        opacity: String((Math.abs(part.lost) / largest) * 0.75),
      });
      map.append(tint);
    }
    pair.append(make("div", "frame", map));
  }
  const legend = make(
    "p", "quiet legend",
    make("i", "key for"), "speaks for a match ", make("i", "key against"), "against it",
  );
  return make("div", "", pair, legend);
}

// What whoever looks into a decision wants to know.
function details(reply) {
  const box = make("details", "quiet", make("summary", "", "Details"));
  const facts = [["score", figure(reply.score)], ["threshold", figure(reply.threshold)], ["genuine of those compared", percent(reply.prior)], ["release", reply.release.slice(0, 12)], ["decision", reply.decision_id]];
  for (const [name, value] of facts) if (value !== undefined && value !== null && value !== "–") box.append(named(name, value));
  return box;
}

function showHits(section, reply, query) {
  const result = section.querySelector(".result");
  if (!reply.hits.length) {
    result.replaceChildren(make("p", "quiet", "Nothing found: the gallery has no such record."));
    return;
  }
  const threshold = reply.hits[0].threshold;
  const matches = reply.hits.filter((hit) => hit.decision === "match").length;
  const list = make("ol", "hits");
  for (const hit of reply.hits) {
    list.append(make(
      "li", "hit",
      make("span", "rank", String(hit.rank)),
      make("div", "who", make("strong", "", hit.id), values(hit.attributes, query)),
      make(
        "div", "score", figure(hit.score),
        make("div", `chip ${hit.decision}`, OUTCOMES[hit.decision] || hit.decision),
      ),
      bar(hit.score, hit.threshold, hit.decision),
    ));
  }
  result.replaceChildren(
    make("p", "", matches ? `${matches} of the ${reply.hits.length} most alike ${matches === 1 ? "matches" : "match"}` : `None of the ${reply.hits.length} most alike matches`),
    outside(reply),
    list,
    make("p", "quiet legend", "The line marks the threshold: right of it is a match."),
    details({ ...reply, threshold }),
  );
}

function values(attributes, query) {
  const line = make("div", "values");
  const names = live.fields.map((field) => field.name).filter((name) => name in attributes);
  for (const name of new Set([...names, ...Object.keys(attributes)])) {
    const value = attributes[name];
    if (value === null || value === "") continue;
    const same = query && String(query[name]).toLowerCase() === String(value).toLowerCase();
    line.append(make("span", same ? "same" : "", String(value)), " ");
  }
  return line;
}

// ---- duplicates

function showClusters(section, reply, given) {
  const payloads = new Map(given.map((record) => [record.id, record.payload]));
  const asked = reply.pairs.filter((pair) => pair.outcome === "review").length;
  const inClusters = reply.clusters.reduce((n, cluster) => n + cluster.records.length, 0);
  const list = make("ol", "hits");
  for (const cluster of reply.clusters) {
    const first = payloads.get(cluster.canonical);
    const box = make("li", "cluster");
    for (const id of cluster.records) {
      box.append(make("div", "who", make("strong", "", id), values(payloads.get(id), id === cluster.canonical ? null : first)));
    }
    if (cluster.risk !== null) box.append(make("p", "quiet", `chance that a link is false: ${percent(cluster.risk)}`));
    list.append(box);
  }
  const review = asked ? `; ${asked} ${asked === 1 ? "pair is" : "pairs are"} for a person to decide` : "";
  section.querySelector(".result").replaceChildren(
    make("p", "", reply.clusters.length ? `${inClusters} of ${given.length} records stand in ${reply.clusters.length} ${reply.clusters.length === 1 ? "cluster" : "clusters"} of the same${review}` : `No two of ${given.length} records match${review}`),
    outside(reply),
    list,
    details(reply),
  );
}

// ---- what the page does

async function submit(section, event) {
  event.preventDefault();
  const button = section.querySelector("button[type=submit]");
  button.disabled = true;
  try {
    if (section.id === "verify") {
      const [left, right] = [...section.querySelectorAll("fieldset[data-item]")].map(read);
      showDecision(section, await ask("POST", "/v1/verify", { left, right }), left, right);
    } else {
      const query = read(section.querySelector("fieldset[data-item]"));
      const k = Number(section.querySelector("input[name=k]").value);
      showHits(section, await ask("POST", "/v1/search", { query, k }), query);
    }
    section.querySelectorAll("[aria-invalid=true]").forEach((i) => i.setAttribute("aria-invalid", "false"));
  } catch (problem) {
    showProblem(section, problem);
  } finally {
    button.disabled = false;
  }
}

async function example(section) {
  try {
    if (!examples.length) return;
    const [first, second] = section.querySelectorAll("fieldset[data-item]");
    const [item, mate] = second ? await pair() : [take(), null];
    fill(first, item);
    if (second) fill(second, mate);
    section.querySelector("form").requestSubmit();
  } catch (problem) {
    showProblem(section, problem);
  }
}

// At the start: the two examples that are most alike, decided without a trace in the ledger.
async function begin() {
  const section = byId("verify");
  const [left, right] = section.querySelectorAll("fieldset[data-item]");
  const query = byId("search").querySelector("fieldset[data-item]");
  if (examples.length) fill(query, examples[alike[0] || 0]);
  if (alike.length < 2) return;
  const pair = alike.map((i) => examples[i]);
  fill(left, pair[0]);
  fill(right, pair[1]);
  try {
    const body = { left: pair[0], right: pair[1], parts: "none" };
    showDecision(section, await ask("POST", "/v1/explain", body), ...pair);
  } catch (problem) {
    showProblem(section, problem);
  }
}

const take = () => examples[nextExample++ % examples.length];

// The next example whose nearest other record in the gallery is a match; else any two examples.
async function pair() {
  const names = live.fields.map((field) => field.name);
  const shown = (row) => JSON.stringify(names.map((name) => row[name] ?? null));
  const isRow = (hit) => names.some((name) => name in hit.attributes);
  for (let i = 0; names.length && live.records && i < examples.length; i++) {
    const item = take();
    const { hits } = await ask("POST", "/v1/search", { query: item, k: 3 });
    const mate = hits.find((hit) => isRow(hit) && shown(hit.attributes) !== shown(item));
    if (mate && mate.decision === "match") return [item, mate.attributes];
  }
  const one = take();
  // Where an item is one of several kinds, one of each.
  const others = examples.filter((item) => kinds.length > 1 && kinds.some((kind) => kind.name in item !== kind.name in one));
  return [one, others.length ? others[nextExample % others.length] : take()];
}

function fact(name, value, of) {
  const text = make("dd", "", value);
  if (of) text.append(" ", make("small", "", of));
  return make("div", "", make("dt", "", name[0].toUpperCase() + name.slice(1)), text);
}

function showRelease() {
  byId("name").textContent = live.name || "gemel";
  document.title = `${live.name || "gemel"} · ${live.release.slice(0, 12)}`;
  byId("about").textContent = `release ${live.release.slice(0, 12)} · ${live.created.slice(0, 10)}`;
  byId("ids").textContent = `space ${live.space.slice(0, 12)}`;
  const { figures, sentence: promise } = live.operating_points || {};
  const facts = (figures || []).map((figure) => fact(...figure));
  byId("promise").hidden = !promise;
  byId("promise").textContent = promise || "";
  if (live.records !== null) facts.push(fact("Gallery", live.records.toLocaleString("en")));
  byId("facts").replaceChildren(...facts);
  byId("search").hidden = live.records === null;
}

async function start() {
  try {
    live = await ask("GET", "/v1/release");
  } catch (problem) {
    byId("about").textContent = problem.detail || "no release";
    return;
  }
  const { properties } = (await ask("GET", "/openapi.json")).components.schemas.Payload;
  const said = live.fields.length ? [] : Object.entries(properties || {});
  if (said.every(([, property]) => property.type === "string")) {
    kinds = said.map(([name, of]) => ({ name, media: of.contentEncoding ? of.contentMediaType || "*/*" : null }));
  }
  picture = (kinds.find((kind) => (kind.media || "").startsWith("image/")) || { name: null }).name;
  ({ examples, alike, range } = await ask("GET", "/console/examples"));
  showRelease();
  for (const fieldset of document.querySelectorAll("fieldset[data-item]")) {
    (kinds.length ? buildKinds : live.fields.length ? buildRow : buildJson)(fieldset);
  }
  for (const section of document.querySelectorAll("section:has(form)")) {
    section.querySelector("form").addEventListener("submit", (event) => submit(section, event));
    section.querySelector("[data-example]").addEventListener("click", () => example(section));
  }
  const ready = await ask("GET", "/readyz").catch((problem) => ({ warning: problem.detail }));
  byId("warning").hidden = !ready.warning;
  byId("warning").textContent = ready.warning || "";
  offerFile();
  const wanted = new URLSearchParams(location.search).get("example");
  if (!wanted) await begin();
  for (const section of document.querySelectorAll("section:has(form)")) {
    if (wanted && !section.hidden) await example(section);
  }
}

start();
