//! Quality: what a client measured of its connection.

use api::quality::QualityResponse;
use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::id::AppointmentId;
use domain::quality::{self, Sample, Summary};
use store::quality::Merge;

use crate::{Calls, conflict_retry};

/// A participant's requests usually arrive one at a time, except with a second device or a client that retries.
const MAX_ATTEMPTS: usize = 32;

impl Calls {
    /// Merges samples of the caller's connection into the summary of this call. No concurrent request is lost. A
    /// request that its client repeats counts twice, which changes little in a summary of many samples.
    ///
    /// # Errors
    /// 403 for strangers, 404 without an active call, 409 for a member who has not joined it, 422 for invalid
    /// samples, 503 when the database is down.
    pub async fn quality(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        samples: &[Sample],
        origin: &Origin,
    ) -> Result<QualityResponse, Error> {
        quality::check(samples)?;
        let view = self.load_view(actor, Target::Appointment(appointment), None, origin).await?;
        let (session, user) = quality::may_report(&view)?;
        let new = Summary::of(samples, &origin.request_id)?;
        let mut all = new.clone();
        let mut posts = 0;
        for _ in 0..MAX_ATTEMPTS {
            match self.store.merge_quality(session, user, posts, &all).await? {
                Merge::Done => return Ok(QualityResponse { accepted: samples.len() }),
                // The statement took effect and its response was lost.
                Merge::Other(Some(stored)) if stored.by == new.by => {
                    return Ok(QualityResponse { accepted: samples.len() });
                }
                Merge::Other(Some(stored)) => {
                    posts = stored.posts;
                    all = stored.and(&new)?;
                }
                Merge::Other(None) => {}
            }
        }
        Err(conflict_retry())
    }
}
