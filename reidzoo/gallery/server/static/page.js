"use strict";

const at = (id) => document.getElementById(id);
const percent = (value) => `${(100 * value).toFixed(value > 0.0995 && value < 0.9995 ? 0 : 1)}\u00a0%`;
const share = (value) => `${Number((100 * value).toPrecision(3))}\u00a0%`;
let about = null;
let query = null;
let asked = 0; // number of the newest request; answers to older ones are dropped

function say(text) {
  at("message").textContent = text || "";
  at("message").hidden = !text;
}

async function ask(path, form) {
  const answer = await fetch(path, form ? { method: "POST", body: form } : {});
  const content = await answer.json().catch(() => ({ detail: `the server answered with ${answer.status}` }));
  if (!answer.ok) {
    const detail = content.detail;
    throw new Error(Array.isArray(detail) ? detail.map((one) => `${one.loc.slice(-1)}: ${one.msg}`).join("; ") : detail);
  }
  return content;
}

/** Run a request, show its error, and drop its answer where a newer request was made meanwhile. */
async function latest(work, show) {
  const number = ++asked;
  document.body.setAttribute("aria-busy", "true");
  try {
    const answer = await work();
    if (number === asked) { say(""); show(answer); }
  } catch (error) {
    if (number === asked) { say(error.message); }
  } finally {
    if (number === asked) { document.body.removeAttribute("aria-busy"); }
  }
}

function make(tag, text, properties) {
  const element = Object.assign(document.createElement(tag), properties || {});
  if (text) { element.textContent = text; }
  return element;
}

function pictureOf(name) { return `/api/picture?name=${encodeURIComponent(name)}`; }

function tooLarge(file) {
  if (file.size <= about.max_bytes) { return false; }
  say(`${file.name} has ${file.size.toLocaleString("en")} bytes; ${about.max_bytes.toLocaleString("en")} are taken`);
  return true;
}

function setQuery(file) {
  if (!file || !about || tooLarge(file)) { return; }
  query = file;
  if (at("query").src) { URL.revokeObjectURL(at("query").src); }
  at("query").src = URL.createObjectURL(file);
  at("query").hidden = false;
  at("hint").textContent = file.name;
  at("comparison").hidden = true;
  search();
}

function search() {
  if (!query) { return; }
  const form = new FormData();
  form.append("picture", query);
  form.append("k", at("k").value);
  form.append("rerank", at("rerank").checked);
  for (const box of document.querySelectorAll("#cameras input:checked")) { form.append("camera", box.value); }
  latest(() => ask("/api/search", form), (answer) => {
    at("matches").replaceChildren(...answer.matches.map(card));
    if (!answer.matches.length) { say("The gallery holds no such picture."); }
  });
}

function card(match) {
  const who = match.identity === null ? match.file : `identity ${match.identity}`;
  const button = make("button", "", { type: "button", className: "match", title: match.file });
  const picture = make("img", "", { src: pictureOf(match.name), alt: `Match ${match.rank}: ${who}`, loading: "lazy" });
  picture.addEventListener("error", () => picture.replaceWith(make("small", "its file is gone")));
  const where = match.camera === null ? `no. ${match.rank}` : `no. ${match.rank}, camera ${match.camera}`;
  const said = figures(match);
  button.append(picture, make("b", who), make("small", where), make("meter", "", { value: Math.max(match.similarity, 0) }));
  button.append(...said.map((text) => make("small", text)));
  button.addEventListener("click", () => compare(match.name, who, pictureOf(match.name)));
  const item = make("li");
  item.append(button);
  return item;
}

function compare(second, title, source) {
  if (!query) { say("Choose a first picture, then the second one."); return; }
  const form = new FormData();
  form.append("first", query);
  form.append(second instanceof File ? "second" : "name", second);
  latest(() => ask("/api/compare", form), (answer) => showComparison(answer, title, source));
}

