// The page: reads the data, keeps the state, and draws each part when the state changes.

import { fromTags, forced, judgeCase, lineOf, requiredBy, tags } from "./judge.js";
import { byId, element, prose, replace } from "./dom.js";
import { count, difference, participle, size } from "./text.js";
import * as states from "./state.js";
import { draw, undrawnText } from "./treemap.js";

const SCHEMA = 1;
/** The value of a fact that is not a word, when it begins to be stated. */
const FIRST = { settings: "", size: "256 MB" };
const SIGNS = { error: "!", warning: "?", note: "i", accepted: "✓" };
const RANKS = ["error", "warning", "accepted", "note"];

const data = JSON.parse(byId("data").textContent);
let state;
let view;
const history = [];
const rows = new Map();

/** Changes the state and draws the page. Changes of the selection can be undone. */
function change(next, remember = true) {
  if (remember) history.push(state);
  state = next;
  render();
}

const handlers = {
  select(name) {
    change({ ...state, selected: name }, false);
    if (matchMedia("(max-width: 62rem)").matches) byId("details").scrollIntoView({ block: "nearest" });
  },
  invert: (name) => change({ ...states.invert(data, state, view, name), selected: name }),
  decide: (name, decision) => change(states.decide(data, state, view, name, decision)),
};

// Judgement

/** The reason with which a target accepts a hazard. */
const acceptedBy = (one) => (name) => view.targets.find((target) => target.name === name)?.accepted[one.hazard.id];

/** The reason with which every target that has a hazard accepts it. */
function acceptance(one) {
  const reasons = [...one.targets, ...one.possible].map(acceptedBy(one));
  return reasons.every(Boolean) ? reasons[0] : undefined;
}

/** The severity of the targets that do not accept it; `accepted` if there are none. */
function rank(one) {
  if (one.severity === "note") return "note";
  if (acceptance(one)) return "accepted";
  return one.hazard.severity[one.targets.every(acceptedBy(one)) ? 1 : 0];
}

/** The decisions in a condition that hold, as names. */
function involved(condition, found = new Set()) {
  const [[kind, value]] = Object.entries(condition);
  if (kind === "all" || kind === "any") value.forEach((part) => involved(part, found));
  if (kind === "not") involved(value, found);
  if (kind === "keep" && view.kept.has(value)) found.add(value);
  if (kind === "omit" && view.line.features[value] && !view.kept.has(value)) found.add(value);
  return found;
}

/** The worst mark of each feature. */
function marksOf() {
  const marks = new Map();
  for (const one of view.hazards) {
    const kind = rank(one);
    if (kind === "note") continue;
    for (const name of involved(one.hazard.when)) {
      const known = marks.get(name);
      const ids = [...(known?.ids ?? []), one.hazard.id];
      const worst = known && RANKS.indexOf(known.kind) <= RANKS.indexOf(kind) ? known.kind : kind;
      marks.set(name, { kind: worst, sign: SIGNS[worst], ids, text: `${worst === "accepted" ? "accepted hazard" : worst}: ${ids.join(", ")}` });
    }
  }
  return marks;
}

// Drawing

function render() {
  view = states.derive(data, state);
  const marks = marksOf();
  renderControls();
  renderTargets();
  renderMap(marks);
  renderChanges();
  renderList(marks);
  renderDetails();
  renderHazards();
  renderOutput();
  const hash = states.toHash(data, state);
  if (location.hash.slice(1) !== hash) window.history.replaceState(null, "", `#${hash}`);
}

