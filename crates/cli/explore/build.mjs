// Bundles the page into one file: `npm ci && npm run build`. An argument names another output file.
import { readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";

const bundle = async (entry) => {
  const result = await build({
    entryPoints: [entry],
    bundle: true,
    minify: true,
    write: false,
    charset: "utf8",
    format: "iife",
    target: ["chrome110", "firefox110", "safari16"],
    legalComments: "inline",
  });
  return result.outputFiles[0].text.trim();
};

const template = await readFile("src/page.html", "utf8");
const [style, script, license] = await Promise.all([
  bundle("src/page.css"),
  bundle("src/main.js"),
  readFile("node_modules/d3-hierarchy/LICENSE", "utf8"),
]);
const notice = `/*! d3-hierarchy\n${license.trim()}\n*/\n`;
// A function, so that `$` in the sources has no meaning.
const page = template
  .replace("/* style */", () => style)
  .replace("/* script */", () => notice + script.replaceAll("</script", "<\\/script"));
await writeFile(process.argv[2] ?? "built/page.html", page);