/** Say how similar two pictures are, and how probably of one identity, which is for a prior. */
function figures(answer) {
  const said = [`similarity ${answer.similarity.toFixed(2)}`];
  return answer.probability === null ? said : [...said, `${percent(answer.probability)} at prior ${share(about.prior)}`];
}

function showComparison(answer, title, source) {
  const sides = { above: "Above", below: "Below" };
  at("verdict").textContent = answer.side ? `${sides[answer.side]} the threshold of ${share(about.far)} false accepts` : "Not calibrated";
  at("figures").textContent = figures(answer).join(", ");
  at("reasons").replaceChildren(...answer.reasons.map((reason) => make("li", reason.replaceAll(" %", "\u00a0%"))));
  at("first-picture").src = at("query").src;
  at("second-picture").src = source;
  at("second-name").textContent = title;
  const strongest = Math.max(...answer.influence.flat(2).map(Math.abs), 1e-6);
  drawMap(at("first-map"), answer.influence[0], strongest);
  drawMap(at("second-map"), answer.influence[1], strongest);
  at("comparison").hidden = false;
  at("comparison").scrollIntoView({ block: "nearest" });
}

/** Draw each cell's influence: green where it makes the two alike, red where it sets them apart. */
function drawMap(canvas, cells, strongest) {
  const colours = getComputedStyle(document.documentElement);
  canvas.height = cells.length;
  canvas.width = cells[0].length;
  const pen = canvas.getContext("2d");
  cells.forEach((row, y) => row.forEach((value, x) => {
    const colour = colours.getPropertyValue(value > 0 ? "--alike" : "--apart");
    pen.fillStyle = `rgba(${colour}, ${(0.65 * Math.abs(value)) / strongest})`;
    pen.fillRect(x, y, 1, 1);
  }));
}

function showAbout(answer) {
  about = answer;
  const count = (number, one, many) => `${number.toLocaleString("en")} ${number === 1 ? one : many}`;
  const parts = [count(answer.images, "picture", "pictures"), count(answer.identities, "identity", "identities")];
  parts.push(`model ${answer.model}`, answer.calibrated ? `% is the probability of one identity at a prior of ${share(answer.prior)}` : "not calibrated: similarities, no probabilities");
  at("about").textContent = parts.join(" · ");
  at("k").max = answer.max_matches;
  for (const camera of answer.cameras) {
    const label = make("label");
    label.append(make("input", "", { type: "checkbox", value: camera }), camera);
    at("cameras").append(label);
  }
  if (!answer.cameras.length) { at("cameras").append(make("p", "none is known", { className: "quiet" })); }
}

function listen() {
  const wide = matchMedia("(min-width: 701px)");
  const fold = () => { for (const part of document.querySelectorAll("aside details")) { part.open = wide.matches; } };
  wide.addEventListener("change", fold);
  fold();
  at("query").addEventListener("error", () => { // such as a TIFF, which the server reads and few browsers do
    at("query").hidden = true;
    at("hint").textContent = `${query.name} (this browser cannot show it)`;
  });
  at("file").addEventListener("change", () => setQuery(at("file").files[0]));
  at("second").addEventListener("change", () => {
    const file = at("second").files[0];
    if (file && !tooLarge(file)) { compare(file, file.name, URL.createObjectURL(file)); }
    at("second").value = "";
  });
  for (const id of ["cameras", "k", "rerank"]) { at(id).addEventListener("change", search); }
  at("close").addEventListener("click", () => { at("comparison").hidden = true; });
  at("maps").addEventListener("change", () => {
    for (const id of ["first-map", "second-map"]) { at(id).hidden = !at("maps").checked; }
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    window.addEventListener(name, (event) => {
      event.preventDefault();
      at("drop").classList.toggle("over", name === "dragover");
      if (name === "drop" && event.dataTransfer.files.length) { setQuery(event.dataTransfer.files[0]); }
    });
  }
}

listen();
ask("/api/gallery").then(showAbout, (error) => say(error.message));
