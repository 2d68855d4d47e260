// The state of the page: a starting point, the decisions changed since, and what is displayed.
// Every function is pure; `toHash` and `fromHash` make the deep links.

import { closure, estimate, forced, fromTags, hazards, lineOf, overridden, withDecisions } from "./judge.js";

const POLICY = "policy";
const BASE = "base";

/** The state in which a page opens. */
export function initial(data) {
  const [policy, base] = data.policies;
  const newest = data.lines.at(-1).releases.at(-1);
  const release = policy.release && lineOf(data, policy.release) ? policy.release : newest;
  const targets = targetsOf(data);
  const measured = Object.keys(data.costs);
  return {
    release,
    device: POLICY,
    facts: {},
    target: measured.includes("arm64") ? "arm64" : (measured[0] ?? targets[0]?.name ?? ""),
    preset: POLICY,
    tags: "",
    changes: new Map(),
    reasons: new Map(),
    compare: base ? BASE : POLICY,
    selected: "",
  };
}

/** The targets of the policy; one of amd64 if it has none that can be read. */
function targetsOf(data) {
  const { targets } = data.policies[0];
  if (targets.length) return targets;
  return [{ name: "amd64", platform: "linux/amd64", os: "linux", goarch: "amd64", budget: null, extra_tags: [], device: {}, go: null, program: "daemon", upx: false, features: {}, accepted: {} }];
}

/** The targets with the device that is chosen. */
export function targetsOn(data, state) {
  const profile = data.profiles.find((known) => known.name === state.device);
  return targetsOf(data).map((target) => {
    const device = { ...(state.device === POLICY ? target.device : profile?.facts) };
    for (const [fact, value] of Object.entries(state.facts)) {
      if (value === null) delete device[fact];
      else device[fact] = value;
    }
    return { ...target, device };
  });
}

/** The releases that the data know, with the policy's own, oldest first. */
export function releases(data) {
  const pinned = data.policies.map((policy) => policy.release).filter((release) => release && lineOf(data, release));
  const known = data.lines.flatMap((line) => [...new Set([...line.releases, ...pinned.filter((release) => lineOf(data, release) === line)])]);
  return known;
}

/** The starting points, with their titles. */
export function presets(data, line) {
  const list = [[POLICY, "the policy"]];
  if (data.policies[1]) list.push([BASE, `the policy at ${data.policies[1].revision}`]);
  list.push(["everything", "every feature"]);
  if (line.extra_small) list.push(["extra-small", "upstream's --extra-small"]);
  list.push(["minimal", "no feature"]);
  return list;
}

/** The decisions of a starting point on a release line: a map from name to keep or omit. */
export function decisionsOf(data, preset, line, tags = "") {
  const names = Object.keys(line.features);
  const all = (kept) => new Map(names.map((name) => [name, kept.has(name) ? "keep" : "omit"]));
  if (preset === "everything") return all(new Set(names));
  if (preset === "extra-small") return all(closure(line, line.extra_small ?? []));
  if (preset === "minimal") return all(new Set());
  if (preset === "tags") return all(fromTags(line, tags).kept);
  const policy = data.policies[preset === BASE ? 1 : 0] ?? data.policies[0];
  const decided = names.filter((name) => Object.hasOwn(policy.features, name));
  return new Map(decided.map((name) => [name, policy.features[name].decision]));
}

/** What follows from the decisions of each target: hazards, sizes, and the selection of the displayed target. */
function consequences(data, release, targets, displayed) {
  const line = lineOf(data, release);
  const { decisions, kept } = targets.find((target) => target.name === displayed) ?? targets[0];
  const measured = targets.filter((target) => data.costs[target.name]);
  const sizes = new Map(measured.map((target) => [target.name, estimate(data.costs[target.name], target.kept)]));
  return { release, line, targets, decisions, kept, hazards: hazards(data, release, targets), sizes };
}

/** The decisions of every target: the starting point, the target's own ones if it is a policy, and the changes. */
function decided(data, preset, line, targets, { tags = "", changes = [] }) {
  const common = decisionsOf(data, preset, line, tags);
  const policy = preset === POLICY ? data.policies[0] : preset === BASE ? data.policies[1] : undefined;
  const exists = ([name]) => Object.hasOwn(line.features, name);
  return targets.map((target) => {
    const own = policy?.targets.find((known) => known.name === target.name);
    const start = own ? overridden(common, own) : common;
    return withDecisions(target, new Map([...start, ...changes].filter(exists)));
  });
}

