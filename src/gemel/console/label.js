// One question of gemel label. Everything that comes from the service is written as text.
"use strict";

const byId = (id) => document.getElementById(id);
const buttons = [...document.querySelectorAll("[data-said]")];
let pair = null; // of the question that is shown
let waiting = false;

function side(pieces) {
  const cell = document.createElement("td");
  for (const [text, differs] of pieces) {
    const run = document.createElement(differs ? "mark" : "span");
    run.textContent = text;
    cell.append(run);
  }
  return cell;
}

function row(line) {
  const tr = document.createElement("tr"), name = document.createElement("th");
  const mark = document.createElement("td");
  name.textContent = line.name;
  mark.className = "differs";
  mark.textContent = line.differs ? "≠" : line.lacks ? "–" : "";
  mark.title = line.differs ? "they differ" : line.lacks ? "one has none" : "";
  tr.className = line.name ? "" : "ids";
  tr.append(name, side(line.left), side(line.right), mark);
  return tr;
}

function heading(words) {
  const tr = document.createElement("tr"), cell = document.createElement("th");
  cell.colSpan = 4;
  cell.textContent = words;
  tr.className = "ids";
  tr.append(cell);
  return tr;
}

function picture(url, i) {
  const image = document.createElement("img");
  image.src = url;
  image.alt = pair[i];
  return image;
}

function sound(url, i) {
  const audio = new Audio(url), box = document.createElement("label");
  const key = document.createElement("kbd");
  audio.controls = true;
  audio.setAttribute("aria-label", pair[i]);
  key.textContent = i + 1;
  box.append(key, audio);
  return box;
}

function play(i) {
  document.querySelectorAll("#media [controls]").forEach((audio, at) => {
    audio.pause();
    if (at !== i) return;
    audio.currentTime = 0;
    audio.play();
  });
}

function shown(state) {
  const question = state.question;
  pair = question && question.pair;
  byId("about").textContent = question
    ? `question ${state.asked + 1} · ${state.here} answered here by ${state.by} · ${state.until} until the next estimate`
    : `no question is left: ${state.asked} were asked`;
  byId("known").textContent = `${state.known}${state.may_stop ? ". You may stop: gemel calibrate --from-answers" : ""}`;
  byId("known").classList.toggle("match", state.may_stop);
  byId("question").hidden = !question;
  byId("media").replaceChildren(); // A sound that is taken away stops.
  if (!question) return;
  const compared = question.lines.filter((line) => line.is_compared).map(row);
  const others = question.lines.filter((line) => !line.is_compared).map(row);
  if (others.length) compared.push(heading("not compared"));
  byId("lines").replaceChildren(...compared, ...others);
  const media = [...question.pictures.map(picture), ...question.sounds.map(sound)];
  byId("media").hidden = !media.length;
  byId("media").replaceChildren(...media);
  buttons.find((b) => b.dataset.said === "back").disabled = !state.here;
}

async function ask(method, path, body) {
  if (waiting) return;
  waiting = true;
  try {
    const reply = await fetch(path, {
      method,
      headers: body ? { "content-type": "application/json" } : {},
      body: body && JSON.stringify(body),
    });
    if (!reply.ok) throw new Error(`${reply.status} ${reply.statusText}`);
    const state = await reply.json();
    shown(state);
    byId("problem").textContent = "This answer was not kept: its pair was answered elsewhere in the meantime. Here is the next one.";
    byId("problem").hidden = state.kept;
  } catch (error) {
    byId("problem").textContent = `The last answer was not kept (${error.message}): is gemel label still running?`;
    byId("problem").hidden = false;
  } finally {
    waiting = false;
  }
}

const say = (said) => ask("POST", "/answer", { pair, said });
for (const button of buttons) button.addEventListener("click", () => say(button.dataset.said));
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  if (event.key === "1" || event.key === "2") play(event.key - 1);
  const button = buttons.find((b) => b.dataset.key === event.key.toLowerCase());
  if (button && !button.disabled && (pair || button.dataset.said === "back")) say(button.dataset.said);
});
ask("GET", "/state");
