// Text: sizes and counts as the program prints them.

/** A size: megabytes with two decimals, kilobytes below one of them. */
export function size(bytes) {
  if (bytes >= 1e6) return `${(Math.floor((bytes + 5000) / 1e4) / 100).toFixed(2)} MB`;
  if (bytes >= 1000) return `${Math.floor((bytes + 500) / 1000)} kB`;
  return `${bytes} B`;
}

/** A difference of sizes, with its sign. */
export function difference(bytes) {
  const sign = bytes < 0 ? "−" : "+";
  const tenths = Math.floor((Math.abs(bytes) + 50) / 100);
  const kilobytes = tenths < 100 ? `${Math.floor(tenths / 10)}.${tenths % 10}` : Math.floor((Math.abs(bytes) + 500) / 1000);
  return Math.abs(bytes) >= 1e6 ? `${sign}${size(Math.abs(bytes))}` : `${sign}${kilobytes} kB`;
}

/** A number and its noun. */
export const count = (number, noun, plural = `${noun}s`) => `${number} ${number === 1 ? noun : plural}`;

export const participle = { keep: "kept", omit: "omitted", undecided: "undecided" };
