"use strict";
// Draws the report that stands in this page. No network, no storage, no libraries.
const reports = JSON.parse(document.getElementById("data").textContent);
const MARKS = {
  pass: ["✓", "passed"], fail: ["✗", "failed"], error: ["!", "errors"],
  "unexpected-pass": ["±", "unexpected passes"], "known-deviation": ["≈", "known deviations"],
  observation: ["i", "observations"], skip: ["–", "skipped"],
  "not-run": ["·", "not run"],
};

function make(tag, options = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) {
    if (name === "class") node.className = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
}

const svg = (tag, attributes, text) => {
  const node = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  if (text !== undefined) node.textContent = text;
  return node;
};
const mark = (verdict) => make("span", { class: `mark ${verdict}`, "aria-hidden": "true" }, (MARKS[verdict] || ["?"])[0]);
const words = (verdict) => (MARKS[verdict] || ["?", verdict])[1];
const bytes = (hex) => (hex || "").replace(/(..)(?!$)/g, "$1 ");
const area = (id) => id.split(".")[0];
const named = (report) => report.device.place;
const time = (millis) => (millis >= 1000 ? `${(millis / 1000).toFixed(1)} s` : `${millis.toFixed(millis < 10 ? 1 : 0)} ms`);

// Rows of the matrix: every scenario of any report, in the order of the first that has it.
const rows = new Map();
reports.forEach((report, index) => {
  for (const outcome of report.results) {
    if (!rows.has(outcome.id)) rows.set(outcome.id, { id: outcome.id, title: outcome.title, outcomes: [] });
    rows.get(outcome.id).outcomes[index] = outcome;
  }
});
for (const row of rows.values()) {
  const seen = reports.map((_, index) => row.outcomes[index]?.verdict);
  row.differs = reports.length > 1 && new Set(seen).size > 1;
  row.verdicts = new Set(seen.filter(Boolean));
}

let wanted = null; // a verdict, "differs", or null for all
function show() {
  const text = document.getElementById("filter").value.trim().toLowerCase();
  for (const row of rows.values()) {
    const fits = (!wanted || (wanted === "differs" ? row.differs : row.verdicts.has(wanted))) &&
      (!text || `${row.id} ${row.title}`.toLowerCase().includes(text));
    row.entry.hidden = !fits;
    row.cell.style.opacity = fits ? "1" : "0.2";
  }
  for (const section of document.querySelectorAll("section[data-area]")) {
    section.hidden = !section.querySelector("details.scenario:not([hidden])");
  }
  for (const button of document.querySelectorAll(".tally button")) {
    button.setAttribute("aria-pressed", String(button.dataset.verdict === (wanted || "")));
  }
}

function tally() {
  const list = make("ul", { class: "tally" });
  const add = (verdict, count, label) => {
    const button = make("button", {
      type: "button", "data-verdict": verdict || "", "aria-pressed": "false",
      onclick: () => { wanted = wanted === verdict ? null : verdict; show(); },
    }, ...(verdict && verdict !== "differs" ? [mark(verdict), " "] : []), `${count} ${label}`);
    list.append(make("li", {}, button));
  };
  add(null, rows.size, "scenarios");
  for (const verdict of Object.keys(MARKS)) {
    const count = [...rows.values()].filter((row) => row.verdicts.has(verdict)).length;
    if (count) add(verdict, count, words(verdict));
  }
  const differing = [...rows.values()].filter((row) => row.differs).length;
  if (reports.length > 1) add("differs", differing, "where the targets differ");
  return list;
}

function facts(pairs) {
  const list = make("dl");
  for (const [name, value] of pairs) {
    if (value !== undefined && value !== null && value !== "") list.append(make("dt", {}, name), make("dd", {}, String(value)));
  }
  return list;
}

