// Stands where Chime's media service stands: speaks its signalling with the real SDK, and lets a second page of the same
// browser be the other end of sound and picture. What it says follows the SDK's own protocol; it knows no more than a test
// of the page needs.

import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const protocol = require("amazon-chime-sdk-js/build/signalingprotocol/SignalingProtocol.js");
const { SdkSignalFrame: Frame, SdkTranscriptFrame, SdkTranscriptionStatus, SdkStreamMediaType } = protocol;
const Type = Frame.Type;

export class MediaService {
  #peer;
  #connections = new Set();
  #people = new Map();
  #next = 1;
  /** Whether it takes connections. */
  up = true;
  /** The status with which it refuses whoever comes, if it does. */
  refusing;
  /** Addresses that were connected to. */
  addresses = [];

  /** How many are connected and have sound. */
  get connected() {
    return [...this.#connections].filter(({ subscribed, content }) => subscribed && !content).length;
  }

  /** Whether somebody shares a screen from here. */
  get sharing() {
    return [...this.#connections].some(({ subscribed, content }) => subscribed && content);
  }

  /** For all pages of this context. */
  static async over(context) {
    const service = new MediaService();
    service.#peer = await context.newPage();
    await service.#peer.goto("about:blank");
    await service.#peer.evaluate(answering);
    await context.addInitScript(sending);
    return service;
  }

  /** What a page sends: kind, device and whether it is switched on. */
  outgoing(page) {
    return page.evaluate(() =>
      window.connections
        .flatMap((connection) => (connection.connectionState === "closed" ? [] : connection.getSenders()))
        .filter(({ track }) => track?.readyState === "live")
        .map(({ track }) => ({ kind: track.kind, device: track.getSettings().deviceId, enabled: track.enabled })),
    );
  }

  /** What comes here from a page: how loud it was in the last half second, and how many pictures there have been. */
  async received(page) {
    const connection = [...this.#connections].find((one) => one.page === page && one.subscribed && !one.content);
    return this.#peer.evaluate((id) => window.receivedFrom(id), connection.id);
  }

  /** For the connections of this page. */
  async serve(page) {
    let attendee;
    page.on("response", (response) => {
      if (
        response.request().method() === "POST" &&
        /\/call(\/attendees)?$/.test(new URL(response.url()).pathname) &&
        response.ok()
      )
        attendee = response
          .json()
          .then(({ attendee }) => attendee)
          .catch(() => undefined);
    });
    await page.routeWebSocket(/\.chime\.aws\//, async (socket) => {
      this.addresses.push(socket.url());
      if (!this.up) {
        socket.close({ code: 1006 });
        return;
      }
      this.#accept(socket, page, () => attendee);
    });
  }

  #accept(socket, page, attendeeOf) {
    // A shared screen joins as an attendee of its own, by a token that says so.
    const content = socket.protocols().some((word) => word.endsWith("#content"));
    const connection = {
      socket,
      page,
      content,
      id: `peer-${this.#next++}`,
      streams: [],
      attendee: undefined,
      send: (frame) => socket.send(framed(frame)),
    };
    this.#connections.add(connection);
    // One after the other: a second offer must not overtake the answer to the first.
    let turn = Promise.resolve();
    socket.onMessage((data) => {
      turn = turn
        .then(() => this.#take(connection, Frame.decode(Buffer.from(data).subarray(1)), attendeeOf))
        .catch((error) => {
          if (!/closed|destroyed/.test(String(error))) this.failure ??= error;
        });
    });
    socket.onClose(() => {
      this.#connections.delete(connection);
      if (content && connection.subscribed) this.#shared(connection, false);
    });
  }

  async #take(connection, frame, attendeeOf) {
    switch (frame.type) {
      case Type.JOIN: {
        connection.attendee = await attendeeOf();
        if (this.refusing) {
          this.#status(connection, this.refusing);
          break;
        }
        connection.send({ type: Type.JOIN_ACK, joinack: {} });
        connection.send(this.#index());
        this.#throwOut(connection);
        break;
      }
      case Type.SUBSCRIBE: {
        const { sdpOffer, receiveStreamIds, compressedSdpOffer } = frame.sub;
        if (compressedSdpOffer?.length) throw new Error("a compressed offer was not asked for");
        const { answer, tracks } = await this.#peer.evaluate(
          ({ id, offer, wanted }) => window.answerTo(id, offer, wanted),
          { id: connection.id, offer: sdpOffer, wanted: receiveStreamIds },
        );
        connection.send({
          type: Type.SUBSCRIBE_ACK,
          suback: {
            sdpAnswer: answer,
            allocations: [{ trackLabel: "AmazonChimeExpressVideo", streamId: 1, groupId: 1 }],
            tracks,
          },
        });
        if (!connection.subscribed) {
          connection.subscribed = true;
          connection.send(this.#presence(connection));
          if (connection.content) this.#shared(connection, true);
        }
        break;
      }
      case Type.PING_PONG:
        if (frame.pingPong.type === 1)
          connection.send({ type: Type.PING_PONG, pingPong: { type: 2, pingId: frame.pingPong.pingId } });
        break;
      case Type.LEAVE:
        connection.send({ type: Type.LEAVE_ACK, leaveAck: {} });
        break;
      default:
        break;
    }
  }

  /** Whoever comes again with the same attendee, from another device, takes the place of the one before. */
  #throwOut({ attendee, content }) {
    if (content) return;
    for (const other of this.#connections)
      if (!other.content && other.subscribed && other.attendee?.AttendeeId === attendee?.AttendeeId)
        this.#status(other, 301);
  }

  #status({ send }, audioStatus) {
    send({ type: Type.AUDIO_STATUS, audioStatus: { audioStatus } });
  }

  #index() {
    const sources = [...this.#people.values()].flatMap(({ streams }) => streams);
    return { type: Type.INDEX, index: { sources, numParticipants: this.#people.size + 1 } };
  }

  #presence({ attendee, content }) {
    const self = {
      AttendeeId: content ? `${attendee.AttendeeId}#content` : attendee.AttendeeId,
      ExternalUserId: attendee.ExternalUserId,
    };
    const streams = [...this.#people.values()].map(({ number, attendeeId, externalUserId, muted }) => ({
      audioStreamId: number,
      attendeeId,
      externalUserId,
      muted,
    }));
    return {
      type: Type.AUDIO_STREAM_ID_INFO,
      audioStreamIdInfo: {
        streams: [
          { audioStreamId: 1000, attendeeId: self.AttendeeId, externalUserId: self.ExternalUserId, muted: false },
          ...streams,
        ],
      },
    };
  }

