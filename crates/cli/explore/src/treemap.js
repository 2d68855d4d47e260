// The treemap: the packed binary above, the omitted features below, both at the same scale.

import { hierarchy, treemap, treemapSquarify } from "d3-hierarchy";
import { count, difference, participle, size } from "./text.js";
import { byId, element } from "./dom.js";

const GAP = 6;
const HEADER = 20;
/** Estimated widths and heights of text, in pixels. */
const CHARACTER = 6.8;
const MARK = 18;
const LINE = 16;

const tiles = new Map();

/** Lays out and draws the map. Returns the names that have no area. */
export function draw(data, state, view, marks, handlers, withOmitted) {
  const box = byId("treemap");
  const costs = data.costs[state.target];
  const undrawn = [];
  if (!costs) {
    box.replaceChildren(element("p", { className: "muted" }, `The size of ${state.target} is not known.`));
    tiles.clear();
    return undrawn;
  }
  const price = (name) => (Object.hasOwn(costs.own, name) ? costs.own[name] : undefined);
  const groups = data.groups.map((group) => ({ ...group, features: group.features.filter((name) => Object.hasOwn(view.line.features, name)) }));
  const side = (isKept) => groups
    .map((group) => ({
      title: group.title,
      children: group.features
        .filter((name) => view.kept.has(name) === isKept)
        .filter((name) => price(name) > 0 || (undrawn.push(name), false))
        .map((name) => ({ name, value: price(name) })),
    }))
    .filter((group) => group.children.length);
  const sum = (branches) => branches.reduce((total, branch) => total + branch.children.reduce((part, leaf) => part + leaf.value, 0), 0);
  const [kept, omitted] = [side(true), withOmitted ? side(false) : []];
  if (!withOmitted) for (const name of Object.keys(view.line.features)) if (!view.kept.has(name) && !(price(name) > 0)) undrawn.push(name);
  const { packed } = view.sizes.get(state.target);
  const shared = Math.max(packed - sum(kept), 0);
  const rest = sum(omitted);
  const width = box.clientWidth;
  const height = box.clientHeight;
  const available = height - HEADER - (rest ? HEADER + GAP : 0);
  const upper = Math.round((available * (shared + sum(kept))) / Math.max(shared + sum(kept) + rest, 1));
  const nodes = [];
  const place = (branches, top, regionHeight) => {
    if (regionHeight <= 0 || !branches.length) return;
    const root = hierarchy({ children: branches }).sum((node) => node.value ?? 0).sort((a, b) => b.value - a.value);
    treemap().tile(treemapSquarify.ratio(1.4)).size([width, regionHeight]).paddingInner(1).paddingOuter(0).round(true)
      .paddingTop((node) => (node.depth === 1 && node.data.title && node.value / root.value > 0.012 ? 16 : 0))(root);
    for (const node of root.descendants()) {
      if (node.depth === 1 && node.data.title) nodes.push(["cluster", node, top]);
      if (!node.children && node.data.name !== undefined) nodes.push(["tile", node, top]);
    }
  };
  const explained = `${kept.length ? "" : "no kept feature; "}${size(shared)} that no single feature explains`;
  place([...kept, { children: [{ name: "", value: shared }] }], HEADER, upper);
  place(omitted, HEADER + upper + GAP + HEADER, available - upper);

  const parts = [];
  parts.push(region(`In the binary: ${size(packed)} packed`, 0, width));
  if (rest) parts.push(region(`Omitted: ${size(rest)} if each were kept`, HEADER + upper + GAP, width));
  const seen = new Set();
  for (const [kind, node, top] of nodes) {
    const position = { left: node.x0, top: node.y0 + top, width: node.x1 - node.x0, height: node.y1 - node.y0 };
    if (kind === "cluster") {
      if (position.width > 40 && node.children[0].y0 - node.y0 >= 15) parts.push(cluster(node.data.title, position));
      continue;
    }
    const { name } = node.data;
    seen.add(name);
    parts.push(name ? tile(name, node.value, position, { state, view, marks, handlers }) : sharedTile(node.value, position, explained));
  }
  for (const name of [...tiles.keys()]) if (!seen.has(name)) tiles.delete(name);
  update(box, parts);
  return undrawn;
}

/** Puts the parts into the box; elements that are there already stay, so that the focus stays. */
function update(box, parts) {
  const wanted = new Set(parts);
  for (const child of [...box.childNodes]) if (!wanted.has(child)) child.remove();
  const focused = box.contains(document.activeElement) ? document.activeElement : null;
  for (const part of parts) if (part.parentNode !== box) box.append(part);
  // A tile that moved to another place in the order of reading keeps the focus.
  if (focused && document.activeElement !== focused && focused.isConnected) focused.focus({ preventScroll: true });
  if (!box.querySelector('[tabindex="0"]')) box.querySelector("button.tile")?.setAttribute("tabindex", "0");
}

