// The page: a list of studies, the series of one, the pictures of one of those. Whatever a data set says is shown as text.

import { ROOT, date, first, personName, search, text, values } from "./dicomweb.js";
import { describe, drawColour, drawShades, hasPicture, obstacle, shades, windowOf } from "./picture.js";
import { Stack } from "./stack.js";

const MOST = 200;
const UID = /^[0-9.]{1,64}$/;
const one = (selector) => document.querySelector(selector);
const [list, canvas, slider, message, caption, play] = ["#studies ul", "canvas", "#slider", "#message", "#caption", "#play"].map(one);

function made(name, content, ...children) {
  const element = document.createElement(name);
  element.textContent = content;
  element.append(...children);
  return element;
}

function choose(button) {
  for (const other of button.closest("ul").querySelectorAll("button")) other.setAttribute("aria-current", String(other === button));
}

// ---- studies

let searching = new AbortController();

async function showStudies() {
  searching.abort();
  searching = new AbortController();
  const { signal } = searching;
  const wanted = one("#search").value.replace(/[*?\\,]/g, " ").trim();
  const common = { includefield: "00081030", limit: MOST };
  const keys = wanted ? wishes(wanted).map(([key, value]) => ({ ...common, [key]: `*${value}*` })) : [common];
  try {
    const pages = await Promise.all(keys.map((parameters) => search("/studies", parameters, signal)));
    const found = new Map(pages.flat().map((study) => [text(study, "0020000D"), study]));
    const newestFirst = [...found.values()].sort((a, b) => text(b, "00080020").localeCompare(text(a, "00080020")));
    list.replaceChildren(...newestFirst.map(studyEntry));
    const isCut = pages.some((page) => page.length >= MOST);
    one("#count").textContent = isCut ? `the first ${found.size} studies` : `${found.size} ${found.size === 1 ? "study" : "studies"}`;
    hint(found.size ? "" : wanted ? "No study matches." : `Nothing is stored yet. Try: dicomgate store ${ROOT} FILES…`);
  } catch (fault) {
    if (!signal.aborted) hint(String(fault.message));
  }
}

/** Names match in any case; other texts only as they are written, so a capital at the start is tried too. */
function wishes(wanted) {
  const capital = wanted[0].toUpperCase() + wanted.slice(1);
  const plain = [["PatientName", wanted], ["PatientID", wanted], ["StudyDescription", wanted]];
  return capital === wanted ? plain : [...plain, ["StudyDescription", capital]];
}

function hint(sentence) {
  one("#studies .hint").hidden = !sentence;
  one("#studies .hint").textContent = sentence;
}

function studyEntry(study) {
  const count = `${text(study, "00201208")} in ${text(study, "00201206")} series`;
  const what = [values(study, "00080061").join(" "), text(study, "00081030")].filter(Boolean).join(" · ");
  const button = made("button", "",
    made("strong", personName(study, "00100010")),
    made("small", "", made("span", what), made("span", date(study, "00080020"))),
    made("small", "", made("span", text(study, "00100020")), made("span", count)));
  button.type = "button";
  button.dataset.uid = text(study, "0020000D");
  button.setAttribute("aria-current", String(button.dataset.uid === location.hash.slice(1).split("/")[0]));
  button.addEventListener("click", () => openStudy(study));
  return made("li", "", button);
}

// ---- one study

let opening = 0;

async function openStudy(study, wantedSeries) {
  const turn = ++opening;
  const uid = text(study, "0020000D");
  const button = list.querySelector(`[data-uid="${CSS.escape(uid)}"]`);
  if (button) choose(button);
  one("#welcome").hidden = true;
  one("#study").hidden = false;
  one("#study h2").textContent = personName(study, "00100010");
  one("#study .about p").textContent = [text(study, "00100020"), date(study, "00080020"), text(study, "00081030")].filter(Boolean).join(" · ");
  closeStack();
  try {
    const found = await search(`/studies/${uid}/series`, { includefield: "0008103E" });
    if (turn !== opening) return;
    const entries = found.map((series) => [series, seriesEntry(uid, series)]);
    one("#series").replaceChildren(...entries.map(([, button]) => made("li", "", button)));
    const [series, chosen] = entries.find(([one]) => text(one, "0020000E") === wantedSeries) ?? entries[0] ?? [];
    if (series) openSeries(uid, series, chosen);
  } catch (fault) {
    say(String(fault.message));
  }
}

function seriesEntry(study, series) {
  const title = text(series, "0008103E") || `Series ${text(series, "00200011") || "without number"}`;
  const button = made("button", title, made("small", `${text(series, "00080060")} · ${text(series, "00201209")}`));
  button.type = "button";
  button.addEventListener("click", () => openSeries(study, series, button));
  return button;
}

// ---- one series

let stack = null;
let place = 0;
let levels = null; // centre and width that the user has chosen
let timer = 0;

