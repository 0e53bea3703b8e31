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
  const { points, genuine, impostor } = data;
  const section = document.getElementById("slider");
  const [at, band, records] = ["threshold", "band", "records"].map((n) => section.querySelector(`[name=${n}]`));
  const clip = (i) => Math.max(0, Math.min(points.length - 1, i));
  // The share of genuine pairs falls as a set grows: each record has about as many mates.
  const priorIn = (n) => Math.min(0.5, (data.prior * (data.records - 1)) / Math.max(1, n - 1));
  const show = () => {
    const i = Number(at.value), k = Number(band.value);
    const own = i === data.own && k === 0 && (data.band[0] || data.band[1]);
    const [low, high] = own ? [clip(i - data.band[0]), clip(i + data.band[1])] : [clip(i - k), clip(i + k)];
    const fmr = points[high][1], fnmr = points[low][2];
    const n = Math.max(2, Math.round(Number(records.value) || data.records));
    const prior = data.stated ? data.prior : priorIn(n);
    const pairs = data.stated || n === data.records ? genuine + impostor : (n * (n - 1)) / 2;
    const [trueOnes, falseOnes] = pairs === genuine + impostor ? [genuine, impostor] : [prior * pairs, (1 - prior) * pairs];
    const found = prior * (1 - points[high][2]), wrong = (1 - prior) * fmr;
    const review = prior * (points[high][2] - points[low][2]) + (1 - prior) * (points[low][1] - points[high][1]);
    const about = pairs === genuine + impostor ? data.about : "about ";
    shown("threshold", digits(points[i][0], 4));
    shown("band", low === high ? "nothing" : `scores from ${digits(points[low][0], 4)} to ${digits(points[high][0], 4)}`);
    shown("false", about + count(fmr * falseOnes));
    shown("false-of", `of ${count(falseOnes)} ${data.words.false}, ${oneIn(fmr)}`);
    shown("missed", about + count(fnmr * trueOnes));
    shown("missed-of", `of ${count(trueOnes)} ${data.words.missed}, ${percent(fnmr)}`);
    shown("precision", found + wrong ? percent(found / (found + wrong)) : "–");
    shown("precision-of", found + wrong ? `of 1,000 matches about ${count((1000 * found) / (found + wrong))} ${data.words.right}` : "nothing matches");
    shown("review", percent(review));
    shown("review-of", low === high ? "nobody is asked" : `about ${count(review * pairs)} pairs`);
    draw(section.querySelector("svg.scores"), data, points[i][0], points[low][0], points[high][0]);
  };
  at.max = points.length - 1;
  at.value = data.own;
  records.value = data.records;
  section.querySelector(".records").hidden = data.stated;
  for (const [goal, i] of data.marks) {
    const jump = document.createElement("button");
    jump.type = "button";
    jump.textContent = goal;
    jump.addEventListener("click", () => {
      at.value = i;
      band.value = 0;
      show();
    });
    section.querySelector(".jumps").append(jump);
  }
  for (const input of [at, band, records]) input.addEventListener("input", show);
  for (const hidden of document.querySelectorAll(".scripted")) hidden.hidden = false;
  show();
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
