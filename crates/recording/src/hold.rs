//! Legal holds on the files of an appointment. The row of the hold decides what may be deleted; S3's legal hold on every version keeps the
//! files from whoever else may delete them.

use domain::Error;
use domain::audit::Origin;
use domain::id::AppointmentId;
use domain::operation::ApplyHold;
use objects::Marker;
use serde::Deserialize as _;
use store::holds::{HoldFiles, HoldPass};
use tokio::time::Instant;

use crate::App;
use crate::pipelines::{CAPTURES, SPEECH};
use crate::segments::{CONCATENATIONS, Outcome, STEP};

impl App {
    /// Places the legal hold on every version of an appointment's files, or takes it off: verified files, chunks, what Chime has
    /// concatenated, and the outputs of Transcribe's jobs. A pass that was cut off, or whose time was over, is continued from where it came.
    ///
    /// # Errors
    /// Where S3 or the database is down.
    pub(crate) async fn apply_hold(
        &self,
        appointment: AppointmentId,
        pass: &ApplyHold,
        origin: &Origin,
    ) -> Result<Outcome, Error> {
        let files = self.calls.store().hold_files(appointment, pass).await?;
        let mut versions = files.pass.as_ref().map_or(0, |pass| pass.versions);
        let session = self.holds.begin().await?;
        let until = Instant::now() + STEP;
        for prefix in prefixes(&files) {
            let from = match &files.pass {
                // Files that were added before it are of a later change, which has a pass of its own.
                Some(reached) if prefix < reached.prefix => continue,
                Some(HoldPass { prefix: reached, marker, .. }) if prefix == *reached => match marker {
                    None => continue,
                    Some(marker) => Some(Marker::deserialize(marker).map_err(Error::internal)?),
                },
                Some(_) | None => None,
            };
            let progress = session.hold(&prefix, pass.on, from, until).await?;
            versions += progress.done;
            let is_over = progress.next.is_some() || Instant::now() >= until;
            if progress.done > 0 || is_over {
                let marker = progress.next.map(serde_json::to_value).transpose().map_err(Error::internal)?;
                let at = HoldPass { change: pass.change, prefix, marker, versions };
                self.calls.store().advance_hold(pass, versions, Some(&at), origin).await?;
            }
            if is_over {
                return Ok(Outcome::Unfinished);
            }
        }
        self.calls.store().advance_hold(pass, versions, None, origin).await?;
        tracing::info!(on = pass.on, versions, "legal hold applied to files");
        Ok(Outcome::Done)
    }
}

/// The prefixes of an appointment's files, in the order of a pass.
fn prefixes(files: &HoldFiles) -> Vec<String> {
    let of_capture = files.captures.iter().flat_map(|capture| {
        [
            format!("{CAPTURES}/{capture}/"),
            format!("{SPEECH}/{capture}/"),
            format!("{CONCATENATIONS}/{capture}-"),
        ]
    });
    let of_recording = files.recordings.iter().map(|recording| format!("recordings/{recording}/"));
    // The outputs of Transcribe's jobs.
    let of_transcript = files.transcripts.iter().map(|transcript| format!("transcripts/{transcript}/"));
    let mut all: Vec<_> = of_capture.chain(of_recording).chain(of_transcript).collect();
    all.sort();
    all
}
