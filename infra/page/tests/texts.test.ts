import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

type Texts = Record<string, string>;
const texts: { en: Texts; fr: Texts } = JSON.parse(
  await readFile(new URL("../src/texts.json", import.meta.url), "utf8"),
);
const sources = await Promise.all(
  (await readdir(new URL("../src", import.meta.url), { recursive: true }))
    .filter((name) => name.endsWith(".ts"))
    .map(
      async (name): Promise<[string, string]> => [
        name,
        await readFile(new URL(`../src/${name}`, import.meta.url), "utf8"),
      ],
    ),
);
const html = await readFile(new URL("../src/index.html", import.meta.url), "utf8");

test("both languages have the same texts with the same placeholders", () => {
  assert.deepEqual(Object.keys(texts.fr), Object.keys(texts.en));
  const blanks = (text = "") => [...text.matchAll(/\{\w+\}/g)].map(([blank]) => blank).sort();
  for (const [key, text] of Object.entries(texts.en)) {
    assert.deepEqual(blanks(texts.fr[key]), blanks(text), key);
    assert.ok(text.trim() && texts.fr[key]?.trim(), `${key} is empty`);
  }
});

test("French punctuation follows a non-breaking space", () => {
  for (const [key, text] of Object.entries(texts.fr)) assert.doesNotMatch(text, / [?!;:]/, key);
});

test("every text is used", () => {
  const all = sources.map(([, source]) => source).join("\n") + html;
  // Texts whose key is composed at run time.
  const families = [
    /^permission\.\w+\.\d$/,
    /^devices\.\w+\.\w+$/,
    /^blocked\./,
    /^(microphone|camera)\.(turnO|isO)/,
    /^control\./,
    /^line\./,
    /^role\./,
    /^status\./,
    /^sign\./,
    /^consent\.(recording|transcription)\./,
    /^recording\.(start|pause|resume)$/,
    /^(player|transcript)\.gap\./,
    /^captions\.size\.\d$/,
    /^(people|settings)\.title$/,
  ];
  for (const key of Object.keys(texts.en))
    assert.ok(
      all.includes(`"${key}"`) ||
        // The title and the body of a message follow from its name.
        all.includes(`name: "${key.replace(/\.(title|body)$/, "")}"`) ||
        all.includes(`{{${key}}}`) ||
        families.some((family) => family.test(key)),
      `${key} is used nowhere`,
    );
});

test("the code contains no texts", () => {
  for (const [name, source] of sources) {
    const code = source
      .replace(/^\s*\/\/.*$|\/\*[\s\S]*?\*\//gm, "")
      .replace(/new (Error|TypeError|DOMException)\([^)]*\)/g, "");
    assert.doesNotMatch(code, /\.(textContent|innerText|title|placeholder|ariaLabel)\s*=\s*["'`][A-Za-zÀ-ÿ]/, name);
    assert.doesNotMatch(code, /\.(innerHTML|outerHTML|insertAdjacentHTML)\b/, name);
  }
});

test("index.html contains no texts but those of texts.json", () => {
  const words = html
    .replace(/<[^>]*>/g, " ")
    .replace(/\{\{[\w.]+\}\}/g, " ")
    .trim();
  assert.equal(words, "");
});
