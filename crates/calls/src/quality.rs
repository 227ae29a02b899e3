//! Quality: what a client tells of its connection.

use domain::Error;
use domain::audit::Origin;
use domain::call::{Actor, Target};
use domain::id::AppointmentId;
use domain::quality::{self, Sample, Summary};
use serde::Serialize;
use store::quality::Merge;

use crate::{Calls, conflict_retry};

/// One person's requests come one after the other, but for a device beside the first and a client that repeats itself.
const MAX_ATTEMPTS: usize = 32;

/// The answer to samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Accepted {
    /// How many were taken.
    pub accepted: usize,
}

impl Calls {
    /// Takes samples of the caller's connection into their summary of this call. Of requests at once none is lost. A
    /// request that is repeated by its client counts again: a summary tells of many samples what few do not change.
    ///
    /// # Errors
    /// 403 for strangers, 404 where no call is on, 409 for who has not been in it, 422 for samples that cannot be, 503
    /// when the database is down.
    pub async fn quality(
        &self,
        actor: &Actor,
        appointment: AppointmentId,
        samples: &[Sample],
        origin: &Origin,
    ) -> Result<Accepted, Error> {
        quality::check(samples)?;
        let view = self.load_view(actor, Target::Appointment(appointment), None).await?;
        let (session, user) = quality::may_tell(&view)?;
        let new = Summary::of(samples, &origin.request_id)?;
        let mut all = new.clone();
        let mut posts = 0;
        for _ in 0..MAX_ATTEMPTS {
            match self.store.merge_quality(session, user, posts, &all).await? {
                Merge::Done => return Ok(Accepted { accepted: samples.len() }),
                // The statement took effect and its answer was lost.
                Merge::Other(Some(stored)) if stored.by == new.by => {
                    return Ok(Accepted { accepted: samples.len() });
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
