//! Direct invocations: the actions of each function.

use serde_json::{Map, Value, json};

use crate::attendees::ParticipantSelector;
use crate::call::{AppointmentSelector, CallSelector};
use crate::openapi::schemas::Schemas;
use crate::recordings::{PlaybackOptions, RecordingSelector};
use crate::transcripts::{TranscriptRequest, TranscriptSelector};

/// The members of a direct invocation's body beside `userId`, by function and action: the operation that it performs, and the
/// fields that stand for the route's path.
pub(in crate::openapi) fn direct_invocations(schemas: &mut Schemas) -> Value {
    let appointment = schemas.request::<AppointmentSelector>();
    let call = schemas.request::<CallSelector>();
    let participant = schemas.request::<ParticipantSelector>();
    let recording = schemas.request::<RecordingSelector>();
    let playback = schemas.request::<PlaybackOptions>();
    let transcript = schemas.request::<TranscriptSelector>();
    let reading = schemas.request::<TranscriptRequest>();
    let actions = |actions: &[(&str, &str, &[&Value])]| -> Map<String, Value> {
        actions
            .iter()
            .map(|(action, operation, fields)| {
                ((*action).to_owned(), json!({ "operationId": operation, "fields": fields }))
            })
            .collect()
    };
    json!({
        "meeting-manager": actions(&[
            ("create", "startCall", &[&appointment]),
            ("join", "joinCall", &[&call]),
            ("leave", "leaveCall", &[&call]),
            ("end", "endCall", &[&call]),
            ("get-status", "getCallStatus", &[&call]),
            ("get-link", "getCallLink", &[&appointment]),
            ("batch-join", "performMeetingAction", &[&appointment]),
        ]),
        "attendee": actions(&[
            ("join", "joinCall", &[&call]),
            ("leave", "leaveCall", &[&call]),
            ("roster", "getRoster", &[&appointment]),
            ("change", "changeAttendee", &[&appointment, &participant]),
            ("remove", "removeAttendee", &[&appointment, &participant]),
            ("consent", "setConsent", &[&appointment]),
            ("quality", "reportQuality", &[&appointment]),
        ]),
        "recording": actions(&[
            ("start", "startRecording", &[&appointment]),
            ("withdraw", "withdrawRecording", &[&appointment]),
            ("stop", "stopRecording", &[&recording]),
            ("pause", "pauseRecording", &[&recording]),
            ("resume", "resumeRecording", &[&recording]),
            ("list", "listRecordings", &[&appointment]),
            ("get", "getRecording", &[&recording]),
            ("playback", "playRecording", &[&recording, &playback]),
            ("delete", "deleteRecording", &[&recording]),
        ]),
        "audit": actions(&[
            ("hold", "placeHold", &[&appointment]),
            ("lift-hold", "liftHold", &[&appointment]),
            ("get-hold", "getHold", &[&appointment]),
        ]),
        "transcript": actions(&[
            ("start", "startTranscription", &[&appointment]),
            ("stop", "stopTranscription", &[&appointment]),
            ("languages", "listLanguages", &[]),
            ("read", "readTranscript", &[&appointment, &reading]),
            ("delete", "deleteTranscript", &[&transcript]),
            ("search", "searchTranscripts", &[]),
        ]),
    })
}
