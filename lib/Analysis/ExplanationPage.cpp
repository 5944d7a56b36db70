//===- ExplanationPage.cpp - Explanations as a page to look at ------------===//

#include "mpt/Analysis/PrecisionExplanation.h"

using namespace mlir;
using namespace mpt;

static constexpr char kHead[] = R"html(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Precision of every operation</title>
<style>
 body { margin: 0; font: 14px/1.4 system-ui, sans-serif; display: grid; height: 100vh; color: #1d2733;
   grid-template: auto minmax(0, 1fr) / minmax(0, 1fr) 24em; }
 header { grid-column: 1 / 3; display: flex; gap: 1em; align-items: center; padding: .5em 1em; background: #f2f4f7; flex-wrap: wrap; }
 canvas { width: 100%; height: 100%; display: block; cursor: grab; background: #fff; }
 aside { overflow: auto; padding: .5em 1em; border-left: 1px solid #d5dbe3; overflow-wrap: anywhere; }
 input { font: inherit; width: 18em; padding: .2em .5em; }
 .key { display: inline-block; width: .9em; height: .9em; border-radius: 2px; vertical-align: -1px; margin: 0 .3em 0 .8em; }
 ul { padding-left: 1.2em; } li { cursor: pointer; } li:hover { text-decoration: underline; }
 .why { background: #f2f4f7; padding: .4em .6em; border-radius: 4px; }
</style></head><body>
<header><select id="fn"></select><input id="find" type="search" placeholder="name, type or reason; Enter: next">
<span id="hits"></span><span id="keys"></span><span id="totals"></span></header>
<canvas id="graph"></canvas><aside id="side"></aside>
<script id="data" type="application/json">)html";

static constexpr char kTail[] = R"html(</script>
<script>
"use strict";
const functions = JSON.parse(document.getElementById("data").textContent);
const colors = { f16: "#2f7fd1", bf16: "#7a55c7", f32: "#e0823d", cast: "#2b2b2b", other: "#b9c2cd" };
const $ = id => document.getElementById(id);
const canvas = $("graph"), context = canvas.getContext("2d");
const W = 130, H = 26, DX = 150, DY = 60;
let fn, ops, rows, users, view, selected = -1, hits = [], hit = -1;

for (const [name, color] of Object.entries(colors))
  $("keys").insertAdjacentHTML("beforeend", `<span class="key" style="background:${color}"></span>${name}`);
functions.forEach((f, i) => $("fn").add(new Option("@" + f.function, i)));

function open(index) {
  fn = functions[index]; ops = fn.ops; rows = []; users = ops.map(() => []);
  ops.forEach((op, i) => {
    op.inputs = op.inputs || []; op.chain = op.chain || [];
    (rows[op.layer] = rows[op.layer] || []).push(i);
    op.inputs.forEach(j => users[j].push(i));
  });
  for (const row of rows)
    row.forEach((i, place) => { ops[i].x = (place - (row.length - 1) / 2) * DX; ops[i].y = ops[i].layer * DY; });
  const t = fn.totals, mib = b => (b / 1048576).toFixed(2) + " MiB";
  $("totals").textContent = `${t.low_ops} low, ${t.fp32_ops} FP32, ${t.casts} casts (${mib(t.cast_bytes)}); ` +
    `results ${mib(t.fp32_bytes)} in FP32, ${mib(t.bytes)} as decided; ` +
    `error expected ${t.expected_error.toExponential(1)}, at most ${t.error_tolerance.toExponential(1)}`;
  view = { x: 0, y: Math.max(0, canvas.clientHeight / 2 - H), scale: 1 };
  selected = -1; search(); show(ops.length ? 0 : -1, false);
}

const label = op => op.name || op.type;
const full = op => op.type + (op.name ? " '" + op.name + "'" : "");

function draw() {
  const ratio = window.devicePixelRatio || 1, w = canvas.clientWidth, h = canvas.clientHeight;
  if (canvas.width !== w * ratio || canvas.height !== h * ratio) { canvas.width = w * ratio; canvas.height = h * ratio; }
  const s = view.scale, ox = w / 2 - view.x * s, oy = h / 2 - view.y * s;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, w, h);
  // Only the rows in sight.
  const first = Math.max(0, Math.floor((-oy / s) / DY) - 1), last = Math.min(rows.length - 1, Math.ceil(((h - oy) / s) / DY) + 1);
  const seen = [];
  for (let r = first; r <= last; ++r)
    for (const i of rows[r] || []) {
      const x = ops[i].x * s + ox;
      if (x > -W * s && x < w + W * s) seen.push(i);
    }
  context.lineWidth = 1;
  context.strokeStyle = "#c3cad3"; context.beginPath();
  for (const i of seen) for (const j of ops[i].inputs) edge(j, i);
  context.stroke();
  if (selected >= 0) {
    context.strokeStyle = "#d12f5b"; context.lineWidth = 2; context.beginPath();
    for (const j of ops[selected].inputs) edge(j, selected);
    for (const j of users[selected]) edge(selected, j);
    context.stroke();
  }
  const found = new Set(hits);
  context.font = `${12 * s}px system-ui, sans-serif`; context.textAlign = "center"; context.textBaseline = "middle";
  for (const i of seen) {
    const op = ops[i], x = op.x * s + ox, y = op.y * s + oy;
    context.globalAlpha = hits.length && !found.has(i) ? .3 : 1;
    context.fillStyle = colors[op.precision];
    context.fillRect(x - W * s / 2, y - H * s / 2, W * s, H * s);
    if (i === selected) { context.strokeStyle = "#d12f5b"; context.lineWidth = 3; context.strokeRect(x - W * s / 2, y - H * s / 2, W * s, H * s); }
    if (s > .45) {
      const text = label(op);
      context.fillStyle = "#fff";
      context.fillText(text.length > 19 ? "…" + text.slice(-18) : text, x, y);
    }
  }
  context.globalAlpha = 1;
  function edge(a, b) {
    const ax = ops[a].x * s + ox, ay = (ops[a].y + H / 2) * s + oy, bx = ops[b].x * s + ox, by = (ops[b].y - H / 2) * s + oy;
    context.moveTo(ax, ay); context.lineTo(bx, by);
  }
}

let pending = false;
function redraw() { if (!pending) { pending = true; requestAnimationFrame(() => { pending = false; draw(); }); } }

function show(i, move = true) {
  selected = i;
  const side = $("side");
  side.textContent = "";
  const add = (tag, text, target) => {
    const element = document.createElement(tag);
    element.textContent = text;
    if (target !== undefined) element.onclick = () => show(target);
    side.append(element);
    return element;
  };
  if (i >= 0) {
    const op = ops[i];
    if (move) { view.x = op.x; view.y = op.y; view.scale = Math.max(view.scale, .7); }
    add("h3", full(op));
    add("p", `${op.precision}; results: ${op.fp32_bytes} bytes in FP32, ${op.bytes} as decided`);
    if (op.reason) add("p", op.reason).className = "why";
    for (const j of op.chain) add("p", "← " + full(ops[j]) + ": " + ops[j].reason, j).className = "why";
    if (op.change) add("p", "Would change with: " + op.change);
    const list = (title, numbers) => {
      if (!numbers.length) return;
      add("h4", title);
      const ul = document.createElement("ul");
      for (const j of numbers.slice(0, 50)) {
        const li = document.createElement("li");
        li.textContent = `${full(ops[j])} (${ops[j].precision})`;
        li.onclick = () => show(j);
        ul.append(li);
      }
      side.append(ul);
    };
    list("reads", op.inputs);
    list("is read by", users[i]);
  }
  redraw();
}

function search() {
  const text = $("find").value.toLowerCase();
  hits = !text ? [] : ops.map((op, i) => [op, i])
    .filter(([op]) => (full(op) + " " + (op.reason || "")).toLowerCase().includes(text)).map(([, i]) => i);
  hit = -1;
  $("hits").textContent = text ? hits.length + " found" : "";
  redraw();
}
$("find").oninput = search;
$("find").onkeydown = event => {
  if (event.key !== "Enter" || !hits.length) return;
  hit = (hit + (event.shiftKey ? hits.length - 1 : 1)) % hits.length;
  show(hits[hit]);
};
$("fn").onchange = () => open($("fn").value);
canvas.onwheel = event => {
  event.preventDefault();
  const before = view.scale, dx = event.offsetX - canvas.clientWidth / 2, dy = event.offsetY - canvas.clientHeight / 2;
  view.scale = Math.min(4, Math.max(.02, before * Math.exp(-event.deltaY / 500)));
  view.x += dx / before - dx / view.scale; view.y += dy / before - dy / view.scale;
  redraw();
};
let drag = null;
canvas.onpointerdown = event => { drag = { x: event.clientX, y: event.clientY, moved: false }; canvas.setPointerCapture(event.pointerId); };
canvas.onpointermove = event => {
  if (!drag) return;
  const dx = event.clientX - drag.x, dy = event.clientY - drag.y;
  if (Math.abs(dx) + Math.abs(dy) > 2) drag.moved = true;
  view.x -= dx / view.scale; view.y -= dy / view.scale;
  drag.x = event.clientX; drag.y = event.clientY;
  redraw();
};
canvas.onpointerup = event => {
  if (drag && !drag.moved) {
    const x = (event.offsetX - canvas.clientWidth / 2) / view.scale + view.x, y = (event.offsetY - canvas.clientHeight / 2) / view.scale + view.y;
    const row = rows[Math.round(y / DY)] || [], i = row.find(j => Math.abs(ops[j].x - x) <= W / 2 && Math.abs(ops[j].y - y) <= H / 2);
    if (i !== undefined) show(i, false);
  }
  drag = null;
};
new ResizeObserver(redraw).observe(canvas);
if (functions.length) open(0);
</script></body></html>
)html";

void mpt::writeHTML(ArrayRef<PrecisionExplanation> functions, raw_ostream &os) {
  std::string json;
  llvm::raw_string_ostream jsonStream(json);
  writeJSON(functions, jsonStream);
  os << kHead;
  // A name may hold "</script>".
  for (char c : json) {
    if (c == '<')
      os << "\\u003c";
    else
      os << c;
  }
  os << kTail;
}