function renderControls() {
  const omitted = Object.keys(view.line.features).length - view.kept.size;
  const undecided = Object.keys(view.line.features).filter((name) => !view.decisions.has(name)).length;
  const worst = view.hazards.filter((one) => rank(one) === "error").length;
  byId("summary").textContent = [
    `Tailscale ${state.release}`,
    `${view.kept.size} kept`,
    `${omitted - undecided} omitted`,
    undecided ? `${undecided} undecided` : "",
    worst ? `${count(worst, "open hazard")}` : "no open hazard",
  ].filter(Boolean).join(" · ");
  options("release", states.releases(data).toReversed().map((release) => [release, release === data.policies[0].release ? `${release} (pinned)` : release]), state.release);
  options("device", [["policy", data.policies[0].profile ? `the policy's: ${data.policies[0].profile}` : "the policy's"], ...data.profiles.map((profile) => [profile.name, profile.name]), ["none", "nothing is known"]], state.device);
  const presets = states.presets(data, view.line);
  if (state.preset === "tags") presets.push(["tags", "the pasted tags"]);
  options("preset", presets, state.preset);
  const base = data.policies[1];
  options("compare", [["", "nothing"], ["policy", "the policy"], ...(base ? [["base", `the policy at ${base.revision}`]] : []),
    ...states.releases(data).toReversed().filter((release) => release !== state.release).map((release) => [release, `these decisions on ${release}`])], state.compare);
  options("target", view.targets.map((target) => [target.name, data.costs[target.name] ? target.name : `${target.name} (no size)`]), state.target);
  byId("undo").disabled = !history.length;
  renderFacts();
}

function options(id, entries, value) {
  const select = byId(id);
  const key = JSON.stringify(entries);
  if (select.dataset.entries !== key) {
    select.replaceChildren(...entries.map(([name, text]) => element("option", { value: name }, text)));
    select.dataset.entries = key;
  }
  select.value = value;
}

function renderFacts() {
  const box = byId("facts").querySelector("div");
  if (!box.firstChild) {
    const set = (fact, value) => change({ ...state, facts: { ...state.facts, [fact]: value } });
    for (const { fact, kind, values, meaning } of data.vocabulary) {
      const select = element("select", { id: `fact-${fact}`, onchange: (event) => set(fact, values ? event.target.value || null : event.target.value ? FIRST[kind] : null) });
      const settings = values ? null : element("input", { id: `settings-${fact}`, size: kind === "size" ? 9 : 28, placeholder: kind === "size" ? "256 MB" : "none, or --debug=:8080 …", "aria-label": `${fact}: value`, onchange: (event) => set(fact, event.target.value.trim()) });
      box.append(element("span", { className: "fact" }, element("label", { title: meaning }, fact.replaceAll("_", " "), select), settings));
    }
  }
  const device = view.targets[0].device;
  for (const { fact, values } of data.vocabulary) {
    const stated = device[fact];
    options(`fact-${fact}`, [["", "not stated"], ...(values ? values.map((value) => [value, value]) : [["stated", "stated:"]])], values ? (stated ?? "") : stated === undefined ? "" : "stated");
    if (values) continue;
    byId(`settings-${fact}`).hidden = stated === undefined;
    if (document.activeElement !== byId(`settings-${fact}`)) byId(`settings-${fact}`).value = stated ?? "";
  }
}

function renderTargets() {
  replace(byId("targets"), view.targets.map((target) => {
    const estimate = view.sizes.get(target.name);
    const costs = data.costs[target.name];
    const { budget } = target;
    const head = element("b", {}, target.name);
    const budgetText = budget === null ? "no budget" : `budget ${size(budget)}`;
    if (!estimate) {
      return element("div", { className: "target" }, element("div", { className: "line" }, head, element("span", { className: "muted" }, `size not known · ${budgetText}`)), element("div", { className: "bar", "aria-hidden": "true" }));
    }
    const { packed, unpriced } = estimate;
    const most = Math.max(packed, budget ?? 0) * 1.08;
    const over = budget !== null && packed > budget;
    const share = (bytes) => `${(100 * bytes) / most}%`;
    const fill = element("i", { className: over ? "over" : "" });
    fill.style.width = share(packed);
    const limit = budget === null ? null : element("u", { title: budgetText });
    if (limit) limit.style.left = share(budget);
    const exact = costs.measured && packed === costs.packed && !unpriced.length;
    const room = budget === null ? "" : over ? `${size(packed - budget)} over` : `${size(budget - packed)} left`;
    const notes = [exact ? `measured with ${costs.pack}` : costs.features === target.platform ? "estimate" : `estimate from ${costs.features}`];
    if (costs.release !== state.release) notes.push(`prices of ${costs.release}`);
    if (unpriced.length) notes.push(`without ${unpriced.length > 4 ? count(unpriced.length, "feature") : unpriced.join(", ")}`);
    return element("div", { className: "target" },
      element("div", { className: "line" }, head, element("span", { className: "number" }, `${size(packed)} of `, budget === null ? "no budget" : size(budget))),
      element("div", { className: "bar", "aria-hidden": "true" }, fill, limit),
      element("div", { className: "line note" }, element("span", {}, notes.join(", ")), element("span", { className: over ? "over-text" : "number" }, room)));
  }));
}

