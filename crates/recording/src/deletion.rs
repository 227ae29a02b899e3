//! The deletion of recordings: by request after their retention, or by its end.

use api::recordings::Recording;
use domain::Error;
use domain::audit::Origin;
use domain::call::Actor;
use domain::error::reason;
use domain::id::{CaptureId, RecordingId};
use domain::recording::RecordingState;
use domain::recording::rights::Right;
use objects::Deleted;
use tokio::time::Instant;

use crate::App;
use crate::pipelines::CAPTURES;
use crate::segments::{CONCATENATIONS, Outcome, STEP};

/// Recordings whose deletion one run requests.
const MAX_EXPIRED: i64 = 100;

impl App {
    /// Requests the deletion of a recording's files, all versions. May be repeated.
    ///
    /// # Errors
    /// 403 without the right, 404 for one that there is not, 409 while it is not finished or must be kept, 503 when the database is
    /// down.
    pub(crate) async fn delete(
        &self,
        actor: &Actor,
        id: RecordingId,
        origin: &Origin,
    ) -> Result<Recording, Error> {
        let (recording, ended_at, by) = self.deletable(actor, id).await?;
        let ended_at = ended_at.ok_or(Error::conflict(reason::RECORDING_NOT_ENDED))?;
        if ended_at + self.retention > origin.now {
            return Err(Error::conflict(reason::RECORDING_RETAINED));
        }
        let ended_before = origin.now - self.retention;
        self.calls.store().request_deletion(Some(recording), (ended_before, 1), Some(by), origin).await?;
        let (now, on_hold) = self.recording_and_hold(actor, id, Right::Delete).await?;
        match now.state {
            RecordingState::Deleting | RecordingState::Deleted => Ok(now),
            // A legal hold stands, or its files are not all verified yet.
            RecordingState::Recording
            | RecordingState::Paused
            | RecordingState::Processing
            | RecordingState::Ready
            | RecordingState::Incomplete
            | RecordingState::Failed => Err(Error::conflict(if on_hold {
                reason::RECORDING_ON_HOLD
            } else {
                reason::RECORDING_NOT_ENDED
            })),
        }
    }

    /// Requests the deletion of recordings whose retention has ended.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn expire(&self, origin: &Origin) -> Result<(), Error> {
        let ended_before = origin.now - self.retention;
        let requested =
            self.calls.store().request_deletion(None, (ended_before, MAX_EXPIRED), None, origin).await?;
        if requested > 0 {
            tracing::info!(requested, "recordings expired");
        }
        Ok(())
    }

    /// Deletes the files of a recording whose deletion was requested: the verified ones, and what is left of its captures. A legal hold
    /// that was placed after the request stops it.
    ///
    /// # Errors
    /// S3 or the database is down, or a version is under hold: it is deleted later.
    pub(crate) async fn delete_files(&self, id: RecordingId, origin: &Origin) -> Result<Outcome, Error> {
        let until = Instant::now() + STEP;
        let captures = self.calls.store().recording_captures(id).await?;
        let of_capture =
            |capture: &CaptureId| [format!("{CAPTURES}/{capture}/"), format!("{CONCATENATIONS}/{capture}-")];
        let files = captures.iter().flat_map(of_capture).chain([format!("recordings/{id}/")]);
        let mut held = 0;
        for prefix in files {
            let is_on_hold = || async { Ok::<_, Error>(self.calls.store().recording_on_hold(id).await?) };
            match self.objects.delete_unless_held((&prefix, ""), until, is_on_hold).await? {
                Deleted::All { held: of_prefix } => held += of_prefix,
                Deleted::OnHold => return Ok(Outcome::OnHold),
                Deleted::Part => return Ok(Outcome::Unfinished),
            }
        }
        if held > 0 {
            return Err(Error::conflict(reason::RECORDING_ON_HOLD));
        }
        self.calls.store().recording_deleted(id, origin).await?;
        Ok(Outcome::Done)
    }
}
