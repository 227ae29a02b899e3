//! When the engine tells: what happens in a meeting waits here until it is due on the cloud's clock.

use std::collections::BTreeMap;

use serde_json::Value;

/// How soon an event reaches the bus, at the earliest and at the latest.
const DELAYS_MS: std::ops::Range<i64> = 200..3000;

/// One event of so many comes twice.
const ONE_IN: u32 = 8;

/// What the engine tells by itself, beside what the control API lets happen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Telling {
    /// Nothing.
    #[default]
    Nothing,
    /// What happens, when it happens, in order and once.
    AtOnce,
    /// As Chime does: 0.2 to 3 s late, so out of order, and now and then twice; the control API's events too.
    AsChimeDoes {
        /// Of the random numbers; the same happenings in the same order are told alike.
        seed: u64,
    },
}

/// Events on their way to the bus, the next one first.
#[derive(Debug)]
pub(super) struct Waiting {
    telling: Telling,
    random: fastrand::Rng,
    /// By when they are due and in which order they came.
    events: BTreeMap<(i64, u64), Value>,
    came: u64,
}

impl Waiting {
    pub(super) fn new(telling: Telling) -> Self {
        let seed = match telling {
            Telling::AsChimeDoes { seed } => seed,
            Telling::Nothing | Telling::AtOnce => 0,
        };
        Self { telling, random: fastrand::Rng::with_seed(seed), events: BTreeMap::new(), came: 0 }
    }

    /// Takes an event that happened at the given time.
    pub(super) fn take(&mut self, event: &Value, at_ms: i64) {
        match self.telling {
            Telling::Nothing | Telling::AtOnce => self.put(event, at_ms),
            Telling::AsChimeDoes { .. } => {
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

    /// What is due by now, in order.
    pub(super) fn due(&mut self, now_ms: i64) -> Vec<Value> {
        let later = self.events.split_off(&(now_ms + 1, 0));
        std::mem::replace(&mut self.events, later).into_values().collect()
    }

    /// When the next one is due.
    pub(super) fn next_ms(&self) -> Option<i64> {
        self.events.first_key_value().map(|((due_ms, _), _)| *due_ms)
    }
}
