// The routes of the API that are being built elsewhere: waiting room, changes by the provider, consent, quality. Their shapes
// are the contract's. Everything else is the real API; its status gets the fields that these routes add.

export class Contract {
  /** Of the person who asks, by the bearer's token. */
  me = new Map();
  waiting = [];
  consent = undefined;
  recording = undefined;
  transcription = undefined;
  samples = [];
  changes = [];
  /** Whether a patient has to wait. */
  waitingRoom = false;
  #provider;

  constructor(users) {
    this.#provider = users.provider.token;
  }

  answer = async ({ method, path, headers, body }, real) => {
    const token = headers.authorization?.replace(/^Bearer /, "");
    const mine = this.me.get(token) ?? {};
    if (method === "GET" && /\/call$/.test(path)) {
      const answer = await real();
      if (answer.status !== 200) return answer;
      answer.body.me = { status: "joined", admitted: true, waitingSince: null, capabilities: null, ...mine };
      answer.body.waiting = token === this.#provider ? this.waiting : [];
      if (this.consent) answer.body.consent = structuredClone(this.consent);
      if (this.recording) answer.body.recording = this.recording;
      if (this.transcription) answer.body.transcription = this.transcription;
      return answer;
    }
    if (method === "POST" && path.endsWith("/attendees") && this.waitingRoom && token !== this.#provider && !mine.admitted) {
      this.me.set(token, { status: "waiting", admitted: false, ...mine });
      const appointmentId = path.split("/")[2];
      return { status: 202, headers: { "retry-after": "3" }, body: { appointmentId, sessionId: "00000000-0000-4000-8000-00000000000f", callStatus: "active", role: "patient", status: "waiting", waitingSince: "2026-11-20T10:00:00Z", poll: `/appointments/${appointmentId}/call`, message: "Please wait." } };
    }
    if (method === "PATCH" || (method === "DELETE" && /\/attendees\/(?!me$)/.test(path))) {
      const userId = path.split("/").at(-1);
      this.changes.push({ method, userId, ...body });
      this.waiting = this.waiting.filter((person) => person.userId !== userId);
      return { body: { userId } };
    }
    if (method === "PUT" && path.endsWith("/consent")) {
      for (const [feature, granted] of Object.entries(body)) this.consent[feature].granted = granted;
      this.changes.push({ method, ...body });
      return { body: { consent: this.consent } };
    }
    if (method === "POST" && path.endsWith("/quality")) {
      this.samples.push(...body.samples);
      return { status: 202, body: { accepted: body.samples.length } };
    }
    return undefined;
  };
}