function target(report) {
  const card = report.device;
  return make("article", { class: "target" }, make("h3", {}, named(report)), facts([
    ["Serial", card.serial], ["Kind", card.is_virtual ? "virtual card" : "device"],
    ["Profile", (report.profile || []).join(": ")], ["Firmware", card.version], ["ATR", bytes(card.atr)],
    ["Second card", report.second && `${report.second.serial}, ${report.second.place}`],
    ["Run", `${report.began}, ${time(report.millis)}`], ["Seed", report.seed],
    ["Scenarios", `${report.chosen_scenarios} of ${report.known_scenarios} chosen`],
  ]), report.aborted && make("p", { class: "reason error" }, make("span", {}, `The run ended early: ${report.aborted}`)),
  ...[...(report.left_before || []), ...(report.left || [])].map((left) => make("p", { class: "reason error" }, make("span", {}, `Not given back: ${left}`))));
}

function reveal(id) {
  const row = rows.get(id);
  if (!row) return;
  wanted = null;
  document.getElementById("filter").value = "";
  show();
  row.entry.open = true;
  row.entry.scrollIntoView({ block: "start" });
  row.entry.querySelector("summary").focus({ preventScroll: true });
}

function matrix() {
  const grid = make("div", { class: "matrix" });
  const areas = new Map();
  for (const row of rows.values()) {
    if (!areas.has(area(row.id))) areas.set(area(row.id), []);
    areas.get(area(row.id)).push(row);
  }
  for (const [name, members] of areas) {
    const cells = make("div", { class: "cells" });
    for (const row of members) {
      const group = make("span", { class: row.differs ? "pair differs" : "pair" });
      reports.forEach((report, index) => {
        const verdict = row.outcomes[index]?.verdict || "skip";
        const said = row.outcomes[index] ? verdict : "not run";
        const title = reports.length > 1 ? `${named(report)}: ${row.id}: ${said}` : `${row.id}: ${said}`;
        group.append(make("button", { type: "button", class: `cell ${verdict}`, title, "aria-label": title, onclick: () => reveal(row.id) },
          make("span", {}, (MARKS[verdict] || ["?"])[0])));
      });
      row.cell = group;
      cells.append(group);
    }
    grid.append(make("div", { class: "area" }, `${name} `, make("span", { class: "faint" }, String(members.length))), cells);
  }
  return grid;
}

// Fields of TLV data: what each tag is called where a card uses it.
const TAGS = {
  "6F": "file control information", "62": "file control parameters", "80": "size, or a first field", "81": "first number, PIN or X", "82": "second number, SO-PIN or Y",
  "83": "file or key name", "84": "application name", "85": "proprietary", "86": "public point", "87": "cofactor", "91": "algorithms or tries", "92": "key domain or shares",
  "97": "slots for key domains", "A5": "proprietary template", "53": "content", "54": "offset", "42": "authority", "06": "algorithm", "67": "request", "7F21": "certificate",
  "7F4E": "certificate body", "7F49": "public key", "7F4C": "role", "5F20": "holder", "5F24": "valid until", "5F25": "valid from", "5F29": "profile", "5F37": "signature",
  "7C": "authentication data", "30": "sequence", "02": "number", "04": "bytes",
};

// Elements of TLV data, or nothing when it is none; stars are bytes like any other.
function elements(hex) {
  const list = [];
  let at = 0;
  const take = (count) => {
    const part = hex.slice(at, at + 2 * count);
    at += 2 * count;
    return part.length === 2 * count ? part : null;
  };
  while (at < hex.length) {
    let tag = take(1);
    if (!tag || tag.includes("*") || tag === "00" || tag === "FF") return null;
    if ((parseInt(tag, 16) & 0x1f) === 0x1f) {
      const more = take(1);
      if (!more || more.includes("*")) return null;
      tag += more;
    }
    const first = take(1);
    let length = parseInt(first, 16);
    if (length === 0x81 || length === 0x82) length = parseInt(take(length - 0x80), 16);
    if (!(length >= 0 && length <= 65535) || length === 0x80) return null;
    const value = take(length);
    if (value === null) return null;
    const inner = parseInt(tag.slice(0, 2), 16) & 0x20 ? elements(value) : null;
    list.push({ tag, value, inner });
  }
  return list.length ? list : null;
}

const printable = (hex) => {
  const codes = (hex.match(/../g) || []).map((pair) => (pair === "**" ? -1 : parseInt(pair, 16)));
  return codes.length > 3 && codes.every((code) => code >= 0x20 && code < 0x7f) ? ` "${String.fromCharCode(...codes)}"` : "";
};