const set = (node, { left, top, width, height }) => {
  node.style.cssText = `left:${left}px;top:${top}px;width:${Math.max(width, 1)}px;height:${Math.max(height, 1)}px`;
};

function region(text, top, width) {
  const node = element("div", { className: "region" }, text);
  set(node, { left: 0, top, width, height: HEADER });
  return node;
}

function cluster(title, position) {
  const node = element("div", { className: "cluster" }, title);
  set(node, { ...position, height: 15 });
  return node;
}

function sharedTile(bytes, position, explained) {
  const node = element("div", { className: "tile shared", role: "img", "aria-label": explained },
    element("span", {}, element("b", {}, `Shared: ${size(bytes)}`)),
    position.height > 70 && position.width > 120 &&
      element("span", {}, "Part of the binary that no single feature explains: Go's runtime, WireGuard, TLS, and code that several kept features use. Omitting one feature does not remove it."));
  set(node, position);
  return node;
}

function tile(name, bytes, position, { state, view, marks, handlers }) {
  let node = tiles.get(name);
  if (!node) {
    node = element("button", { type: "button", tabIndex: -1, onclick: () => handlers.select(name), onkeydown: (event) => keys(event, name, handlers) });
    node.dataset.feature = name;
    tiles.set(name, node);
  }
  const decision = view.decisions.get(name) ?? "undecided";
  const change = view.compared?.changed.get(name);
  const sign = change ? (change[1] === "keep" ? "+" : change[0] === "keep" ? "−" : "≠") : "";
  node.className = `tile ${decision}${change ? " changed" : ""}${state.selected === name ? " selected" : ""}`;
  const mark = marks.get(name);
  const label = `${name}, ${participle[decision]}, ${size(bytes)}${change ? `, changed from ${participle[change[0]] ?? change[0]}` : ""}${mark ? `, ${mark.text}` : ""}`;
  node.setAttribute("aria-label", label);
  node.title = label;
  const border = change ? 6 : 2;
  const [width, height] = [position.width - border, position.height - border];
  const bytesText = difference(bytes).slice(1);
  // An accepted hazard gives way to the name, an open one does not.
  const hasMark = mark && width >= MARK - 2 && height >= LINE && (mark.kind !== "accepted" || width >= 70);
  const characters = (width - 6 - (hasMark ? MARK : 0)) / CHARACTER;
  node.replaceChildren();
  if (height >= LINE - 1 && characters >= Math.min(name.length, 4) + (sign ? 2 : 0)) {
    node.append(element("span", {}, sign && element("b", {}, `${sign} `), name));
    if (height >= 2 * LINE && (width - 6) / CHARACTER >= bytesText.length) node.append(element("span", { className: "size" }, bytesText));
  } else if (sign && height >= LINE - 1 && characters >= 1) {
    node.append(element("span", {}, element("b", {}, sign)));
  }
  if (hasMark) node.append(element("span", { className: `mark ${mark.kind}`, "aria-hidden": "true" }, mark.sign));
  set(node, position);
  return node;
}

function keys(event, name, handlers) {
  const steps = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  if (event.key === " ") {
    event.preventDefault();
    handlers.invert(name);
  } else if (steps[event.key]) {
    event.preventDefault();
    const next = neighbour(event.currentTarget, steps[event.key]);
    if (!next) return;
    event.currentTarget.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

/** The nearest tile in a direction. */
function neighbour(from, [x, y]) {
  const middle = (node) => {
    const box = node.getBoundingClientRect();
    return [box.left + box.width / 2, box.top + box.height / 2];
  };
  const [startX, startY] = middle(from);
  let best = null;
  for (const node of tiles.values()) {
    if (node === from || !node.isConnected) continue;
    const [endX, endY] = middle(node);
    const along = (endX - startX) * x + (endY - startY) * y;
    const across = Math.abs((endX - startX) * y + (endY - startY) * x);
    if (along <= 0) continue;
    const distance = along + 2 * across;
    if (!best || distance < best.distance) best = { node, distance };
  }
  return best?.node;
}

/** The sentence about features without an area. */
export function undrawnText(data, state, view, names) {
  const costs = data.costs[state.target];
  const why = (name) => {
    if (costs.without[name]) return costs.without[name];
    if (!Object.hasOwn(costs.own, name)) return `not measured on ${costs.release}`;
    return costs.own[name] === 0 ? "no size" : `${difference(costs.own[name])}: the binary is smaller with it`;
  };
  return { title: `${count(names.length, "feature")} without an area`, items: [...names].sort().map((name) => [name, why(name)]) };
}
