"use strict";
// Folded sections open when a link leads into them, and on paper.
const fold = (to) => {
  for (let at = to; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
};
const arrive = () => {
  const to = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!to) return;
  fold(to);
  to.scrollIntoView();
};
addEventListener("hashchange", arrive);
arrive();
let closed = [];
addEventListener("beforeprint", () => {
  closed = [...document.querySelectorAll("details:not([open])")];
  for (const one of closed) one.open = true;
});
addEventListener("afterprint", () => {
  for (const one of closed) one.open = false;
});

// The threshold.
const shown = (name, text) => {
  for (const at of document.querySelectorAll(`[data-shows="${name}"]`)) at.textContent = text;
};
const count = (n) => Math.round(n).toLocaleString("en");
const digits = (value, n) =>
  value === 0 ? "0" : Number(value.toPrecision(n)).toLocaleString("en", { maximumFractionDigits: 12 });
const percent = (share) => {
  const least = share > 0.99 && share < 1 ? Math.ceil(-Math.log10(1 - share)) + 1 : 2;
  return `${digits(share * 100, least)}\u00a0%`;
};
const oneIn = (rate) => (rate ? `1 in ${digits(1 / rate, 2)}` : "none");

const slide = (data) => {
  const { points, genuine, impostor, edges, words } = data;
  const section = document.getElementById("slider");
  const [at, band, records] = ["threshold", "band", "records"].map((n) => section.querySelector(`[name=${n}]`));
  const clip = (i) => Math.max(0, Math.min(points.length - 1, i));
  // The share of genuine pairs falls as a set grows: each record has about as many mates.
  const priorIn = (n) => Math.min(0.5, (data.prior * (data.records - 1)) / Math.max(1, n - 1));
  let i = data.own;
  const show = () => {
    const k = Number(band.value), sized = records.validity.valid;
    const own = i === data.own && k === 0 && (data.band[0] || data.band[1]);
    const [low, high] = own ? [clip(i - data.band[0]), clip(i + data.band[1])] : [clip(i - k), clip(i + k)];
    at.setAttribute("aria-valuetext", digits(points[i][0], 4));
    shown("threshold", digits(points[i][0], 4));
    shown("band", low === high ? "nothing" : `scores from ${digits(points[low][0], 4)} to ${digits(points[high][0], 4)}`);
    draw(section.querySelector("svg.scores"), data, points[i][0], points[low][0], points[high][0]);
    shown("records", sized ? "" : `a whole number from 2 to ${count(records.max)}`);
    const told = sized ? figures(low, high, Number(records.value)) : {};
    for (const name of ["false", "missed", "precision", "review"]) {
      shown(name, told[name]?.[0] ?? "–");
      shown(`${name}-of`, told[name]?.[1] ?? "");
    }
  };
  // What is decided with points[low] and points[high] as the ends of what is left to a person.
  const figures = (low, high, n) => {
    const prior = data.named ? data.prior : priorIn(n), counted = data.counted && n === data.records;
    const pairs = counted ? genuine + impostor : (n * (n - 1)) / 2;
    const [trueOnes, falseOnes] = counted ? [genuine, impostor] : [prior * pairs, (1 - prior) * pairs];
    const some = (n) => (counted ? data.about + count(n) : `about ${count(n.toPrecision(3))}`);
    // Limits of 1 are none.
    const [mostFalse, mostLost] = data.limits[high] ?? [1, 1], mostMissed = data.limits[low]?.[1] ?? 1;
    const errors = (rate, most, n, things, text) => {
      const limit = counted ? text(most) : count(Math.ceil((most * n).toPrecision(3)));
      return [some(rate * n), `of ${count(n)} ${things}, ${text(rate)}${most === 1 ? "" : `, at most ${limit}`}`];
    };
    const right = (fmr, fnmr) => (prior * (1 - fnmr)) / (prior * (1 - fnmr) + (1 - prior) * fmr);
    const fmr = points[high][1], value = right(fmr, points[high][2]);
    const least = mostFalse === 1 || mostLost === 1 ? value : right(mostFalse, mostLost), wide = value - least > 0.1;
    const rounded = { 0: "hardly any", 1000: "nearly all" }[value > 0 && value < 1 && Math.round(1000 * value)];
    const seen = rounded || `about ${count(1000 * value)}`, open = 1000 * least < 1;
    const sure = open ? "how many at least is not known" : `at least ${count(1000 * least)}`;
    const matches = least === value ? `${seen} ${words.right}`
      : wide && !open ? `${sure} ${words.right}, ${seen} as counted` : `${seen} ${words.right}, ${sure}`;
    const review = prior * (points[high][2] - points[low][2]) + (1 - prior) * (points[low][1] - points[high][1]);
    return {
      false: errors(fmr, mostFalse, falseOnes, words.false, oneIn),
      missed: errors(points[low][2], mostMissed, trueOnes, words.missed, percent),
      precision: Number.isNaN(value) ? ["–", "nothing matches"]
        : [wide && !open ? `${percent(least)} or more` : percent(value), `of 1,000 matches ${matches}${data.named && `, if ${data.named}`}`],
      review: [percent(review), low === high ? "nobody is asked" : `about ${count(review * pairs)} pairs`],
    };
  };
  const move = (to) => {
    i = clip(to);
    at.value = points[i][0];
    show();
  };
  const nearest = (score) =>
    points.reduce((best, [t], j) => (Math.abs(t - score) < Math.abs(points[best][0] - score) ? j : best), 0);
  at.min = edges[0];
  at.max = edges[edges.length - 1];
  records.value = data.records;
  section.querySelector(".records").hidden = Boolean(data.named);
  for (const [goal, to] of data.marks) {
    const jump = document.createElement("button");
    jump.type = "button";
    jump.textContent = goal;
    jump.addEventListener("click", () => {
      band.value = 0;
      move(to);
    });
    section.querySelector(".jumps").append(jump);
  }
  at.addEventListener("input", () => {
    i = nearest(Number(at.value));
    show();
  });
  at.addEventListener("keydown", (pressed) => {
    const steps = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10 }[pressed.key];
    if (!steps) return;
    pressed.preventDefault();
    move(i + steps);
  });
  for (const input of [band, records]) input.addEventListener("input", show);
  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  axis(section.querySelector(".axis"), edges[0], edges[edges.length - 1]);
  move(i);
};