/** Everything that the page displays. */
export function derive(data, state) {
  const line = lineOf(data, state.release);
  const targets = targetsOn(data, state);
  const now = consequences(data, state.release, decided(data, state.preset, line, targets, state), state.target);
  const open = [...now.kept].flatMap((name) =>
    (line.features[name].needs ?? []).filter((need) => !now.kept.has(need)).map((need) => [name, need]));
  return { ...now, open, compared: compared(data, state, now, targets) };
}

/** The other side of a comparison and the differences; null if nothing is compared. */
function compared(data, state, now, targets) {
  if (!state.compare) return null;
  const other = lineOf(data, state.compare) ? state.compare : null;
  const preset = other ? POLICY : state.compare;
  const policy = data.policies[preset === BASE ? 1 : 0];
  const pinned = policy?.release && lineOf(data, policy.release) ? policy.release : state.release;
  const release = other ?? pinned;
  const line = lineOf(data, release);
  const exists = ([name]) => Object.hasOwn(line.features, name);
  const others = other
    ? now.targets.map((target) => withDecisions(target, new Map([...decisionsOf(data, POLICY, line), ...target.decisions].filter(exists))))
    : decided(data, preset, line, targets, {});
  const then = consequences(data, release, others, state.target);
  const names = new Set([...Object.keys(line.features), ...Object.keys(now.line.features)]);
  const decisionOf = (side, name) => (Object.hasOwn(side.line.features, name) ? (side.decisions.get(name) ?? "undecided") : "absent");
  const changed = new Map();
  for (const name of names) {
    const [before, after] = [decisionOf(then, name), decisionOf(now, name)];
    if (before !== after) changed.set(name, [before, after]);
  }
  // Decisions of other targets that change otherwise than that of the displayed one.
  const elsewhere = now.targets.filter((target) => target.name !== state.target).map((target) => {
    const before = others.find((known) => known.name === target.name).decisions;
    const both = [...names].filter((name) => Object.hasOwn(line.features, name) && Object.hasOwn(now.line.features, name));
    const found = both.map((name) => [name, before.get(name) ?? "undecided", target.decisions.get(name) ?? "undecided"]);
    return [target.name, found.filter(([name, from, to]) => from !== to && changed.get(name)?.join() !== `${from},${to}`)];
  }).filter(([, found]) => found.length);
  const key = (one) => one.hazard.id;
  const without = (these, those) => {
    const ids = new Set(those.map(key));
    return these.filter((one) => !ids.has(key(one)));
  };
  return {
    release,
    changed,
    elsewhere,
    begun: without(now.hazards, then.hazards),
    ended: without(then.hazards, now.hazards),
    sizes: then.sizes,
  };
}

/** Inverts a decision together with the decisions that it forces; undecided features are kept. */
export function invert(data, state, view, name) {
  return decide(data, state, view, name, view.kept.has(name) ? "omit" : "keep");
}

/** Decides a feature, together with the features that it needs or that need it. */
export function decide(data, state, view, name, decision) {
  const along = (decision === "keep") === view.kept.has(name) ? [] : forced(view.line, view.kept, name);
  const start = decided(data, state.preset, view.line, targetsOn(data, state), { tags: state.tags });
  const changes = new Map(state.changes);
  for (const moved of [name, ...along]) {
    if (start.every((target) => target.decisions.get(moved) === decision)) changes.delete(moved);
    else changes.set(moved, decision);
  }
  return { ...state, changes };
}

/** Starts from a tag list. */
export function startFromTags(state, tags) {
  return { ...state, preset: "tags", tags, changes: new Map() };
}

/** Whether the value of a fact is one of some words, not a list of settings. */
const isWord = (data, fact) => data.vocabulary.some((entry) => entry.fact === fact && entry.values);

const list = (names) => [...names].join(".");

/** The fragment that leads to a state. Reasons are not part of it. */
export function toHash(data, state) {
  const start = initial(data);
  const parameters = new URLSearchParams();
  const put = (key, value, usual) => {
    if (value !== usual) parameters.set(key, value);
  };
  put("release", state.release, start.release);
  put("device", state.device, start.device);
  const words = Object.entries(state.facts).filter(([fact, value]) => value === null || isWord(data, fact));
  put("facts", words.map(([fact, value]) => `${fact}-${value ?? ""}`).join("."), "");
  for (const [fact, value] of Object.entries(state.facts)) if (value !== null && !isWord(data, fact)) put(`fact.${fact}`, value);
  put("target", state.target, start.target);
  put("from", state.preset, start.preset);
  put("tags", state.preset === "tags" ? state.tags.split(/[\s,]+/).join(".") : "", "");
  for (const decision of ["keep", "omit"]) {
    put(decision, list([...state.changes].filter(([, other]) => other === decision).map(([name]) => name)), "");
  }
  put("compare", state.compare, start.compare);
  put("feature", state.selected, "");
  return parameters.toString();
}

