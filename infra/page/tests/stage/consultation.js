// The people of one appointment, each with a page of their own, over the real API and the real SDK.

import { browser, context, post, screen, told, webView } from "./browser.js";
import { clouds } from "./cloud.js";
import { front } from "./front.js";
import { MediaService } from "./media.js";

export class Stage {
  static async open() {
    const stage = new Stage();
    [stage.clouds, stage.chromium] = await Promise.all([clouds(), browser()]);
    return stage;
  }

  async close() {
    await Promise.all([this.chromium.close(), this.clouds.close()]);
  }

  /** An appointment and what one test does with it; at the end no policy was violated and no error went unseen. */
  async appointment(run, { config, options, waitingRoom = false } = {}) {
    const cloud = waitingRoom ? this.clouds.waiting : this.clouds.open;
    const { appointmentId, users } = await cloud.appointment();
    // Whether media comes in time on a busy machine is not what most tests are about.
    const stage = await front(cloud, { config: { mediaTimeoutSeconds: 120, ...config } });
    const made = await context(this.chromium, options);
    const person = async (
      role,
      { connect = true, language = "en", token = users[role].token, deviceDefaults } = {},
    ) => {
      const page = await made.context.newPage();
      if (connect) await media.serve(page);
      await page.goto(`${stage.origin}/call/${appointmentId}`, { waitUntil: "commit" });
      await told(page, "PAGE_READY");
      await post(page, { type: "medzen.join", token, language, ...(deviceDefaults ? { deviceDefaults } : {}) });
      return page;
    };
    /** Through the check and in. */
    const enter = async (page) => {
      await screen(page, "check");
      await page.bringToFront();
      await page.locator(".check .button.wide").click();
    };
    const inCall = async (role, settings) => {
      const page = await person(role, settings);
      await enter(page);
      await told(page, "MEETING_JOINED");
      return page;
    };
    const ask = (role, method, path, body) => asked(cloud, appointmentId, users[role].token, method, path, body);
    let media;
    try {
      await webView(made.context);
      media = await MediaService.over(made.context);
      await run({ appointmentId, users, cloud, stage, media, person, enter, inCall, ask, context: made.context });
      if (media.failure) throw media.failure;
      if (made.violations.length > 0) throw new Error(`content security policy: ${made.violations.join("; ")}`);
      if (made.errors.length > 0)
        throw new AggregateError(
          made.errors,
          `errors that nothing caught: ${made.errors.map(({ message }) => message).join("; ")}`,
        );
    } finally {
      await made.context.close();
      await stage.close();
    }
  }
}

/** A call of the API, not through the page. */
export async function asked(cloud, appointmentId, token, method, path, body) {
  const answer = await fetch(`${cloud.api}/appointments/${appointmentId}/call${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body ? { body: JSON.stringify(body) } : {}),
  });
  return { status: answer.status, body: await answer.json() };
}

export function heardEvents(page) {
  return page.evaluate(() => window.told.chime.map(({ event }) => event));
}