function closeStack() {
  stack?.close();
  stack = null;
  levels = null;
  clearInterval(timer);
  timer = 0;
  play.textContent = "Play";
  one("#controls").hidden = canvas.hidden = true;
  caption.textContent = "";
  say("");
}

function say(sentence) {
  message.textContent = sentence;
}

async function openSeries(study, series, button) {
  const turn = ++opening;
  const uid = text(series, "0020000E");
  closeStack();
  choose(button);
  history.replaceState(null, "", `#${study}/${uid}`);
  say("Loading…");
  try {
    const metadata = await search(`/studies/${study}/series/${uid}/metadata`, {});
    if (turn !== opening) return;
    stack = new Stack(study, uid, metadata);
    slider.max = stack.frames.length;
    one("#controls").hidden = stack.frames.length < 2;
    play.hidden = !stack.pause;
    await show(stack.pause ? 0 : stack.frames.length >> 1);
  } catch (fault) {
    if (turn === opening) say(String(fault.message));
  }
}

async function show(wanted) {
  const shown = stack;
  if (!shown?.frames.length) return;
  place = Math.max(0, Math.min(shown.frames.length - 1, wanted));
  const asked = place;
  slider.value = place + 1;
  one("#place").textContent = `${place + 1} of ${shown.frames.length}`;
  const entry = shown.frames[place];
  try {
    entry.about ??= await describe(entry.dataset, shown.signal);
    const isThere = hasPicture(entry.dataset, entry.about);
    const content = isThere ? await shown.content(asked) : null;
    if (shown !== stack || asked !== place) return; // the user has gone on
    const problem = content ? obstacle(entry.about, content) : isThere ? compressed(entry.dataset) : "There is no picture in this instance.";
    if (!problem) draw(entry, content);
    blank(problem);
  } catch (fault) {
    if (shown === stack && !shown.signal.aborted) blank(String(fault.message));
  }
}

/** A sentence in the place of the picture; none lets it be seen. */
function blank(sentence) {
  canvas.hidden = Boolean(sentence);
  if (sentence) caption.textContent = "";
  say(sentence);
}

function compressed(dataset) {
  return `This picture is stored compressed (transfer syntax ${text(dataset, "00083002")}) and cannot be shown in the page yet. DICOMweb viewers can fetch and show it.`;
}

function draw({ dataset, frame, about }, content) {
  const context = canvas.getContext("2d");
  if (canvas.width !== about.columns || canvas.height !== about.rows) [canvas.width, canvas.height] = [about.columns, about.rows];
  const picture = context.createImageData(about.columns, about.rows);
  let line = "";
  if (about.kind.startsWith("MONOCHROME")) {
    const values = shades(dataset, frame, about, content);
    const now = levels ?? windowOf(dataset, frame, about, values);
    canvas.levels = now;
    drawShades(picture.data, about, values, now);
    line = `C ${Math.round(now.centre)}  W ${Math.round(now.width)}`;
  } else {
    canvas.levels = null;
    drawColour(picture.data, about, content);
  }
  context.putImageData(picture, 0, 0);
  caption.textContent = [`${about.columns} × ${about.rows}`, line].filter(Boolean).join("\n");
  canvas.setAttribute("aria-label", `Picture ${place + 1} of ${stack.frames.length}`);
}

// ---- hands

function restAfter(milliseconds, deed) {
  let waiting = 0;
  return () => {
    clearTimeout(waiting);
    waiting = setTimeout(deed, milliseconds);
  };
}

one("#search").addEventListener("input", restAfter(180, showStudies));
slider.addEventListener("input", () => show(Number(slider.value) - 1));
one("figure").addEventListener("wheel", (event) => {
  event.preventDefault();
  show(place + Math.sign(event.deltaY));
}, { passive: false });
canvas.addEventListener("keydown", (event) => {
  const step = { ArrowUp: -1, ArrowLeft: -1, ArrowDown: 1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -Infinity, End: Infinity }[event.key];
  if (step) event.preventDefault();
  if (step) show(place + step);
});
canvas.addEventListener("pointermove", (event) => {
  if (!(event.buttons & 1) || !canvas.levels) return;
  const { centre, width } = canvas.levels;
  const pace = Math.max(width / 400, 0.01);
  levels = { centre: centre + event.movementY * pace, width: Math.max(1, width + event.movementX * pace) };
  show(place);
});
canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
canvas.addEventListener("dblclick", () => {
  levels = null;
  show(place);
});
play.addEventListener("click", () => {
  play.textContent = timer ? "Play" : "Stop";
  if (timer) clearInterval(timer);
  timer = timer ? 0 : setInterval(() => show((place + 1) % stack.frames.length), stack.pause);
});
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && event.target.tagName !== "INPUT") {
    event.preventDefault();
    one("#search").focus();
  }
});

one("#root").textContent = ROOT;
showStudies();
const [study, series] = location.hash.slice(1).split("/");
if (UID.test(study)) {
  const [found] = await search("/studies", { StudyInstanceUID: study, includefield: "00081030" }).catch(() => []);
  if (found) openStudy(found, series);
}
