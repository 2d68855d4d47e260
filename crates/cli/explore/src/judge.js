// The evaluator: closure of dependencies, conditions of hazards, tags and estimated size.
//
// It interprets data that crates/featureset/src/explore.rs exports, and knows no feature and no hazard
// itself. tests/it/explore compares it with the core on random selections.

/** Compares two releases such as 1.98.10 and 1.100.0 by their numbers. */
export function compareReleases(a, b) {
  const [left, right] = [a, b].map((text) => text.split(".").map(Number));
  for (let index = 0; index < Math.max(left.length, right.length); index++) {
    const difference = (left[index] ?? 0) - (right[index] ?? 0);
    if (difference) return difference;
  }
  return 0;
}

/** The data of one release line, found by a release; undefined if the line is unknown. */
export function lineOf(data, release) {
  const line = release?.split(".").slice(0, 2).join(".");
  return data.lines.find((known) => known.line === line);
}

/** Every feature that `name` needs, directly or not, itself included. */
export function requires(line, name) {
  const found = new Set();
  const open = [name];
  while (open.length) {
    const next = open.pop();
    if (found.has(next)) continue;
    found.add(next);
    open.push(...(line.features[next]?.needs ?? []));
  }
  return found;
}

/** Every feature that needs `name`, directly or not, itself included. */
export function requiredBy(line, name) {
  const users = Object.keys(line.features).filter((other) => requires(line, other).has(name));
  return new Set(users);
}

/** A set of features with everything that they need. */
export function closure(line, names) {
  const closed = new Set();
  for (const name of names) for (const need of requires(line, name)) closed.add(need);
  return closed;
}

// Answers: true, false, or the set of facts on which the answer depends.
const join = (answers, decisive) => {
  const unknown = new Set();
  for (const answer of answers) {
    if (answer === decisive) return decisive;
    if (answer instanceof Set) for (const fact of answer) unknown.add(fact);
  }
  return unknown.size ? unknown : !decisive;
};

/** Whether a word of the start command is a setting: the same flag, or text that begins with a part of a value. */
function isSet(word, setting) {
  if (!word.startsWith(setting)) return false;
  const rest = word.slice(setting.length);
  return rest === "" || rest.startsWith("=") || setting.endsWith("=") || setting.endsWith(":");
}

/** Whether a version is in a range, whose ends may be open. */
const isBetween = ([from, to], version) =>
  (from === null || compareReleases(version, from) >= 0) && (to === null || compareReleases(version, to) <= 0);

/** Reads a size such as 256 MB, in bytes; undefined if it is not one. */
export function parseSize(text) {
  const [, whole, fraction = "", unit] = /^\s*(\d+)(?:\.(\d{1,3}))?\s*(B|kB|MB)\s*$/.exec(text) ?? [];
  const thousandths = Number(`${whole}${fraction.padEnd(3, "0")}`) * { B: 1, kB: 1000, MB: 1e6 }[unit ?? "B"];
  return whole !== undefined && thousandths % 1000 === 0 ? thousandths / 1000 : undefined;
}

/**
 * Evaluates a condition. Returns true, false, or the set of unknown facts on which the answer depends.
 * A kind of condition that it does not know is an error.
 */
export function evaluate(condition, circumstances) {
  const [[kind, value]] = Object.entries(condition);
  const all = (parts) => parts.map((part) => evaluate(part, circumstances));
  switch (kind) {
    case "all": return join(all(value), false);
    case "any": return join(all(value), true);
    case "not": {
      const answer = evaluate(value, circumstances);
      return answer instanceof Set ? answer : !answer;
    }
    case "keep": return circumstances.kept.has(value);
    case "omit": return circumstances.omitted.has(value);
    case "device": {
      const [fact, expected] = value;
      const stated = circumstances.device[fact];
      return stated === undefined ? new Set([fact]) : stated === expected;
    }
    case "start": {
      const stated = circumstances.device.start;
      return stated === undefined ? new Set(["start"]) : stated.split(/\s+/).some((word) => isSet(word, value));
    }
    case "memory_below": {
      const stated = circumstances.device.memory;
      if (stated === undefined) return new Set(["memory"]);
      const memory = parseSize(stated);
      return memory !== undefined && value !== null && memory < value;
    }
    case "go": return circumstances.go ? isBetween(value, circumstances.go) : new Set(["go"]);
    case "upx": {
      if (circumstances.upx === false) return false;
      return circumstances.upx ? isBetween(value, circumstances.upx) : new Set(["upx"]);
    }
    case "platform": return circumstances.platform === value;
    case "program": return circumstances.program === value;
    case "os": return circumstances.os === value;
    case "goarch": return value.includes(circumstances.goarch);
    default: throw new Error(`unknown condition ${kind}`);
  }
}

/** Every path to meet a condition, or not to: lists of atoms and whether each must hold. */
function alternatives(condition, wanted = true) {
  const [[kind, value]] = Object.entries(condition);
  if (kind === "not") return alternatives(value, !wanted);
  if (kind !== "all" && kind !== "any") return [[[condition, wanted]]];
  const parts = value.map((part) => alternatives(part, wanted));
  if ((kind === "any") === wanted) return parts.flat();
  return parts.reduce((paths, more) => paths.flatMap((path) => more.map((other) => [...path, ...other])), [[]]);
}

