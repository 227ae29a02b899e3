//! The active speaker by energy: the one whom a recording shows large.

use std::collections::{BTreeMap, VecDeque};

/// Energy is averaged over 400 ms, longer than the pauses between syllables.
const WINDOW_FRAMES: usize = 20;
/// The mean square, 1.0 being the loudest, from which on somebody speaks: -42 dBov, which the SDK shows as volume 0.
const MIN_SPEECH: f64 = 6.3e-5;
/// 3 dB: who is not louder than this does not interrupt.
const INTERRUPTS: f64 = 2.0;
/// Two people who speak at once do not change the picture more often than this.
const MIN_TURN_US: u64 = 1_000_000;

/// A person's sound in one tick. A shared screen has none: it does not speak.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Voice<'a> {
    pub(crate) attendee_id: &'a str,
    /// The mean square; 1.0 is the loudest.
    pub(crate) energy: f64,
}

/// They remain it in silence, until another one speaks or they leave.
#[derive(Default)]
pub(super) struct ActiveSpeaker {
    attendee_id: Option<String>,
    since_us: u64,
    windows: BTreeMap<String, VecDeque<f64>>,
}

impl ActiveSpeaker {
    pub(super) fn attendee_id(&self) -> Option<String> {
        self.attendee_id.clone()
    }

    /// Takes a tick of everyone who is in the meeting; true if another one is the active speaker now.
    pub(super) fn tick(&mut self, time_us: u64, voices: &[Voice<'_>]) -> bool {
        self.windows.retain(|attendee_id, _| voices.iter().any(|voice| voice.attendee_id == attendee_id));
        for voice in voices {
            let window = self.windows.entry(voice.attendee_id.to_owned()).or_default();
            if window.len() == WINDOW_FRAMES {
                window.pop_front();
            }
            window.push_back(voice.energy);
        }
        let next = self.next(time_us);
        let changed = next != self.attendee_id;
        if changed {
            self.attendee_id = next;
            self.since_us = time_us;
        }
        changed
    }

    fn next(&self, time_us: u64) -> Option<String> {
        let means = self.windows.iter().map(|(attendee_id, window)| (attendee_id, mean(window)));
        let loudest = means.max_by(|(_, one), (_, other)| one.total_cmp(other));
        let loudest = loudest.filter(|(_, energy)| *energy >= MIN_SPEECH);
        let current = self.attendee_id.as_ref();
        let Some((current, window)) = current.and_then(|current| self.windows.get_key_value(current)) else {
            return loudest.map(|(attendee_id, _)| attendee_id.clone());
        };
        let energy = mean(window);
        let takes_over = |other: f64| {
            let interrupts = other >= INTERRUPTS * energy && time_us - self.since_us >= MIN_TURN_US;
            energy < MIN_SPEECH || interrupts
        };
        let next =
            loudest.filter(|(_, other)| takes_over(*other)).map_or(current, |(attendee_id, _)| attendee_id);
        Some(next.clone())
    }
}

/// Over a whole window: somebody who has just come was silent before.
#[expect(clippy::cast_precision_loss, reason = "20 frames")]
fn mean(window: &VecDeque<f64>) -> f64 {
    window.iter().sum::<f64>() / WINDOW_FRAMES as f64
}