function tree(list) {
  return make("ul", { class: "tlv" }, ...list.map(({ tag, value, inner }) => make("li", {},
    make("b", {}, tag), ` ${TAGS[tag] || ""} `, make("span", { class: "faint" }, `${value.length / 2} bytes`),
    inner ? tree(inner) : make("pre", {}, bytes(value) + printable(value)))));
}

// Data of a command, its lengths taken off; and the length that it expects.
function body(command) {
  const rest = command.slice(8);
  const number = (from, to) => parseInt(rest.slice(from, to), 16);
  if (rest.length <= 2) return { data: "", le: rest };
  if (rest.startsWith("00") && rest.length > 6) {
    const length = 2 * number(2, 6);
    return rest.length >= 6 + length ? { data: rest.slice(6, 6 + length), le: rest.slice(6 + length) } : { data: rest, le: "" };
  }
  if (rest.startsWith("00")) return { data: "", le: rest };
  const length = 2 * number(0, 2);
  return rest.length >= 2 + length ? { data: rest.slice(2, 2 + length), le: rest.slice(2 + length) } : { data: rest, le: "" };
}

// One exchange: the command in words, and on a click every field of it.
function exchange(said, number, culprit) {
  const what = said.event || [said.name, ...(said.details || [])].join(", ");
  const summary = make("summary", {}, make("span", { class: "faint" }, `${number} ${said.card}`), make("span", {}, what),
    make("span", { class: "sw" }, said.event ? "" : said.status || "no answer"),
    make("span", { class: "faint" }, said.meaning || ""));
  const table = make("table");
  const line = (name, value) => {
    if (value) table.append(make("tr", {}, make("td", {}, name), make("td", {}, make("pre", {}, value))));
  };
  const [cla, ins, p1, p2] = (said.command || "").match(/../g) || [];
  if (p2) line("header", `CLA ${cla}  INS ${ins}  P1 ${p1}  P2 ${p2}`);
  const data = (name, hex) => {
    if (!hex) return;
    const fields = elements(hex);
    table.append(make("tr", {}, make("td", {}, name), make("td", { class: fields ? "decoded" : "" },
      fields ? tree(fields) : make("pre", {}, bytes(hex) + printable(hex)))));
  };
  if (p2) {
    const { data: sent, le } = body(said.command);
    data(`data, ${sent.length / 2} bytes`, sent);
    if (le) line("expects", /^0+$/.test(le) ? "as much as comes" : `${parseInt(le, 16)} bytes`);
  }
  const answer = (said.response || "").slice(0, -4);
  data(`answer, ${answer.length / 2} bytes`, answer);
  if (!said.event) line("raw", `${bytes(said.command)}\n${bytes(said.response)}`);
  line("status", `${said.status || "none"} ${said.meaning || ""}`);
  line("took", `${said.micros} µs`);
  line("guard", said.guard);
  return make("details", { class: culprit ? "exchange culprit" : "exchange", open: culprit && "" }, summary, table);
}

function outcome(result, report) {
  const part = make("div", { class: "outcome" });
  if (reports.length > 1) part.append(make("h3", {}, named(report)));
  if (!result) {
    part.append(make("p", { class: "faint" }, "Not run on this target."));
    return part;
  }
  const say = (text) => part.append(make("p", { class: `reason ${result.verdict}` }, make("span", {}, text)));
  part.append(make("p", {}, mark(result.verdict), ` ${result.verdict.replaceAll("-", " ")}`));
  if (result.finding) {
    say(`Expected: ${result.finding.expected}`);
    say(`Found: ${result.finding.found}`);
  }
  if (result.reason) say(result.reason);
  for (const observation of result.observations || []) say(observation);
  part.append(facts([["Source", result.source], ["Effect", result.effect], ["Begins", result.start], ["Took", time(result.millis)]]));
  part.append(make("pre", { class: "faint" }, result.rerun));
  const said = result.exchanges || [];
  if (said.length) part.append(make("h3", {}, said.length === 1 ? "1 exchange" : `${said.length} exchanges`));
  said.forEach((one, index) => part.append(exchange(one, index + 1, result.finding?.exchange === index + 1)));
  return part;
}

