// The global `ChimeSDK`: what a call needs and no more. A further class is one more line here, at the price in bytes that
// `budget.json` allows. The addresses are those of single modules, for the package's index cannot be shaken.

import Manager from "amazon-chime-sdk-js/build/encodedtransformmanager/DefaultEncodedTransformWorkerManager";

export { default as ConsoleLogger } from "amazon-chime-sdk-js/build/logger/ConsoleLogger";
export { default as DefaultActiveSpeakerPolicy } from "amazon-chime-sdk-js/build/activespeakerpolicy/DefaultActiveSpeakerPolicy";
export { default as DefaultDeviceController } from "amazon-chime-sdk-js/build/devicecontroller/DefaultDeviceController";
export { default as DefaultMeetingSession } from "amazon-chime-sdk-js/build/meetingsession/DefaultMeetingSession";
export { LogLevel } from "amazon-chime-sdk-js/build/logger/LogLevel";
export { default as MeetingSessionConfiguration } from "amazon-chime-sdk-js/build/meetingsession/MeetingSessionConfiguration";
export { MeetingSessionStatusCode } from "amazon-chime-sdk-js/build/meetingsession/MeetingSessionStatusCode";
export { default as NoOpLogger } from "amazon-chime-sdk-js/build/logger/NoOpLogger";
export { default as VideoPriorityBasedPolicy } from "amazon-chime-sdk-js/build/videodownlinkbandwidthpolicy/VideoPriorityBasedPolicy";
export { default as Versioning } from "amazon-chime-sdk-js/build/versioning/Versioning";

/** Where the worker for redundant audio and frame metrics is: the page sets it, as a trusted address. */
export const transformWorker = { address: undefined };

// The SDK would make its worker from a `blob:`, which a policy of `worker-src 'self'` refuses. Ours is a file beside this one.
Manager.prototype.createWorker = async function () {
  if (!transformWorker.address) {
    this.disable();
    throw new Error("the worker's address is not set");
  }
  try {
    this.worker = new Worker(transformWorker.address);
  } catch (error) {
    this.disable();
    throw error;
  }
  this.worker.onmessage = this.handleWorkerMessage.bind(this);
  this.worker.onerror = this.handleWorkerError.bind(this);
  return this.worker;
};