function renderMap(marks) {
  const names = draw(data, state, view, marks, handlers, byId("with-omitted").checked);
  const costs = data.costs[state.target];
  byId("map-title").textContent = costs ? `Packed size on ${state.target}` : "Packed size";
  byId("undrawn").hidden = !names.length;
  if (!names.length) return;
  const { title, items } = undrawnText(data, state, view, names);
  byId("undrawn").querySelector("summary").textContent = title;
  replace(byId("undrawn").querySelector("p"), items.flatMap(([name, why], index) => [index ? " · " : "", featureLink(name), ` (${why})`]));
}

function renderLegend() {
  const entry = (kind, text) => element("li", {}, element("span", { className: `tile ${kind}` }), text);
  const mark = (kind, text) => element("li", {}, element("span", { className: `mark ${kind}` }, SIGNS[kind]), ` ${text}`);
  byId("legend").replaceChildren(entry("keep", "kept"), entry("omit", "omitted"), entry("undecided", "undecided"), entry("shared", "shared"),
    entry("omit changed", "changed (+ or −)"), mark("error", "hazard"), mark("warning", "depends on a fact, or a warning"), mark("accepted", "accepted hazard"));
}

function featureLink(name) {
  const link = element("button", { type: "button", className: "link", onclick: () => handlers.select(name) }, name);
  link.dataset.key = `link ${name}`;
  return link;
}

function renderChanges() {
  const { compared } = view;
  const box = byId("changes").querySelector("div");
  byId("changes").hidden = !compared;
  if (!compared) return;
  const costs = data.costs[state.target];
  const parts = [];
  const price = (name) => (costs && Object.hasOwn(costs.own, name) ? costs.own[name] : 0);
  const signed = ([name, [before, after]]) => (after === "keep" ? price(name) : before === "keep" ? -price(name) : 0);
  const items = [...compared.changed].sort((a, b) => Math.abs(signed(b)) - Math.abs(signed(a)));
  const title = lineOf(data, state.compare) ? `these decisions on ${compared.release}` : state.compare === "base" ? `the policy at ${data.policies[1].revision}` : "the policy";
  byId("changes-title").textContent = `Compared with ${title}`;
  if (compared.release !== state.release) parts.push(element("p", {}, `Release ${compared.release} → ${state.release}.`));
  if (!items.length) parts.push(element("p", { className: "muted" }, "Every decision is the same."));
  else {
    const before = compared.sizes.get(state.target);
    const total = before ? view.sizes.get(state.target).packed - before.packed : null;
    parts.push(element("p", {}, count(items.length, "decision"), total === null ? "" : `, ${difference(total)} on ${state.target}`, state.changes.size ? " (with what each forces)" : ""));
    parts.push(element("ul", {}, items.map((item) => {
      const [name, [from, to]] = item;
      const bytes = signed(item);
      const sign = to === "keep" ? ["+", "plus"] : from === "keep" ? ["−", "minus"] : ["≠", ""];
      const words = { absent: "not in the release", keep: "kept", omit: "omitted", undecided: "undecided" };
      return element("li", {}, element("span", { className: `sign ${sign[1]}` }, `${sign[0]} `), featureLink(name), ` ${words[from]} → ${words[to]} `, bytes ? element("span", { className: "number muted" }, difference(bytes)) : "");
    })));
  }
  for (const [target, changed] of compared.elsewhere) {
    parts.push(element("p", {}, `Only on ${target}: `, changed.flatMap(([name, from, to], index) => [index ? ", " : "", featureLink(name), ` ${participle[from]} → ${participle[to]}`])));
  }
  for (const [found, text] of [[compared.begun, "begin to apply"], [compared.ended, "no longer apply"]]) {
    if (found.length) parts.push(element("p", {}, `${count(found.length, "hazard")} ${found.length === 1 ? text.replace("begin", "begins").replace("apply", text.startsWith("no") ? "applies" : "apply") : text}: `,
      found.flatMap((one, index) => [index ? ", " : "", element("code", {}, one.hazard.id)])));
  }
  replace(box, parts);
}