  /** Everyone hears of a shared screen as of somebody who comes. */
  #shared({ attendee }, on) {
    const stream = on
      ? { audioStreamId: 2000, attendeeId: `${attendee.AttendeeId}#content`, externalUserId: attendee.ExternalUserId }
      : { audioStreamId: 2000 };
    for (const { send, content } of this.#connections)
      if (!content) send({ type: Type.AUDIO_STREAM_ID_INFO, audioStreamIdInfo: { streams: [stream] } });
  }

  /** Somebody else is in the call. */
  comes({ attendeeId, externalUserId, video = true, muted = false }) {
    const number = 100 + this.#people.size * 10;
    const streams = video
      ? [
          {
            streamId: number,
            groupId: number,
            maxBitrateKbps: 600,
            avgBitrateBps: 300_000,
            framerate: 15,
            attendeeId,
            externalUserId,
            mediaType: SdkStreamMediaType.VIDEO,
            width: 640,
            height: 480,
          },
        ]
      : [];
    this.#people.set(attendeeId, { number, attendeeId, externalUserId, muted, streams });
    this.#tellAll();
  }

  /** And shares a screen. */
  shares({ attendeeId, externalUserId }) {
    this.comes({ attendeeId: `${attendeeId}#content`, externalUserId: `${externalUserId}#content` });
  }

