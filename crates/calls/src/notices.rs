//! Notices: what the host application is told, after the change that it tells of.

use bus::MOST;
use domain::Error;
use domain::notice::Notice;
use time::OffsetDateTime;

use crate::Calls;

/// How many notices are taken at once.
const AT_ONCE: usize = 100;

/// How many times a run looks for notices that wait.
const MOST_ROUNDS: usize = 10;

impl Calls {
    /// Sends a notice that was just written. The change it tells of has happened and is answered whatever becomes of this:
    /// what is not sent now, the schedule sends.
    pub(crate) async fn tell(&self, notice: Option<Notice>, now: OffsetDateTime) {
        let Some(notice) = notice else { return };
        if let Err(error) = self.send(&[notice], now).await {
            tracing::warn!(error = %error, "a notice is left for the schedule");
        }
    }

    /// Sends notices that wait, the oldest first, and answers how many were sent.
    ///
    /// # Errors
    /// 503 when the bus or the database is down: what waits stays, and goes later.
    pub(crate) async fn tell_waiting(&self, now: OffsetDateTime) -> Result<usize, Error> {
        let mut told = 0;
        for _ in 0..MOST_ROUNDS {
            let notices = self.store.lease_notices(AT_ONCE, now).await?;
            if !notices.is_empty() {
                told += self.send(&notices, now).await?;
            }
            if notices.len() < AT_ONCE {
                break;
            }
        }
        Ok(told)
    }

    async fn send(&self, notices: &[Notice], now: OffsetDateTime) -> Result<usize, Error> {
        let (mut told, mut failure) = (Vec::new(), None);
        for some in notices.chunks(MOST) {
            match self.bus.put(some).await {
                Ok(taken) => {
                    told.extend(some.iter().zip(taken).filter_map(|(notice, taken)| taken.then_some(notice)));
                }
                // The bus is down: the rest would wait for it in vain.
                Err(error) => {
                    failure = Some(error);
                    break;
                }
            }
        }
        if !told.is_empty() {
            self.store.mark_notices(&told, now).await?;
        }
        match failure {
            Some(error) => Err(error.into()),
            None if told.len() < notices.len() => {
                let source = "EventBridge took only some of the notices".into();
                Err(Error::Unavailable { backend: "events", source })
            }
            None => Ok(told.len()),
        }
    }
}