/** The state that a fragment leads to. Values that the data do not know are ignored. */
export function fromHash(data, hash) {
  const state = initial(data);
  const parameters = new URLSearchParams(hash.replace(/^#/, ""));
  const get = (key) => parameters.get(key) ?? "";
  const parts = (key) => get(key).split(".").filter(Boolean);
  if (lineOf(data, get("release"))?.releases.includes(get("release"))) state.release = get("release");
  if (data.profiles.some((profile) => profile.name === get("device")) || get("device") === "none") state.device = get("device");
  for (const part of parts("facts")) {
    const entry = data.vocabulary.find((known) => part.startsWith(`${known.fact}-`));
    const value = entry && part.slice(entry.fact.length + 1);
    if (entry && value === "") state.facts[entry.fact] = null;
    else if (entry?.values?.includes(value)) state.facts[entry.fact] = value;
  }
  for (const { fact, values } of data.vocabulary) if (!values && parameters.has(`fact.${fact}`)) state.facts[fact] = get(`fact.${fact}`);
  const targets = targetsOf(data).map((target) => target.name);
  if (targets.includes(get("target"))) state.target = get("target");
  const line = lineOf(data, state.release);
  const known = presets(data, line).map(([preset]) => preset);
  if (get("from") === "tags") {
    state.preset = "tags";
    state.tags = parts("tags").join(",");
  } else if (known.includes(get("from"))) state.preset = get("from");
  const exists = (name) => data.lines.some((other) => Object.hasOwn(other.features, name));
  for (const decision of ["keep", "omit"]) {
    for (const name of parts(decision).filter(exists)) state.changes.set(name, decision);
  }
  if (parameters.has("compare") && (get("compare") === "" || [POLICY, BASE].includes(get("compare")) || lineOf(data, get("compare")))) {
    state.compare = get("compare") === BASE && !data.policies[1] ? POLICY : get("compare");
  }
  if (exists(get("feature"))) state.selected = get("feature");
  return state;
}

/** The reason of a decision: the one that was written here, else the policy's if the decision is the same. */
export function reasonOf(data, state, name, decision) {
  const written = state.reasons.get(`${decision} ${name}`);
  if (written !== undefined) return written;
  for (const policy of [...data.policies].slice(0, state.preset === BASE ? 2 : 1).reverse()) {
    const own = policy.targets.find((target) => target.name === state.target)?.features ?? {};
    for (const features of [own, policy.features]) {
      if (Object.hasOwn(features, name) && features[name].decision === decision) return features[name].reason;
    }
  }
  return "";
}

/** The entries of featureset.yaml: of changed decisions, or of all. */
export function yaml(data, state, view, all) {
  // The common section; a target's own decisions are in the file.
  const filed = data.policies[0].features;
  const common = new Map([...decisionsOf(data, state.preset, view.line, state.tags), ...state.changes]);
  const lines = [];
  for (const { name: target, features } of data.policies[0].targets) {
    const own = [...state.changes].filter(([name, decision]) => Object.hasOwn(features, name) && features[name].decision !== decision);
    for (const [name, decision] of own) lines.push(`  # The target ${target} decides ${name} itself: ${decision} it there too.`);
  }
  for (const name of Object.keys(view.line.features).sort()) {
    const decision = common.get(name);
    const old = Object.hasOwn(filed, name) ? filed[name] : undefined;
    if (!decision || (!all && old?.decision === decision)) continue;
    const reason = reasonOf(data, state, name, decision).trim().replace(/\s+/g, " ");
    lines.push(`  ${name}:`);
    if (reason) lines.push(`    ${decision}: >-`, `      ${reason}`);
    else lines.push(`    ${decision}: # write why`);
    if (old?.decision === decision && old.refs) lines.push(`    refs: [${old.refs.join(", ")}]`);
  }
  return lines.length ? `features:\n${lines.join("\n")}\n` : "# Every decision is as in the file.\n";
}
