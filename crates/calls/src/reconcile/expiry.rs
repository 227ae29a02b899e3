//! The job that ends what has expired: participants who vanished, and calls without participants or with one who was forgotten.

use domain::Error;
use domain::audit::Origin;
use domain::expiry::Limits;
use store::expiry::Expired;

use crate::Calls;

/// Participants, and calls, that one run ends. The operations that follow are executed by this run and the next ones.
const MAX_EXPIRED: i64 = 50;

impl Calls {
    /// Ends what has expired. The attendees and meetings are deleted by pending operations.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(super) async fn expire(&self, origin: &Origin) -> Result<Expired, Error> {
        let limits = Limits::at(origin.now, self.settings.forgotten_after);
        Ok(self.store.expire(&limits, MAX_EXPIRED, origin).await?)
    }
}