  goes(attendeeId) {
    const gone = this.#people.get(attendeeId);
    this.#people.delete(attendeeId);
    for (const { send } of this.#connections) {
      send({ type: Type.AUDIO_STREAM_ID_INFO, audioStreamIdInfo: { streams: [{ audioStreamId: gone.number }] } });
      send(this.#index());
    }
  }

  speaks(attendeeId) {
    const { number } = this.#people.get(attendeeId);
    for (const { send } of this.#connections)
      send({
        type: Type.AUDIO_METADATA,
        audioMetadata: { attendeeStates: [{ audioStreamId: number, volume: 20, signalStrength: 2 }] },
      });
  }

  mutes(attendeeId, muted) {
    const person = this.#people.get(attendeeId);
    person.muted = muted;
    for (const { send } of this.#connections)
      send({
        type: Type.AUDIO_STREAM_ID_INFO,
        audioStreamIdInfo: {
          streams: [{ audioStreamId: person.number, attendeeId, externalUserId: person.externalUserId, muted }],
        },
      });
  }

  transcription(state) {
    this.#transcript({
      status: {
        type: SdkTranscriptionStatus.Type[state],
        eventTime: 1,
        transcriptionRegion: "us-east-1",
        transcriptionConfiguration: "{}",
      },
    });
  }

  says({ attendeeId, externalUserId, text, id, partial = false }) {
    const item = {
      content: text,
      startTime: 1,
      endTime: 2,
      speakerAttendeeId: attendeeId,
      speakerExternalUserId: externalUserId,
      type: 1,
    };
    this.#transcript({
      transcript: {
        results: [
          {
            resultId: id,
            isPartial: partial,
            startTime: 1,
            endTime: 2,
            channelId: "",
            alternatives: [{ transcript: text, items: [item] }],
          },
        ],
      },
    });
  }

  #transcript(event) {
    const data = SdkTranscriptFrame.encode(SdkTranscriptFrame.create({ events: [event] })).finish();
    for (const { send } of this.#connections)
      send({
        type: Type.DATA_MESSAGE,
        dataMessage: {
          messages: [
            {
              topic: "aws:chime:transcription",
              data,
              lifetimeMs: 0,
              senderAttendeeId: "transcription-service",
              senderExternalUserId: "transcription",
              ingestTimeNs: 1,
            },
          ],
        },
      });
  }

  /** The service says that the meeting has ended, which a client may hear wrongly. */
  saysEnded() {
    this.refuses(410);
  }

  /** The service ends each connection, by a status of its protocol. */
  refuses(status) {
    for (const connection of this.#connections) if (!connection.content) this.#status(connection, status);
  }

  /** The line is cut for those who are connected. */
  async cuts() {
    const cut = [...this.#connections];
    this.#connections.clear();
    for (const { socket, id } of cut) {
      await this.#peer.evaluate((id) => window.hangUp(id), id);
      await socket.close({ code: 4501, reason: "cut" });
    }
  }

  #tellAll() {
    for (const connection of this.#connections) {
      if (!connection.subscribed) continue;
      connection.send(this.#presence(connection));
      connection.send(this.#index());
    }
  }
}

function framed(frame) {
  const body = Frame.encode(Frame.create({ timestampMs: Date.now(), ...frame })).finish();
  return Buffer.concat([Buffer.from([5]), body]);
}

/** Runs in each page: keeps its connections, to see what they send. */
function sending() {
  window.connections = [];
  window.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(...settings) {
      super(...settings);
      window.connections.push(this);
    }
  };
}

/** Runs in the other page: answers offers with a picture of moving colours and a quiet tone. */
function answering() {
  const peers = new Map();
  const ears = new Map();
  let context;
  const hall = () => (context ??= new AudioContext());
  window.hangUp = (id) => {
    peers.get(id)?.close();
    peers.delete(id);
    ears.get(id)?.disconnect();
    ears.delete(id);
  };
  window.receivedFrom = async (id) => {
    let pictures = 0;
    for (const stat of (await peers.get(id).getStats()).values())
      if (stat.type === "inbound-rtp") pictures += stat.framesReceived ?? 0;
    const analyser = ears.get(id);
    const samples = new Float32Array(analyser.fftSize);
    analyser.getFloatTimeDomainData(samples);
    return { loud: samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0), pictures };
  };
  const listen = (id, stream) => {
    // Chromium gives the sound of a connection to nobody before an element plays it.
    const audio = new Audio();
    audio.muted = true;
    audio.srcObject = stream;
    void audio.play();
    // Two thirds of a second, in which the microphone that is not there beeps once at least.
    ears.set(id, new AnalyserNode(hall(), { fftSize: 32_768 }));
    hall().createMediaStreamSource(stream).connect(ears.get(id));
  };
  const picture = (number) => {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [320, 240];
    const pen = canvas.getContext("2d");
    let hue = number * 40;
    setInterval(() => {
      pen.fillStyle = `hsl(${hue++ % 360} 35% 45%)`;
      pen.fillRect(0, 0, 320, 240);
    }, 250);
    return canvas.captureStream(4);
  };
  let sounding;
  const tone = () => {
    if (sounding) return sounding;
    const destination = hall().createMediaStreamDestination();
    const oscillator = hall().createOscillator();
    const volume = hall().createGain();
    volume.gain.value = 0.001;
    oscillator.connect(volume).connect(destination);
    oscillator.start();
    sounding = destination.stream;
    return sounding;
  };
  const streams = new Map();
  window.answerTo = async (id, offer, wanted) => {
    let peer = peers.get(id);
    if (!peer) {
      peer = new RTCPeerConnection({});
      peers.set(id, peer);
    }
    await peer.setRemoteDescription({ type: "offer", sdp: offer });
    const tracks = [];
    // What is wanted stands in the order of the offer's parts for pictures.
    const parts = offer
      .split("\r\nm=")
      .slice(1)
      .map((part) => ({ kind: part.split(" ")[0], mid: /a=mid:(\S+)/.exec(part)?.[1] }));
    const pictures = parts.filter(({ kind }) => kind === "video").map(({ mid }) => mid);
    for (const transceiver of peer.getTransceivers()) {
      if (transceiver.mid === null || transceiver.direction === "stopped") continue;
      if (transceiver.receiver.track.kind === "audio") {
        if (!transceiver.sender.track) {
          listen(id, new MediaStream([transceiver.receiver.track]));
          const stream = tone();
          transceiver.sender.setStreams(stream);
          await transceiver.sender.replaceTrack(stream.getAudioTracks()[0]);
        }
        transceiver.direction = "sendrecv";
        continue;
      }
      const streamId = wanted[pictures.indexOf(transceiver.mid)] ?? 0;
      if (streamId === 0) {
        transceiver.direction = "recvonly";
        continue;
      }
      if (!streams.has(streamId)) streams.set(streamId, picture(streamId));
      const stream = streams.get(streamId);
      transceiver.sender.setStreams(stream);
      await transceiver.sender.replaceTrack(stream.getVideoTracks()[0]);
      transceiver.direction = "sendonly";
      tracks.push({ streamId, ssrc: streamId, trackLabel: stream.id });
    }
    await peer.setLocalDescription(await peer.createAnswer());
    if (peer.iceGatheringState !== "complete") {
      await new Promise((resolve) =>
        peer.addEventListener("icegatheringstatechange", () => peer.iceGatheringState === "complete" && resolve()),
      );
    }
    return { answer: peer.localDescription.sdp, tracks };
  };
}
