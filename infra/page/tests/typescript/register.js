// Lets Node 20 import TypeScript: `node --import ./tests/typescript/register.js`. Node 22.18 and later do so by themselves.
// tsx is not used: it adds a helper to each function, which then fails where Playwright sends the function to a page.

import { register } from "node:module";

register("./hooks.js", import.meta.url);
