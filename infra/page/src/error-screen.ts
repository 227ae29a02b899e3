import { type ApiError, type ErrorKind, hasCode } from "./api.ts";
import type { Bridge } from "./bridge.ts";
import { closing } from "./consultation/screens.ts";
import type { Icon } from "./dom.ts";
import { message, type Screen, type Titled } from "./screen.ts";
import type { Text } from "./text.ts";

interface Failure {
  name: Titled;
  icon: Icon;
  hints?: Text[];
  busy?: boolean;
}

const FAILED: Failure = { name: "failed", icon: "alert" };

/** Each says what the person can do. */
const FAILURES: Record<ErrorKind, Failure> = {
  offline: { name: "offline", icon: "offline", hints: ["offline.hint.1", "offline.hint.2"] },
  unauthorized: { name: "session", icon: "shield" },
  forbidden: { name: "forbidden", icon: "hand" },
  missing: { name: "missing", icon: "link" },
  conflict: FAILED,
  gone: { name: "expired", icon: "clock" },
  busy: { name: "busy", icon: "clock", busy: true },
  down: { name: "down", icon: "clock", busy: true },
  broken: FAILED,
};

/** The screen for an error. */
export function errorScreen(error: ApiError, again: () => void, bridge: Bridge): Screen {
  const excluded = exclusionOf(error);
  if (excluded) return message({ ...excluded, actions: closing({ bridge }), wrong: true });
  const failure = FAILURES[error.kind];
  return message({ ...failure, actions: [{ text: "again", press: again }], wrong: !failure.busy });
}

function exclusionOf(error: ApiError): Failure | undefined {
  if (hasCode(error, "REMOVED_FROM_CALL")) return { name: "removed", icon: "hand" };
  return hasCode(error, "TURNED_AWAY") ? { name: "turned-away", icon: "hand" } : undefined;
}
