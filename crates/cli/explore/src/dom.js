// Elements: small helpers instead of a framework. Text is always set as text, never as HTML.

export const byId = (id) => document.getElementById(id);

/** Creates an element with properties and children. Keys with a dash are attributes; `on…` are listeners. */
export function element(name, properties = {}, ...children) {
  const created = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) created.addEventListener(key.slice(2), value);
    else if (key.includes("-") || key === "role" || key === "for") created.setAttribute(key, value);
    else created[key] = value;
  }
  created.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return created;
}

/** Replaces the children of an element. An element that had the focus and a key gets it back. */
export function replace(parent, ...children) {
  const key = parent.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
  parent.replaceChildren(...children.flat(Infinity).filter(Boolean));
  if (key) parent.querySelector(`[data-key="${CSS.escape(key)}"]`)?.focus({ preventScroll: true });
}

/** Splits a text at backquotes into text and code. */
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}
