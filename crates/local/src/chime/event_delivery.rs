//! Delivery of the engine's events: each waits here until it is due on the cloud's clock.

use std::collections::BTreeMap;

use serde_json::Value;

/// The delay of an event, from the shortest to the longest.
const DELAYS_MS: std::ops::Range<i64> = 200..3000;

/// One event in so many is delivered twice.
const ONE_IN: u32 = 8;

/// The events that the engine sends, and when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EventDelivery {
    /// Only those that the control API makes happen.
    #[default]
    ControlApiOnly,
    /// All events, at once, in order, each once.
    Immediate,
    /// All events as Chime delivers them: 0.2 to 3 s late, hence out of order, and sometimes twice.
    LikeChime {
        /// Seed of the random numbers: the same seed gives the same delays and duplicates.
        seed: u64,
    },
}

/// Events on their way to the bus, the next one first.
#[derive(Debug)]
pub(super) struct Waiting {
    mode: EventDelivery,
    random: fastrand::Rng,
    /// By due time and order of arrival.
    events: BTreeMap<(i64, u64), Value>,
    came: u64,
}

impl Waiting {
    pub(super) fn new(mode: EventDelivery) -> Self {
        let seed = match mode {
            EventDelivery::LikeChime { seed } => seed,
            EventDelivery::ControlApiOnly | EventDelivery::Immediate => 0,
        };
        Self { mode, random: fastrand::Rng::with_seed(seed), events: BTreeMap::new(), came: 0 }
    }

    /// Takes an event that happened at the given time.
    pub(super) fn take(&mut self, event: &Value, at_ms: i64) {
        match self.mode {
            EventDelivery::ControlApiOnly | EventDelivery::Immediate => self.put(event, at_ms),
            EventDelivery::LikeChime { .. } => {
                let times = if self.random.u32(..ONE_IN) == 0 { 2 } else { 1 };
                for _ in 0..times {
                    let delay_ms = self.random.i64(DELAYS_MS);
                    self.put(event, at_ms + delay_ms);
                }
            }
        }
    }

    fn put(&mut self, event: &Value, due_ms: i64) {
        self.came += 1;
        self.events.insert((due_ms, self.came), event.clone());
    }

    /// Removes and returns the due events, in order.
    pub(super) fn due(&mut self, now_ms: i64) -> Vec<Value> {
        let later = self.events.split_off(&(now_ms + 1, 0));
        std::mem::replace(&mut self.events, later).into_values().collect()
    }

    /// When the next one is due.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.events.first_key_value().map(|((due_ms, _), _)| *due_ms)
    }
}
