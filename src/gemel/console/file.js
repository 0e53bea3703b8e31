// A delimited file as records, asked for duplicates. A plain one is read as the commands read it: lines above the
// header or totals below the rows are not known here.
"use strict";

const MAX_RECORDS = 1000, MAX_GAPS = 10;
const TYPED = "€£§°²³µ´·«»–—‘’‚“”„•…™©®±¼½¾ºª¿¡×\u00a0"; // signs of cp1252 that people type

// The text of a file, and how it is written if not in UTF-8.
function textOf(bytes) {
  const [first, second] = new Uint8Array(bytes);
  for (const [name, ...mark] of [["utf-16le", 0xff, 0xfe], ["utf-16be", 0xfe, 0xff]]) {
    if (first === mark[0] && second === mark[1]) return { text: new TextDecoder(name).decode(bytes) };
  }
  try {
    return { text: new TextDecoder("utf-8", { fatal: true }).decode(bytes) };
  } catch {
    const text = new TextDecoder("windows-1252").decode(bytes);
    const beyond = [...text].filter((c) => c > "\x7f");
    if (/\0/.test(text) || !beyond.every((c) => /\p{L}/u.test(c) || TYPED.includes(c))) {
      throw { detail: "this is not a text in UTF-8", hint: "save the file as CSV UTF-8" };
    }
    return { text, note: "read as cp1252 (Western European, of Windows): it is not UTF-8" };
  }
}

// Rows of a delimited text with the line each begins at; the separator is what a first line for Excel states, or
// what the header has most of outside quotes.
function table(given) {
  const text = given.replace(/\r\n?/g, "\n"), stated = /^"?sep=(.)"?[^\S\n]*(?:\n|$)/.exec(text);
  const first = text.replace(/"[^"]*"/g, "").replace(/^\n+/, "").split("\n", 1)[0];
  const most = (a, b) => (first.split(b).length > first.split(a).length ? b : a);
  const comma = stated ? stated[1] : [",", ";", "\t", "|"].reduce(most);
  let quoted = false, line = stated ? 2 : 1;
  const rows = [{ line, cells: [""] }];
  for (let i = stated ? stated[0].length : 0; i < text.length; i++) {
    const c = text[i], row = rows[rows.length - 1].cells;
    if (c === "\n") line++;
    if (quoted && c === '"' && text[i + 1] === '"') row[row.length - 1] += text[++i];
    else if (c === '"' && (quoted || row[row.length - 1] === "")) quoted = !quoted;
    else if (!quoted && c === comma) row.push("");
    else if (!quoted && c === "\n") rows.push({ line, cells: [""] });
    else row[row.length - 1] += c;
  }
  return rows.filter((row) => row.cells.some((cell) => cell.trim()));
}

// The records of a text, with the line of each, and what is to be said of the file.
function records(text) {
  const [head, ...rows] = table(text.replace(/^\ufeff/, ""));
  if (!head) throw { detail: "the file is empty" };
  const header = head.cells.map((cell) => cell.trim());
  const names = live.fields.map((field) => field.name), at = (name) => header.indexOf(name);
  const missing = names.filter((name) => at(name) < 0);
  if (missing.length) {
    const column = missing.length === 1 ? "column" : "columns";
    throw { detail: `no ${column} ${missing.join(", ")}, which the fields ask for`, hint: `the file has ${header.join(", ")}` };
  }
  const isWhole = (row) => row.cells.length === header.length;
  const whole = rows.filter(isWhole), others = rows.filter((row) => !isWhole(row));
  const notes = others
    .slice(0, MAX_GAPS)
    .map((row) => `line ${row.line}: left out; ${row.cells.length} fields, the header has ${header.length}`);
  if (others.length > MAX_GAPS) notes.push(`${others.length - MAX_GAPS} more lines left out`);
  if (whole.length < 2 || whole.length > MAX_RECORDS) {
    const hint = whole.length < 2 ? notes.join("; ") || "two or more are compared" : "1,000 at most; for more: gemel duplicates FILE";
    throw { detail: `${whole.length} ${whole.length === 1 ? "record" : "records"}`, hint };
  }
  const ids = whole.map((row) => row.cells[at("id")]);
  const areIds = ids.every(Boolean) && new Set(ids).size === ids.length;
  const given = whole.map((row, i) => ({
    id: areIds ? ids[i] : `line ${row.line}`,
    payload: Object.fromEntries(names.map((name) => [name, row.cells[at(name)] || null])),
  }));
  return { given, lines: whole.map((row) => row.line), notes };
}

// The duplicates among the records of a file; a value that the service refuses is read as missing.
async function duplicatesOf({ given, lines, notes }) {
  for (let gaps = 0; ; gaps++) {
    try {
      return await ask("POST", "/v1/duplicates", { records: given });
    } catch (problem) {
      const [, row, field] = /^records\[(\d+)\]\.payload\.(.+)$/.exec(problem.where || "") || [];
      if (row === undefined) throw problem;
      const place = `line ${lines[row]}, column ${field}`;
      if (gaps === MAX_GAPS || !given[row].payload[field]) throw { ...problem, where: place };
      given[row].payload[field] = null;
      notes.push(`${place}: read as missing; ${problem.detail}`);
    }
  }
}

async function takeTable(section, file) {
  const result = section.querySelector(".result");
  try {
    const { text, note } = textOf(await file.arrayBuffer());
    const read = records(text);
    if (note) read.notes.unshift(note);
    result.replaceChildren(make("p", "quiet", `comparing ${read.given.length} records…`));
    showClusters(section, await duplicatesOf(read), read.given);
    for (const said of read.notes) result.append(make("p", "quiet", said));
  } catch (problem) {
    showProblem(section, problem instanceof Error ? { detail: `the file cannot be read: ${problem.message}` } : problem);
  }
}

function offerFile() {
  const section = byId("duplicates"), drop = byId("file"), input = drop.querySelector("input");
  section.hidden = picture !== null || !live.fields.length;
  const names = live.fields.map((field) => field.name).join(", ");
  drop.querySelector("span").textContent = `Choose or drop a CSV file of up to 1,000 records with the columns ${names}, and id if it has one`;
  input.addEventListener("change", () => input.files[0] && takeTable(section, input.files[0]));
  for (const name of ["dragover", "drop"]) {
    drop.addEventListener(name, (event) => {
      event.preventDefault();
      const file = name === "drop" && event.dataTransfer.files[0];
      if (file) takeTable(section, file);
    });
  }
}
