//! The provider's requests on the recording of a call.

use crate::id::{RecordingId, UserId};
use crate::recording::permission::Permission;
use crate::recording::plan::{Call, RecordingChange, Snapshot};
use crate::recording::{EndReason, Intent, OpenRecording, PauseReason};

/// A request of the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Starts a recording with this id, unless one is open.
    Start(RecordingId),
    Stop(RecordingId),
    Pause(RecordingId),
    Resume(RecordingId),
}

/// Why a request is refused. Each is a 409, but the first is a 404.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    NoActiveCall,
    /// Consent of these users is missing; empty where nobody is in the call.
    ConsentRequired(Vec<UserId>),
    /// A recording is paused: it is resumed, or stopped first.
    Paused(RecordingId),
    /// The recording has ended: another one is started instead.
    Ended,
}

/// What a request changes. A request that was executed before changes nothing.
///
/// # Errors
/// A [`Refusal`].
pub fn decide(snapshot: &Snapshot, request: Request) -> Result<Option<RecordingChange>, Refusal> {
    let of = |id: RecordingId| snapshot.recording.filter(|open| open.id == id);
    match request {
        Request::Start(id) => {
            may_record(snapshot)?;
            match snapshot.recording {
                None => Ok(Some(RecordingChange::Begin { id, automatic: false })),
                Some(OpenRecording { id, intent: Intent::Paused, .. }) => Err(Refusal::Paused(id)),
                Some(_) => Ok(None),
            }
        }
        Request::Stop(id) => Ok(of(id).map(|_| RecordingChange::End(EndReason::Requested))),
        Request::Pause(id) => match of(id).ok_or(Refusal::Ended)?.intent {
            Intent::Recording => Ok(Some(RecordingChange::Pause(PauseReason::Requested))),
            Intent::Paused | Intent::Ended => Ok(None),
        },
        Request::Resume(id) => match of(id).ok_or(Refusal::Ended)?.intent {
            Intent::Recording => Ok(None),
            Intent::Paused => may_record(snapshot).map(|()| Some(RecordingChange::Resume)),
            Intent::Ended => Err(Refusal::Ended),
        },
    }
}

fn may_record(snapshot: &Snapshot) -> Result<(), Refusal> {
    if snapshot.call == Call::Over {
        return Err(Refusal::NoActiveCall);
    }
    match &snapshot.permissions.recording {
        Permission::Allowed => Ok(()),
        missing => Err(Refusal::ConsentRequired(missing.missing().to_vec())),
    }
}