// Round scores below the histogram.
const axis = (line, low, high) => {
  const rough = (high - low) / 5, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((f) => f * power).find((s) => s >= rough);
  for (let k = Math.ceil(low / step); k * step <= high; k++) {
    const tick = document.createElement("span");
    tick.textContent = digits(k * step, 6);
    tick.style.left = `${(100 * (k * step - low)) / (high - low)}%`;
    line.append(tick);
  }
};

const draw = (svg, { edges, densities }, threshold, low, high) => {
  const x = (score) => Math.max(0, Math.min(600, (600 * (score - edges[0])) / (edges[edges.length - 1] - edges[0])));
  const make = (tag, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
    return made;
  };
  const shapes = densities.map((density, i) => {
    const most = Math.max(...density) || 1;
    const steps = density.map((d, j) => `L${x(edges[j])} ${118 - 112 * (d / most)}L${x(edges[j + 1])} ${118 - 112 * (d / most)}`);
    return make("path", { d: `M0 118${steps.join("")}L600 118Z`, class: i ? "genuine" : "impostor" });
  });
  svg.replaceChildren(
    ...shapes,
    make("rect", { x: x(low), y: 0, width: x(high) - x(low), height: 120, class: "band" }),
    make("path", { d: `M${x(threshold)} 0V120`, class: "line" }),
  );
};

const given = document.getElementById("slider-data");
if (given) slide(JSON.parse(given.textContent));