/** The decisions of a remedy that concern a part of the condition that is met or may be met. */
function remedies(hazard, circumstances) {
  const isPossible = ([atom, holds]) => {
    const answer = evaluate(atom, circumstances);
    return answer instanceof Set || answer === holds;
  };
  const atoms = alternatives(hazard.when).filter((path) => path.every(isPossible)).flat();
  const names = new Set(atoms.map(([atom]) => atom.keep ?? atom.omit));
  return hazard.remedy.filter(([, name]) => names.has(name));
}

/**
 * The hazards that apply, or may apply, to targets.
 *
 * Each target has a platform, its device's facts, its kept features and its decided ones. Returns for each hazard its severity, the targets that it applies to, the
 * facts that it depends on, sorted, and the decisions that resolve it.
 */
export function hazards(data, release, targets) {
  const line = lineOf(data, release);
  if (!line) return [];
  const names = Object.keys(line.features);
  const all = targets.map(({ kept, decided, ...target }) => [target.name, {
    ...target,
    kept: new Set(names.filter((feature) => kept.has(feature))),
    omitted: new Set(names.filter((feature) => decided.has(feature) && !kept.has(feature))),
  }]);
  const found = [];
  for (const hazard of data.hazards) {
    if (!hazard.releases.some((range) => isBetween(range, release))) continue;
    const applies = [];
    const possible = [];
    const unknown = new Set();
    const remedy = [];
    for (const [name, circumstances] of all) {
      const answer = evaluate(hazard.when, circumstances);
      if (answer === true) applies.push(name);
      if (answer instanceof Set) {
        possible.push(name);
        for (const fact of answer) unknown.add(fact);
      }
      if (answer === false) continue;
      for (const part of remedies(hazard, circumstances)) if (!remedy.includes(part)) remedy.push(part);
    }
    if (!applies.length && !unknown.size) continue;
    const [certain, depending] = hazard.severity;
    found.push({
      hazard,
      severity: applies.length ? certain : depending,
      targets: applies,
      possible,
      unknown: [...unknown].sort(),
      remedy,
    });
  }
  return found;
}

/** Sorts by code unit, as upstream sorts tags. */
const sorted = (names) => [...names].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

/** The tag list of a selection, as upstream's `featuretags` prints it, with a target's extra tags. */
export function tags(line, kept, extra = []) {
  const names = Object.keys(line.features);
  const list = names.filter((name) => name !== "cli" && !kept.has(name)).map((name) => `ts_omit_${name}`);
  if (kept.has("cli")) list.push("ts_include_cli");
  return [...sorted(list), ...extra];
}

/** Reads a tag list: the kept features of a line, and the tags that it does not know. */
export function fromTags(line, text) {
  const kept = new Set(Object.keys(line.features));
  kept.delete("cli");
  const unknown = [];
  for (const tag of text.split(/[\s,]+/).filter(Boolean)) {
    const word = tag.replace(/^['"]?(-tags=?)?['"]?/, "").replace(/['"]$/, "");
    if (!word) continue;
    const name = word.replace(/^ts_omit_/, "");
    if (word === "ts_include_cli") kept.add("cli");
    else if (word !== name && name !== "cli" && Object.hasOwn(line.features, name)) kept.delete(name);
    else unknown.push(word);
  }
  return { kept, unknown };
}

/** The estimated size of a selection in bytes, and the kept features that it leaves out. */
export function estimate(costs, kept) {
  const basis = new Set(costs.kept);
  let packed = costs.packed;
  let unused = 1;
  const unpriced = [];
  for (const name of sorted(new Set([...basis, ...kept]))) {
    if (basis.has(name) === kept.has(name)) continue;
    if (!Object.hasOwn(costs.own, name)) {
      if (kept.has(name) && !costs.implied.includes(name)) unpriced.push(name);
    } else if (kept.has(name)) {
      const [alone, share] = costs.additions[name];
      packed += alone;
      unused *= 1 - share;
    } else {
      packed -= costs.own[name];
    }
  }
  packed += Math.round(costs.pool * (1 - unused));
  return { packed: Math.max(packed, 0), unpriced };
}

/** The features that must change with a decision, without the feature itself. */
export function forced(line, kept, name) {
  const keep = !kept.has(name);
  const moved = keep ? requires(line, name) : requiredBy(line, name);
  return sorted(moved).filter((other) => other !== name && kept.has(other) !== keep);
}

/** Decisions with those of a target in their place. */
export function overridden(decisions, target) {
  return new Map([...decisions, ...Object.entries(target.features).map(([name, own]) => [name, own.decision])]);
}

/** A target with its kept and its decided features. */
export function withDecisions(target, decisions) {
  const kept = [...decisions].filter(([, decision]) => decision === "keep").map(([name]) => name);
  return { ...target, decisions, kept: new Set(kept), decided: new Set(decisions.keys()) };
}

/** Judges one random case of the test. */
export function judgeCase(data, given) {
  const line = lineOf(data, given.release);
  const kept = closure(line, given.keep);
  const common = new Map([...given.omit.map((name) => [name, "omit"]), ...[...kept].map((name) => [name, "keep"])]);
  const targets = given.targets.map((target) => withDecisions(target, overridden(common, target)));
  const existing = (target) => new Set([...target.kept].filter((name) => Object.hasOwn(line.features, name)));
  const found = hazards(data, given.release, targets);
  return {
    kept: sorted(kept),
    hazards: found.map((one) => [one.hazard.id, one.severity, sorted(one.targets), sorted(one.possible), one.unknown, one.remedy]),
    tags: targets.map((target) => tags(line, target.kept, target.extra_tags).join(",")),
    sizes: Object.fromEntries(targets.map((target) => [target.name, estimate(given.costs[target.name], existing(target))])),
  };
}
