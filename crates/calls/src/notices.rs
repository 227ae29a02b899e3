//! Notices: what the host application is told, after the change that it tells of.

use bus::MOST;
use domain::Error;
use domain::outbound::OutboundEvent;
use time::OffsetDateTime;
use tokio::time::Instant;

use crate::Calls;

/// How many times a run looks for notices that wait.
const MOST_ROUNDS: usize = 100;

impl Calls {
    /// Sends a notice that was just written. The change it tells of has happened and is answered whatever becomes of this:
    /// what is not sent now, the schedule sends.
    pub(crate) async fn tell(&self, notice: Option<OutboundEvent>, now: OffsetDateTime) {
        let Some(notice) = notice else { return };
        match self.send(&[notice], now).await {
            Ok(1) => {}
            Ok(_) => tracing::warn!("a notice is left for the schedule: the bus did not take it"),
            Err(error) => tracing::warn!(error = %error, "a notice is left for the schedule"),
        }
    }

    /// Sends notices that wait, the oldest first, as long as there is time, and answers how many were sent.
    ///
    /// # Errors
    /// 503 when the bus or the database is down: what waits stays, and goes later.
    pub(crate) async fn tell_waiting(&self, now: OffsetDateTime, ends: Instant) -> Result<usize, Error> {
        let (mut told, mut refused) = (0, 0);
        for _ in 0..MOST_ROUNDS {
            if Instant::now() >= ends {
                tracing::warn!(told, "the rest of the notices is left for the schedule");
                break;
            }
            let notices = self.store.lease_notices(MOST, now).await?;
            if notices.is_empty() {
                break;
            }
            let taken = self.send(&notices, now).await?;
            told += taken;
            refused += notices.len() - taken;
            if notices.len() < MOST {
                break;
            }
        }
        if refused > 0 {
            let source = format!("EventBridge refused {refused} of the notices").into();
            return Err(Error::Unavailable { backend: "events", source });
        }
        Ok(told)
    }

    /// Answers how many the bus took. Those are marked at once, so that they are told once more only if this dies in between.
    async fn send(&self, notices: &[OutboundEvent], now: OffsetDateTime) -> Result<usize, Error> {
        let taken = self.bus.put(notices).await?;
        let told: Vec<&OutboundEvent> =
            notices.iter().zip(taken).filter_map(|(notice, taken)| taken.then_some(notice)).collect();
        if !told.is_empty() {
            self.store.mark_notices(&told, now).await?;
        }
        Ok(told.len())
    }
}
