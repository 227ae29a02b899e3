// Two people of one appointment, each with a page of their own, over the real API and the real SDK.

import { browser, context, post, screen, told, webView } from "./browser.js";
import { cloud } from "./cloud.js";
import { Contract } from "./contract.js";
import { front } from "./front.js";
import { MediaService } from "./media.js";

export class Stage {
  static async open() {
    const stage = new Stage();
    [stage.cloud, stage.chromium] = await Promise.all([cloud(), browser()]);
    return stage;
  }

  async close() {
    await Promise.all([this.chromium.close(), this.cloud.close()]);
  }

  /** An appointment and what one test does with it; at the end no policy was violated and no error went unseen. */
  async appointment(run, { config, options } = {}) {
    const { appointmentId, users } = await this.cloud.appointment();
    const contract = new Contract(users);
    const stage = await front({ api: this.cloud.api, answer: contract.answer, config });
    const contexts = [];
    const opened = async () => {
      const made = await context(this.chromium, options);
      contexts.push(made);
      await webView(made.context);
      return made;
    };
    const first = await opened();
    const media = await MediaService.over(first.context);
    const person = async (role, { connect = true, language = "en", token = users[role].token, deviceDefaults } = {}) => {
      const page = await first.context.newPage();
      if (connect) await media.serve(page);
      await page.goto(`${stage.origin}/call/${appointmentId}`);
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
    const ask = async (role, method, path, body) => {
      const answer = await fetch(`${this.cloud.api}/appointments/${appointmentId}/call${path}`, { method, headers: { authorization: `Bearer ${users[role].token}`, "content-type": "application/json" }, ...(body ? { body: JSON.stringify(body) } : {}) });
      return { status: answer.status, body: await answer.json() };
    };
    try {
      await run({ appointmentId, users, contract, stage, media, person, enter, inCall, ask, context: first.context });
      if (media.failure) throw media.failure;
      const violations = contexts.flatMap(({ violations }) => violations);
      if (violations.length > 0) throw new Error(`content security policy: ${violations.join("; ")}`);
      const errors = contexts.flatMap(({ errors }) => errors);
      if (errors.length > 0) throw new AggregateError(errors, `errors that nothing caught: ${errors.map(({ message }) => message).join("; ")}`);
    } finally {
      await Promise.all(contexts.map(({ context }) => context.close()));
      await stage.close();
    }
  }
}

export function heardEvents(page) {
  return page.evaluate(() => window.told.chime.map(({ event }) => event));
}