function scenarios() {
  const parts = [];
  const areas = new Map();
  for (const row of rows.values()) {
    const name = area(row.id);
    if (!areas.has(name)) {
      areas.set(name, make("section", { "data-area": name }, make("h2", {}, name)));
      parts.push(areas.get(name));
    }
    const worst = ["fail", "error", "unexpected-pass", "known-deviation", "observation", "pass", "skip", "not-run"]
      .find((verdict) => row.verdicts.has(verdict)) || "skip";
    const body = make("div", { class: reports.length > 1 ? "side-by-side" : "" });
    row.entry = make("details", { class: "scenario" },
      make("summary", {}, mark(worst),
        make("span", {}, row.title, " ", make("code", { class: "faint" }, row.id)),
        make("span", { class: "faint" }, reports.map((_, index) => row.outcomes[index]?.verdict || "not run").join(" / "))),
      body);
    // Thousands of exchanges are drawn when somebody opens them.
    row.entry.addEventListener("toggle", () => {
      if (row.entry.open && !body.hasChildNodes()) {
        reports.forEach((report, index) => body.append(outcome(row.outcomes[index], report)));
      }
    });
    areas.get(name).append(row.entry);
  }
  return parts;
}

// Where the window is narrow, cards stand below each other.
const narrow = matchMedia("(max-width: 42rem)");

// Cards, slots below each other; slots with one KEK have one colour and a line.
function domains() {
  // Two reports may speak of one card; it is drawn once.
  const cards = new Map();
  for (const report of reports) for (const card of report.cards || []) {
    if (!cards.has(card.serial)) cards.set(card.serial, { name: card.serial, slots: slots(card) });
  }
  if (!cards.size) return undefined;
  const figure = make("figure");
  const redraw = () => figure.replaceChildren(...draw([...cards.values()]));
  narrow.addEventListener("change", redraw);
  redraw();
  return make("section", {}, make("h2", {}, "Key domains"), figure);
}

// Keys with a list of algorithms that lacks 92, wrapping, never leave their card.
const STAYS = "⊘";
const stays = (key) => Boolean(key.algorithms) && !key.algorithms.includes("92");

function slots(card) {
  const keys = (slot) => (card.keys || []).filter((key) => (key.domain ?? null) === slot);
  const list = card.domains.map((domain) => ({
    label: `slot ${domain.slot}: ` + ({
      dkek: domain.check_value ? `DKEK ${domain.check_value}` : `DKEK, ${domain.outstanding} of ${domain.shares} shares to come`,
      xkek: `XKEK, group ${(domain.group || "").slice(0, 8)}…${domain.check_value ? "" : ", no KEK yet"}`,
    }[domain.kind] || "empty"),
    // Cards of a group share it before they have agreed on a KEK.
    kek: domain.group || domain.check_value, keys: folded(keys(domain.slot)),
    marks: keys(domain.slot).some(stays),
  }));
  const free = keys(null);
  if (free.length) list.push({ label: "no domain: stays on the card", keys: folded(free), marks: free.some(stays) });
  return list;
}

const folded = (keys) => {
  const words = keys.map((key) => `key ${key.key}${stays(key) ? ` ${STAYS}` : ""}`);
  const lines = [];
  for (let index = 0; index < words.length; index += 4) lines.push(words.slice(index, index + 4).join(", "));
  if (lines.length <= 6) return lines;
  const staying = keys.slice(20).filter(stays).length;
  return [...lines.slice(0, 5), `and ${keys.length - 20} more${staying ? `, ${staying} of them ${STAYS}` : ""}`];
};

