//! Media pipelines of the account that belong to no open capture.

use chime::{Pipeline, PipelineStatus};
use domain::Error;
use domain::id::{CaptureId, PipelineId};
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::App;
use crate::pipelines::capture_of;

/// Pipelines that a run looks at for certain: 50 requests take a few seconds.
const STEP: usize = 50;

/// The number of a run, of which there is one in so many minutes.
pub(crate) fn run_number(now: OffsetDateTime, minutes: u8) -> usize {
    usize::try_from(now.unix_timestamp() / (60 * i64::from(minutes))).unwrap_or_default()
}

/// A list as a run begins with it, each run `step` elements further on: where one has no time for all, the next ones look at the rest.
pub(crate) fn rotated<T>(mut list: Vec<T>, step: usize, run: usize) -> Vec<T> {
    let length = list.len().max(1);
    list.rotate_left((run % length) * (step % length) % length);
    list
}

impl App {
    /// The pipelines of the account, in the order of a run.
    async fn pipelines_of_run(&self, region: &str, run: usize) -> Result<Vec<PipelineId>, Error> {
        Ok(rotated(self.calls.pipelines().list(region).await?, STEP, run))
    }

    /// The pipeline whose sink is a capture's, among those of the account.
    pub(crate) async fn listed(
        &self,
        region: &str,
        capture: CaptureId,
        now: OffsetDateTime,
    ) -> Result<Option<Pipeline>, Error> {
        for id in self.pipelines_of_run(region, run_number(now, 1)).await? {
            let Some(pipeline) = self.calls.pipelines().get(region, id).await? else { continue };
            let sink = pipeline.sink_arn.as_deref();
            if sink.and_then(|sink| capture_of(&self.bucket_arn, sink)) == Some(capture) {
                return Ok(Some(pipeline));
            }
        }
        Ok(None)
    }

    /// Deletes media pipelines whose sink is in our bucket and whose capture is not open, and returns how many.
    ///
    /// # Errors
    /// Where Chime or the database is down.
    pub(crate) async fn delete_orphans(&self, until: Instant, run: usize) -> Result<u64, Error> {
        let region = &self.region;
        let mut deleted = 0;
        for id in self.pipelines_of_run(region, run).await? {
            if Instant::now() >= until {
                tracing::warn!("time for captures is over, the rest is left for the next run");
                break;
            }
            let Some(pipeline) = self.calls.pipelines().get(region, id).await? else { continue };
            match pipeline.status {
                PipelineStatus::Starting | PipelineStatus::Running | PipelineStatus::Failed => {}
                // Chime lists it for some minutes more.
                PipelineStatus::Stopping | PipelineStatus::Stopped => continue,
            }
            let capture = pipeline.sink_arn.as_deref().and_then(|sink| capture_of(&self.bucket_arn, sink));
            let Some(capture) = capture else { continue };
            let found = self.calls.store().find_pipeline(Some(id), Some(capture)).await?;
            let is_open = match found {
                None => false,
                Some(found) => {
                    let store = self.calls.store();
                    let view = store.load_session(found.appointment_id, found.session_id).await?;
                    view.captures.capture.is_some_and(|open| open.id == capture)
                }
            };
            if !is_open {
                tracing::warn!(pipeline = %id, capture = %capture, "orphan media pipeline");
                self.delete_pipeline(region, id).await;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_runs_together_look_at_every_element_however_many_there_are() {
        for length in [0, 1, 2, 7, 49, 50, 51, 100, 333] {
            let mut seen = vec![false; length];
            for run in 0..length {
                let list = rotated((0..length).collect(), STEP, run);
                assert_eq!(list.len(), length);
                // A run has time for the step alone.
                list.iter().take(STEP).for_each(|it| seen[*it] = true);
            }
            assert!(seen.iter().all(|it| *it), "{length}");
        }
    }
}
