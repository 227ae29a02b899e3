//! The cloud's clock: real time plus an offset that tests and developers move forward.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use time::OffsetDateTime;
use tokio::sync::watch;

/// Time as everything in the local cloud sees it. Cheap to clone; all clones move together.
#[derive(Clone, Debug)]
pub struct Clock {
    offset_ms: Arc<AtomicI64>,
    /// When it was moved, in real milliseconds, and by how much until then.
    moves_before: Arc<Mutex<Vec<(i64, i64)>>>,
    moved: Arc<watch::Sender<()>>,
    /// The time without the offset, if it does not pass by itself.
    stopped_at_ms: Option<i64>,
}

impl Default for Clock {
    fn default() -> Self {
        Self {
            offset_ms: Arc::default(),
            moves_before: Arc::default(),
            moved: Arc::new(watch::Sender::new(())),
            stopped_at_ms: None,
        }
    }
}

impl Clock {
    /// Only moves forward: for tests of durations.
    #[cfg(test)]
    pub(crate) fn stopped() -> Self {
        Self { stopped_at_ms: Some(Self::default().now_ms()), ..Self::default() }
    }

    /// Milliseconds since 1970, as API Gateway's `timeEpoch` and Chime's event timestamps count them.
    #[must_use]
    pub fn now_ms(&self) -> i64 {
        let real = || OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        let base = self.stopped_at_ms.unwrap_or_else(|| i64::try_from(real()).unwrap_or(i64::MAX));
        base.saturating_add(self.offset_ms.load(Ordering::SeqCst))
    }

    /// The same instant as a date.
    #[must_use]
    pub fn now(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.now_ms()) * 1_000_000)
            .unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// The clock's time at a real moment.
    #[must_use]
    pub fn at(&self, real: OffsetDateTime) -> OffsetDateTime {
        let real_ms = i64::try_from(real.unix_timestamp_nanos() / 1_000_000).unwrap_or(i64::MAX);
        let moves = self.moves_before.lock().unwrap_or_else(PoisonError::into_inner);
        let next_move = moves.iter().find(|(at, _)| *at > real_ms).map(|(_, before)| *before);
        real + time::Duration::milliseconds(
            next_move.unwrap_or_else(|| self.offset_ms.load(Ordering::SeqCst)),
        )
    }

    /// Moves the clock forward and wakes its waiters.
    pub fn advance(&self, seconds: u32) {
        let mut moves = self.moves_before.lock().unwrap_or_else(PoisonError::into_inner);
        let real = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000_000;
        moves.push((i64::try_from(real).unwrap_or(i64::MAX), self.offset_ms.load(Ordering::SeqCst)));
        drop(moves);
        self.offset_ms.fetch_add(i64::from(seconds) * 1000, Ordering::SeqCst);
        self.moved.send_replace(());
    }

    /// Returns when this instant is reached, by waiting or by a move.
    pub async fn reach(&self, instant: OffsetDateTime) {
        let mut moves = self.moves();
        loop {
            // Seen before looking at the clock, so that a move in between is not lost.
            moves.borrow_and_update();
            let Ok(wait) = std::time::Duration::try_from(instant - self.now()) else { return };
            if wait.is_zero() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _moved = moves.changed() => {}
            }
        }
    }

    /// Notifies of each move of the clock.
    #[must_use]
    pub fn moves(&self) -> watch::Receiver<()> {
        self.moved.subscribe()
    }
}
