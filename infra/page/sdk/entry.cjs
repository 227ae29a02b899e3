// The global `ChimeSDK`: what a call needs. A further class is one more line here, within the bytes that `budget.json` allows.
// Single modules are imported, because the package's index cannot be tree-shaken.

const {
  default: Manager,
} = require("amazon-chime-sdk-js/build/encodedtransformmanager/DefaultEncodedTransformWorkerManager");

exports.ConsoleLogger = require("amazon-chime-sdk-js/build/logger/ConsoleLogger").default;
exports.DefaultActiveSpeakerPolicy =
  require("amazon-chime-sdk-js/build/activespeakerpolicy/DefaultActiveSpeakerPolicy").default;
exports.DefaultDeviceController = require("amazon-chime-sdk-js/build/devicecontroller/DefaultDeviceController").default;
exports.DefaultMeetingSession = require("amazon-chime-sdk-js/build/meetingsession/DefaultMeetingSession").default;
exports.LogLevel = require("amazon-chime-sdk-js/build/logger/LogLevel").LogLevel;
exports.MeetingSessionConfiguration =
  require("amazon-chime-sdk-js/build/meetingsession/MeetingSessionConfiguration").default;
exports.MeetingSessionStatusCode =
  require("amazon-chime-sdk-js/build/meetingsession/MeetingSessionStatusCode").MeetingSessionStatusCode;
exports.NoOpLogger = require("amazon-chime-sdk-js/build/logger/NoOpLogger").default;
exports.Versioning = require("amazon-chime-sdk-js/build/versioning/Versioning").default;
exports.VideoPriorityBasedPolicy =
  require("amazon-chime-sdk-js/build/videodownlinkbandwidthpolicy/VideoPriorityBasedPolicy").default;

/** The address of the worker for redundant audio and frame metrics: the page sets it, as a trusted address. */
const transformWorker = { address: undefined };
exports.transformWorker = transformWorker;

// The SDK would make its worker from a `blob:`, which the policy `worker-src 'self'` blocks. Here it is a file of the page.
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