// The list

function renderList(marks) {
  const query = byId("search").value.trim().toLowerCase();
  const filter = byId("filter").value;
  const box = byId("list");
  const costs = data.costs[state.target];
  const groups = data.groups.map((group) => {
    const names = group.features.filter((name) => Object.hasOwn(view.line.features, name));
    const kept = names.filter((name) => view.kept.has(name)).length;
    return { title: group.title, summary: `${kept} of ${names.length} kept`, visible: names.filter((name) => isVisible(name, query, filter, marks)) };
  }).filter((group) => group.visible.length);
  for (const { visible } of groups) for (const name of visible) row(name, costs, marks);
  // Rows that stay are not moved: that would lay out the whole list again.
  const listed = groups.map((group) => group.visible.join(" ")).join("\n");
  if (box.dataset.listed === listed) {
    box.querySelectorAll(".group > h3 > :last-child").forEach((node, index) => { node.textContent = groups[index].summary; });
    return;
  }
  box.dataset.listed = listed;
  const parts = groups.map((group) => element("div", { className: "group" },
    element("h3", {}, element("span", {}, group.title), element("span", {}, group.summary)),
    group.visible.map((name) => rows.get(name).row)));
  if (!parts.length) parts.push(element("p", { className: "muted" }, "No feature matches."));
  const focused = box.contains(document.activeElement) ? document.activeElement : null;
  box.replaceChildren(...parts);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

function isVisible(name, query, filter, marks) {
  const decision = view.decisions.get(name) ?? "undecided";
  const reason = states.reasonOf(data, state, name, decision);
  if (query && !name.includes(query) && !reason.toLowerCase().includes(query)) return false;
  if (filter === "hazard") return marks.has(name) && marks.get(name).kind !== "accepted";
  if (filter === "changed") return Boolean(view.compared?.changed.has(name));
  return !filter || decision === filter;
}

/** Creates the row of a feature, or updates it. */
function row(name, costs, marks) {
  let cells = rows.get(name);
  if (!cells) {
    const toggle = element("button", { type: "button", className: "switch", role: "switch", onclick: () => handlers.invert(name) });
    const link = element("button", { type: "button", className: "link name", onclick: () => handlers.select(name) }, name);
    cells = { toggle, link, price: element("span", { className: "number" }), marks: element("span", { className: "marks" }), reason: element("span", { className: "reason" }) };
    cells.row = element("div", { className: "row" }, toggle, link, cells.price, cells.marks, cells.reason);
    cells.row.dataset.feature = name;
    rows.set(name, cells);
  }
  const decision = view.decisions.get(name) ?? "undecided";
  const changed = view.compared?.changed.get(name);
  cells.row.className = `row${state.selected === name ? " selected" : ""}`;
  cells.toggle.className = `switch ${decision}`;
  if (cells.toggle.textContent !== participle[decision]) cells.toggle.textContent = participle[decision];
  cells.toggle.setAttribute("aria-checked", String(decision === "keep"));
  cells.toggle.setAttribute("aria-label", `Keep ${name}`);
  cells.price.textContent = costs && Object.hasOwn(costs.own, name) ? difference(costs.own[name]) : "";
  const sign = changed && (changed[1] === "keep" ? ["+", "plus"] : changed[0] === "keep" ? ["−", "minus"] : ["≠", ""]);
  const mark = marks.get(name);
  cells.marks.replaceChildren(...[
    sign && element("span", { className: `sign ${sign[1]}`, title: "changed" }, `${sign[0]} `),
    mark && element("span", { className: `mark ${mark.kind}`, title: mark.text }, mark.sign),
  ].filter(Boolean));
  const reason = states.reasonOf(data, state, name, decision);
  if (cells.reason.textContent !== reason) cells.reason.textContent = reason;
  cells.reason.title = reason;
}

// Details

function renderDetails() {
  const box = byId("details");
  const name = state.selected;
  if (!name) {
    replace(box, element("h2", { id: "details-title" }, "Details"),
      element("p", { className: "muted" }, "Choose a tile or a feature of the list. The switch in the list keeps or omits a feature, together with what that forces."));
    return;
  }
  if (!Object.hasOwn(view.line.features, name)) {
    replace(box, element("h2", { id: "details-title" }, name), element("p", {}, `${state.release} does not have this feature. `, spanText(name)));
    return;
  }
  const decision = view.decisions.get(name) ?? "undecided";
  const feature = view.line.features[name];
  const along = forced(view.line, view.kept, name);
  const opposite = view.kept.has(name) ? "omit" : "keep";
  const action = (other) => {
    const button = element("button", { type: "button", className: other === opposite ? "main" : "", onclick: () => handlers.decide(name, other) }, `${other === "keep" ? "Keep" : "Omit"} ${name}`);
    button.dataset.key = `decide ${other === opposite ? "opposite" : "same"}`;
    return button;
  };
  const related = (title, names) => names.length ? [element("h3", {}, title), element("div", { className: "related" }, names.map((other) =>
    element("span", {}, featureLink(other), ` ${participle[view.decisions.get(other) ?? "undecided"]}`)))] : [];
  const direct = Object.keys(view.line.features).filter((other) => view.line.features[other].needs?.includes(name));
  const users = [...requiredBy(view.line, name)].filter((other) => other !== name);
  const mentioned = data.hazards.filter((hazard) => mentions(hazard.when, name) && view.hazards.every((one) => one.hazard.id !== hazard.id));
  const applying = view.hazards.filter((one) => mentions(one.hazard.when, name));
  const group = data.groups.find((known) => known.features.includes(name));
  replace(box,
    element("div", { className: "heading" }, element("h2", { id: "details-title" }, name), element("span", { className: `badge ${decision}` }, participle[decision])),
    reasonParts(name, decision),
    element("p", {}, action(opposite), decision === "undecided" && " ", decision === "undecided" && action("omit")),
    element("p", { className: "muted" }, inversionText([name, ...along], opposite), " ", along.length
      ? [`This also ${opposite === "keep" ? "keeps" : "omits"} `, along.flatMap((other, index) => [index ? ", " : "", featureLink(other)]), opposite === "keep" ? ", which it needs." : along.length === 1 ? ", which needs it." : ", which need it."]
      : "It forces no other decision."),
    Object.hasOwn(data.descriptions ?? {}, name) ? [element("h3", {}, "Upstream's description"), element("p", {}, prose(`“${data.descriptions[name]}”`))] : null,
    element("h3", {}, "Size"),
    element("dl", {}, Object.entries(data.costs).flatMap(([target, costs]) => [element("dt", {}, target), element("dd", { className: "number" }, priceText(costs, name))])),
    related("Needs", [...(feature.needs ?? [])]),
    related("Needed by", [...direct, ...users.filter((other) => !direct.includes(other))]),
    applying.length ? [element("h3", {}, "Hazards"), applying.map(hazardItem)] : null,
    mentioned.length ? element("details", {}, element("summary", {}, `${count(mentioned.length, "hazard")} of other decisions, devices or releases`),
      mentioned.map((hazard) => element("p", {}, element("code", {}, hazard.id), ": ", prose(hazard.title), element("span", { className: "muted" }, ` (${hazard.effect}; ${hazard.condition.replaceAll("`", "")})`)))) : null,
    element("h3", {}, "Facts"),
    element("dl", {},
      ...othersDecide(name, decision),
      element("dt", {}, "build tag"), element("dd", {}, element("code", {}, name === "cli" ? "ts_include_cli" : `ts_omit_${name}`)),
      element("dt", {}, "releases"), element("dd", {}, spanText(name)),
      group && element("dt", {}, "group"), group && element("dd", {}, group.title),
      feature.detail && element("dt", {}, "kind"), feature.detail && element("dd", {}, "implementation detail")));
}

/** Targets that decide a feature differently from the displayed one. */
function othersDecide(name, decision) {
  const others = view.targets.filter((target) => (target.decisions.get(name) ?? "undecided") !== decision);
  if (!others.length) return [];
  const text = others.map((target) => `${target.name}: ${participle[target.decisions.get(name) ?? "undecided"]}`).join(", ");
  return [element("dt", {}, "other targets"), element("dd", {}, text)];
}

function reasonParts(name, decision) {
  if (decision === "undecided") return [element("p", {}, "Nobody has decided this feature.")];
  const filed = data.policies[0].features;
  const own = data.policies[0].targets.find((target) => target.name === state.target)?.features ?? {};
  const old = [own, filed].map((features) => (Object.hasOwn(features, name) ? features[name] : undefined)).find(Boolean);
  if (old?.decision === decision) return [element("p", {}, prose(old.reason || "No reason is written.")), old.refs ? element("p", { className: "muted" }, `See ${old.refs.join(", ")}.`) : null];
  const input = element("textarea", { rows: 3, placeholder: "The effect of this decision on this device", value: states.reasonOf(data, state, name, decision), id: "reason",
    oninput: (event) => {
      state = { ...state, reasons: new Map(state.reasons).set(`${decision} ${name}`, event.target.value) };
      renderOutput();
    } });
  input.dataset.key = "reason";
  return [
    old ? element("p", { className: "muted" }, `The file ${old.decision === "keep" ? "keeps" : "omits"} it: `, prose(old.reason)) : null,
    element("label", { for: "reason" }, `Reason to ${decision} it`), input,
  ];
}

/** The effect of inverting decisions on the size. */
function inversionText(names, decision) {
  const costs = data.costs[state.target];
  const measured = names.filter((name) => costs && Object.hasOwn(costs.own, name));
  if (!measured.length) return "";
  const total = measured.reduce((sum, name) => sum + costs.own[name], 0);
  return `${difference(decision === "keep" ? total : -total)} on ${state.target}.`;
}

function priceText(costs, name) {
  if (!Object.hasOwn(costs.own, name)) return costs.without[name] ?? `not measured on ${costs.release}`;
  const price = costs.own[name];
  return `${difference(price)} packed${costs.release === state.release ? "" : `, on ${costs.release}`}`;
}

function spanText(name) {
  const lines = data.lines.filter((line) => Object.hasOwn(line.features, name)).map((line) => line.line);
  const last = data.lines.at(-1).line;
  return lines.at(-1) === last ? `since ${lines[0]}` : `${lines[0]} to ${lines.at(-1)}`;
}

const mentions = (condition, name) => {
  const [[kind, value]] = Object.entries(condition);
  if (kind === "all" || kind === "any") return value.some((part) => mentions(part, name));
  if (kind === "not") return mentions(value, name);
  return (kind === "keep" || kind === "omit") && value === name;
};

// Hazards

function hazardItem(one) {
  const { hazard } = one;
  const kind = rank(one);
  const some = one.targets.length && one.targets.length < view.targets.length ? ` (${one.targets.join(", ")})` : "";
  const depends = !one.targets.length && one.unknown.length ? `, depending on ${one.unknown.map((fact) => `device.${fact}`).join(" and ")}` : "";
  const remedy = one.remedy.filter(([decision, name]) => view.kept.has(name) !== (decision === "keep"));
  const button = element("button", { type: "button", onclick: () => change(remedy.reduce((next, [decision, name]) =>
    states.decide(data, next, states.derive(data, next), name, decision), state)) }, `Apply: ${remedy.map((part) => part.join(" ")).join(" and ")}`);
  button.dataset.key = `remedy ${hazard.id}`;
  const summary = element("summary", {}, element("span", { className: `mark ${kind}`, title: kind }, SIGNS[kind]), " ", prose(hazard.title), some, depends);
  summary.dataset.key = `hazard ${hazard.id}`;
  const details = element("details", { className: "hazard", open: openHazards.has(hazard.id), ontoggle: (event) => openHazards[event.target.open ? "add" : "delete"](hazard.id) },
    summary,
    element("p", {}, prose(hazard.because)),
    hazard.supposes && element("p", {}, `Only if ${hazard.supposes}.`),
    hazard.symptom && element("p", {}, "Symptom: ", element("code", {}, hazard.symptom)),
    acceptance(one) && element("p", {}, element("b", {}, "Accepted: "), prose(acceptance(one))),
    element("p", { className: "more" }, `${hazard.id} · ${kind === "accepted" ? "accepted " : ""}${one.severity} · ${hazard.effect} · ${hazard.condition.replaceAll("`", "")} · ${hazard.established}: ${hazard.evidence.join(", ")}`),
    hazard.fixes.length ? element("p", {}, "Resolved by: ", prose(hazard.fixes.join(", or "))) : null,
    element("p", {}, remedy.length ? button : null));
  return details;
}

const openHazards = new Set();

function renderHazards() {
  const parts = [];
  for (const [name, need] of view.open) {
    parts.push(element("p", {}, element("span", { className: "mark error" }, "!"), " ", featureLink(name), " is kept but needs ", featureLink(need), ", which is not kept."));
  }
  const sections = [["error", "Not accepted"], ["warning", "Warnings and open questions"], ["accepted", "Accepted"], ["note", "Notes"]];
  for (const [kind, title] of sections) {
    const found = view.hazards.filter((one) => rank(one) === kind).sort((a, b) => data.effects.indexOf(a.hazard.effect) - data.effects.indexOf(b.hazard.effect));
    if (!found.length) continue;
    const items = found.map(hazardItem);
    if (kind === "error" || kind === "warning") parts.push(element("h3", {}, `${title} (${found.length})`), ...items);
    else {
      const summary = element("summary", {}, `${title} (${found.length})`);
      summary.dataset.key = `section ${kind}`;
      parts.push(element("details", { open: openHazards.has(`section ${kind}`), ontoggle: (event) => event.target.dataset.section && openHazards[event.target.open ? "add" : "delete"](`section ${kind}`) }, summary, items));
      parts.at(-1).dataset.section = kind;
    }
  }
  if (!view.hazards.length && !view.open.length) parts.push(element("p", { className: "muted" }, "None applies."));
  replace(byId("hazards").querySelector("div"), parts);
}

// Result

function renderOutput() {
  const target = view.targets.find((known) => known.name === state.target) ?? view.targets[0];
  byId("tags").value = tags(view.line, view.kept, target.extra_tags).join(",");
  byId("yaml").value = states.yaml(data, state, view, byId("extent").value === "all");
}

function renderFindings() {
  const { findings } = data.policies[0];
  byId("findings").hidden = !findings.length;
  byId("findings-title").textContent = `${count(findings.length, "finding")} in the file`;
  replace(byId("findings").querySelector("div"), findings.map((finding) => element("div", { className: "finding" },
    element("span", { className: `mark ${finding.severity}` }, SIGNS[finding.severity]), " ", prose(finding.message),
    element("p", { className: "more" }, `${finding.code}, line ${finding.line}. `, prose(finding.next)))));
}

// Start

function toast(text) {
  byId("toast").textContent = text;
  setTimeout(() => { byId("toast").textContent = ""; }, 2500);
}

async function copy(text, what, field) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}.`);
  } catch {
    field?.select();
    toast(field && document.execCommand("copy") ? `Copied ${what}.` : "The browser refuses access to the clipboard: copy the marked text yourself.");
  }
}

function listen() {
  const on = (id, event, listener) => byId(id).addEventListener(event, listener);
  on("release", "change", (event) => {
    const next = { ...state, release: event.target.value };
    if (next.compare === next.release) next.compare = data.policies[1] ? "base" : "policy";
    if (!states.presets(data, lineOf(data, next.release)).some(([preset]) => preset === next.preset) && next.preset !== "tags") next.preset = "policy";
    change(next);
  });
  on("device", "change", (event) => change({ ...state, device: event.target.value, facts: {} }));
  on("preset", "change", (event) => change({ ...state, preset: event.target.value, changes: new Map() }));
  on("compare", "change", (event) => change({ ...state, compare: event.target.value }, false));
  on("target", "change", (event) => change({ ...state, target: event.target.value }, false));
  on("with-omitted", "change", render);
  on("search", "input", () => renderList(marksOf()));
  on("filter", "change", () => renderList(marksOf()));
  on("extent", "change", renderOutput);
  on("undo", "click", () => history.length && change(history.pop(), false));
  on("reset", "click", () => change({ ...states.initial(data), selected: state.selected }));
  on("link", "click", () => copy(location.href, "the link"));
  on("paste", "click", () => {
    byId("paste-problem").textContent = "";
    byId("paste-dialog").showModal();
  });
  on("paste-use", "click", () => {
    const text = byId("pasted").value;
    const { unknown } = fromTags(view.line, text);
    const problem = !text.trim() ? "Paste a list of build tags first." : unknown.length > 20 ? "This is not a list of Tailscale's build tags." : "";
    byId("paste-problem").textContent = problem;
    if (problem) return;
    byId("paste-dialog").close();
    change(states.startFromTags(state, text.trim().split(/[\s,]+/).join(",")));
    if (unknown.length) toast(`Ignored, because ${state.release} has no such feature: ${unknown.join(", ")}.`);
  });
  for (const button of document.querySelectorAll("[data-copy]")) {
    const field = byId(button.dataset.copy);
    button.addEventListener("click", () => copy(field.value, button.dataset.copy === "tags" ? "the build tags" : "the entries", field));
  }
  window.addEventListener("hashchange", () => {
    if (location.hash.slice(1) === states.toHash(data, state)) return;
    change({ ...states.fromHash(data, location.hash), reasons: state.reasons });
  });
  let width = byId("treemap").clientWidth;
  new ResizeObserver(() => {
    if (byId("treemap").clientWidth === width) return;
    width = byId("treemap").clientWidth;
    renderMap(marksOf());
  }).observe(byId("treemap"));
}

function start() {
  if (data.schema !== SCHEMA) throw new Error(`the data have version ${data.schema}, and the page reads ${SCHEMA}`);
  state = states.fromHash(data, location.hash);
  const [policy] = data.policies;
  if (policy.release && !lineOf(data, policy.release)) toast(`The policy pins ${policy.release}, which is not known. The page displays ${state.release}.`);
  renderLegend();
  renderFindings();
  listen();
  render();
}

// For tests: the same functions that the page uses.
window.explore = { data, judgeCase: (given) => judgeCase(data, given), state: () => state, view: () => view };
start();
