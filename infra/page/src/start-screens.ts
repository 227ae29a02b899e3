// The screens before a consultation: the page is loading, or something is missing that it needs.

import { h } from "./dom.ts";
import { message, type Screen } from "./screen.ts";

export function loadingScreen(): Screen {
  return message({
    name: "loading",
    icon: "shield",
    busy: true,
  });
}

/** The address names no appointment. */
export function badLinkScreen(): Screen {
  return message({
    name: "bad-link",
    icon: "link",
    wrong: true,
  });
}

export function sdkFailedScreen(again: () => void): Screen {
  return message({
    name: "sdk",
    icon: "alert",
    hints: ["sdk.hint.1", "sdk.hint.2"],
    actions: [{ text: "again", press: again }],
    wrong: true,
  });
}

export function noTokenScreen(again: () => void): Screen {
  return message({
    name: "no-token",
    icon: "link",
    hints: ["no-token.hint"],
    actions: [{ text: "again", press: again }],
    wrong: true,
  });
}

/** The page was opened without an app that could hand over a token. */
export function aloneScreen(deepLink: string | null): Screen {
  const screen = message({
    name: "alone",
    icon: "link",
    hints: ["alone.hint"],
  });
  if (deepLink) {
    const link = h("a", { class: "button", t: "alone.open", attributes: { href: deepLink, rel: "noreferrer" } });
    screen.root.querySelector(".card")?.append(h("div", { class: "actions" }, link));
  }
  return screen;
}
