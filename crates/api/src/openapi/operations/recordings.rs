//! The routes of the function `recording`.

use domain::error::reason;

use super::Operation;
use crate::openapi::schemas::Schemas;
use crate::recordings::{PlaybackResponse, Recording, RecordingRequest, RecordingsResponse};

pub(super) fn all(schemas: &mut Schemas) -> Vec<Operation> {
    let function = "recording";
    let recording = schemas.response::<Recording>();
    let control = |route, id, summary, text| {
        Operation::new(function, route, id, summary)
            .answers(200, text, recording.clone())
            .fails(&[reason::PROVIDER_ONLY.erase(), reason::RECORDING_NOT_FOUND.erase()])
    };
    let ended = reason::RECORDING_ENDED.erase();
    let consent = reason::CONSENT_REQUIRED.erase();
    let list = reason::RECORDING_RIGHT_MISSING.erase();
    let not_found = reason::RECORDING_NOT_FOUND.erase();
    vec![
        Operation::new(
            function,
            "POST /appointments/{appointmentId}/call/recordings",
            "startRecording",
            "Start to record the call, or get the recording that goes on",
        )
        .answers(200, "It was being recorded already.", recording.clone())
        .answers(201, "The recording was started.", recording.clone())
        .fails(&[
            reason::PROVIDER_ONLY.erase(),
            reason::NO_ACTIVE_CALL.erase(),
            consent,
            reason::RECORDING_PAUSED.erase(),
            ended,
            reason::RECORDING_CAPACITY.erase(),
            reason::CALLS_THROTTLED.erase(),
        ]),
        Operation::new(
            function,
            "DELETE /appointments/{appointmentId}/call/recordings",
            "withdrawRecording",
            "Withdraw the request for a recording that waits for consent",
        )
        .answers(
            200,
            "It does not stand any more, also when it did not before.",
            schemas.response::<RecordingRequest>(),
        )
        .fails(&[reason::PROVIDER_ONLY.erase(), reason::NO_ACTIVE_CALL.erase()]),
        control(
            "POST /recordings/{recordingId}/stop",
            "stopRecording",
            "Stop a recording for good",
            "It has ended, also when it had before.",
        ),
        control(
            "POST /recordings/{recordingId}/pause",
            "pauseRecording",
            "Pause a recording",
            "It is paused, also when it was before.",
        )
        .fails(&[ended]),
        control(
            "POST /recordings/{recordingId}/resume",
            "resumeRecording",
            "Resume a recording that is paused",
            "It goes on, also when it did before.",
        )
        .fails(&[ended, consent, reason::NO_ACTIVE_CALL.erase()]),
        Operation::new(
            function,
            "GET /appointments/{appointmentId}/recordings",
            "listRecordings",
            "The recordings of an appointment",
        )
        .answers(200, "The recordings.", schemas.response::<RecordingsResponse>())
        .fails(&[list]),
        Operation::new(function, "GET /recordings/{recordingId}", "getRecording", "A recording")
            .answers(200, "The recording.", recording.clone())
            .fails(&[list, not_found]),
        Operation::new(
            function,
            "GET /recordings/{recordingId}/playback",
            "playRecording",
            "Links to the files of a recording, for 15 minutes",
        )
        .flag("download", "`true`: links that save the files, for callers with the right `download`.")
        .answers(200, "The links.", schemas.response::<PlaybackResponse>())
        .fails(&[list, not_found, reason::RECORDING_NOT_READY.erase()]),
        Operation::new(
            function,
            "DELETE /recordings/{recordingId}",
            "deleteRecording",
            "Delete a recording that need not be kept any more",
        )
        .answers(202, "Its files are being deleted, all versions.", recording)
        .fails(&[
            list,
            not_found,
            reason::RECORDING_NOT_ENDED.erase(),
            reason::RECORDING_RETAINED.erase(),
            reason::RECORDING_ON_HOLD.erase(),
        ]),
    ]
}