function draw(cards) {
  const stacked = narrow.matches;
  const wide = stacked ? 290 : 260, gap = 70, high = 24;
  const palette = ["#1f5fa8", "#b3541e", "#2c7a4b", "#7b1fa2", "#946200", "#00727a"];
  const shared = new Map();
  for (const card of cards) for (const slot of card.slots) {
    if (slot.kek) shared.set(slot.kek, [...(shared.get(slot.kek) || []), slot]);
  }
  const colour = (kek) => {
    const index = [...shared.keys()].filter((key) => shared.get(key).length > 1).indexOf(kek);
    return index < 0 ? "currentcolor" : palette[index % palette.length];
  };
  const picture = svg("svg", { role: "img" });
  picture.append(svg("title", {}, "Which keys can travel between which cards"));
  let tallest = 0;
  const anchors = new Map();
  cards.forEach((card, column) => {
    const x = 1 + (stacked ? 0 : column * (wide + gap));
    const top = stacked && column ? tallest + 14 : 0;
    picture.append(svg("text", { x, y: top + 16, "font-weight": "600" }, card.name));
    let y = top + 28;
    for (const slot of card.slots) {
      const lines = [...(slot.keys.length ? slot.keys : ["no keys"])];
      const height = 30 + lines.length * high * 0.75;
      const stroke = slot.kek ? colour(slot.kek) : "var(--rule)";
      picture.append(svg("rect", { x, y, width: wide, height, rx: 6, class: "box", style: `stroke:${stroke};stroke-width:${slot.kek ? 2 : 1}` }));
      picture.append(svg("text", { x: x + 10, y: y + 19 }, slot.label));
      lines.forEach((line, index) => picture.append(svg("text", { x: x + 10, y: y + 38 + index * high * 0.75, class: "small" }, line)));
      if (slot.kek) anchors.set(slot.kek, [...(anchors.get(slot.kek) || []), { x, y: y + height / 2, column }]);
      y += height + 10;
    }
    tallest = Math.max(tallest, y);
  });
  let lanes = 0;
  for (const [kek, points] of anchors) {
    for (let index = 1; index < points.length; index += 1) {
      const [from, to] = [points[index - 1], points[index]];
      if (from.column === to.column) continue;
      const start = from.x + wide;
      // Below each other the line runs beside the boxes, each in a lane of its own while there is room.
      const end = stacked ? start : to.x;
      const middle = stacked ? start + 16 + 10 * (lanes % 4) : (start + to.x) / 2;
      lanes += 1;
      picture.append(svg("path", { d: `M${start} ${from.y} C${middle} ${from.y} ${middle} ${to.y} ${end} ${to.y}`, fill: "none", style: `stroke:${colour(kek)};stroke-width:2` }));
    }
  }
  const width = stacked ? wide + 50 : cards.length * (wide + gap) - gap + 2;
  picture.setAttribute("viewBox", `0 0 ${width} ${tallest}`);
  picture.setAttribute("width", width);
  const routes = [...shared.values()].filter((slots) => slots.length > 1).length;
  const marks = cards.some((card) => card.slots.some((slot) => slot.marks));
  const caption = (routes
    ? "A line joins slots that hold the same KEK, or belong to one group: keys of these slots can travel, wrapped, from one card to the other"
    : "No two slots share a KEK or a group: no key can travel from one to the other")
    + (marks ? `. ${STAYS}: its list of algorithms lacks 92, so that it is never wrapped.` : ".");
  return [picture, make("figcaption", { class: "faint" }, caption)];
}

const filter = make("input", { type: "search", id: "filter", placeholder: "Filter by id or title", "aria-label": "Filter scenarios", oninput: show });
const failed = [...rows.values()].some((row) => ["fail", "error", "unexpected-pass"].some((verdict) => row.verdicts.has(verdict)));
const main = document.querySelector("main");
main.append(
  make("h1", {}, failed ? "The card departs from what is expected of it" : "The card answers as expected"),
  make("p", { class: "faint" }, `Conformance of a SmartCard-HSM, ${[...new Set(reports.map((report) => report.tool))].join("; ")}. `
    + "Virtual cards are for testing and learning only."),
  make("div", { class: "targets" }, ...reports.map(target)), tally());
const map = domains();
if (map) main.append(map);
const list = scenarios();
main.append(make("section", {}, make("h2", {}, "At a glance"), matrix()), make("section", {}, make("h2", {}, "Scenarios"), filter), ...list);
show();
if (location.hash.length > 1) reveal(decodeURIComponent(location.hash.slice(1)));
document.documentElement.dataset.drawn = "true";
