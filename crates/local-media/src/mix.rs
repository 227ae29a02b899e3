//! The sound of one meeting without I/O: each participant hears the sum of the others. Time is the number of ticks of 20 ms.
//!
//! Each receiver has an encoder of its own, also while two of them hear the same: an Opus decoder follows the state of one encoder,
//! so that a receiver who changes between a shared one and its own (at each mute) would hear a disturbance. An encoding takes 0.15 ms.

mod level;
mod opus;
mod source;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use bytes::Bytes;
use tracing::warn;

use self::level::Meter;
#[cfg(test)]
pub(crate) use self::opus::Decoder;
use self::opus::Frame;
pub(crate) use self::opus::{Encoder, FRAME_SAMPLES, OpusError};
use self::source::Source;
pub use self::source::SourceCounters;

pub(crate) type ParticipantKey = u64;

/// 20 ms for one participant.
#[derive(Clone, Debug)]
pub(crate) struct Mixed {
    pub(crate) participant: ParticipantKey,
    pub(crate) packet: Bytes,
    /// In units of 1/48,000 s since the meeting's sound began.
    pub(crate) rtp_time: u64,
    /// -dBov: 0 is the loudest, 127 silence.
    pub(crate) level: u8,
}

/// The sources that a participant receives. Their own group's they never do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hears {
    Nothing,
    /// Everyone, but not the screens that are shared.
    People,
    Everything,
}

impl From<bool> for Hears {
    fn from(hears: bool) -> Self {
        if hears { Self::Everything } else { Self::Nothing }
    }
}

struct Participant {
    /// Whether it is a shared screen.
    content: bool,
    /// Participants of one group do not hear each other: somebody and the screen that they share.
    group: Arc<str>,
    source: Source,
    encoder: Encoder,
    meter: Meter,
    /// Of the last tick.
    energy: f64,
}

#[derive(Default)]
pub(crate) struct Mix {
    participants: BTreeMap<ParticipantKey, Participant>,
    ticks: u64,
    /// The sum of the last tick.
    total: Sum,
    tap: Option<Tap>,
}

/// The encoder of the mix of all, and the tick that it last encoded.
struct Tap {
    encoder: Encoder,
    tick: u64,
}

/// Sums of the sources of one kind.
#[derive(Default)]
struct Sums {
    total: Sum,
    groups: BTreeMap<Arc<str>, Sum>,
}

impl Sums {
    fn add(&mut self, group: &Arc<str>, frame: &Frame) {
        self.total.add(frame);
        self.groups.entry(Arc::clone(group)).or_default().add(frame);
    }

    fn without(&self, group: &str) -> Sum {
        let mut sum = self.total.clone();
        if let Some(own) = self.groups.get(group) {
            sum.subtract(own);
        }
        sum
    }
}

/// A sum of frames. 65,536 of them fit into an i32, and a group's sum can be taken out again exactly.
#[derive(Clone)]
struct Sum([i32; FRAME_SAMPLES]);

impl Default for Sum {
    fn default() -> Self {
        Self([0; FRAME_SAMPLES])
    }
}

impl Sum {
    fn add(&mut self, frame: &Frame) {
        for (sum, &sample) in self.0.iter_mut().zip(frame) {
            *sum += i32::from(sample);
        }
    }

    fn extend(&mut self, other: &Self) {
        for (sum, &sample) in self.0.iter_mut().zip(&other.0) {
            *sum += sample;
        }
    }

    fn subtract(&mut self, other: &Self) {
        for (sum, &sample) in self.0.iter_mut().zip(&other.0) {
            *sum -= sample;
        }
    }

    /// Saturated: clipped, not wrapped around.
    #[expect(clippy::cast_possible_truncation, reason = "clamped to the range of i16")]
    fn frame(&self) -> Frame {
        self.0.map(|sum| sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
    }
}

impl Mix {
    /// Adds a participant, or starts again one that is there (a new connection needs an encoder without a past).
    pub(crate) fn add(&mut self, participant: ParticipantKey, group: &str, content: bool) {
        let new = Participant {
            content,
            group: group.into(),
            source: Source::new(),
            encoder: Encoder::new(),
            meter: Meter::default(),
            energy: 0.0,
        };
        self.participants.insert(participant, new);
    }

    pub(crate) fn remove(&mut self, participant: ParticipantKey) {
        self.participants.remove(&participant);
    }

    /// Takes a packet of a participant who may send; the caller drops the others'. A packet of somebody who has left is ignored.
    pub(crate) fn push(&mut self, participant: ParticipantKey, packet: &[u8], rtp_time: u64) {
        if let Some(participant) = self.participants.get_mut(&participant) {
            participant.source.push(packet, rtp_time);
        }
    }

    /// Empties the queue of a participant who was muted: the next tick is without them.
    pub(crate) fn silence(&mut self, participant: ParticipantKey) {
        if let Some(participant) = self.participants.get_mut(&participant) {
            participant.source.reset();
        }
    }

    /// Advances by 20 ms and gives one packet for each participant who hears anything by `hears`, also if all are silent: a client
    /// takes a pause for loss.
    pub(crate) fn tick<H: Into<Hears>>(&mut self, hears: impl Fn(ParticipantKey) -> H) -> Vec<Mixed> {
        self.ticks += 1;
        let (mut people, mut contents) = (Sums::default(), Sums::default());
        for participant in self.participants.values_mut() {
            let Some(frame) = participant.source.take() else {
                participant.meter.add_silence();
                participant.energy = 0.0;
                continue;
            };
            participant.energy = level::energy(&frame);
            participant.meter.add(&frame);
            let sums = if participant.content { &mut contents } else { &mut people };
            sums.add(&participant.group, &frame);
        }
        self.total = people.total.clone();
        self.total.extend(&contents.total);
        let rtp_time = self.rtp_time();
        let mut packets = Vec::with_capacity(self.participants.len());
        for (&key, participant) in &mut self.participants {
            let mut sum = match hears(key).into() {
                Hears::Nothing => continue,
                Hears::People | Hears::Everything => people.without(&participant.group),
            };
            if hears(key).into() == Hears::Everything {
                sum.extend(&contents.without(&participant.group));
            }
            let frame = sum.frame();
            match participant.encoder.encode(&frame) {
                Ok(packet) => {
                    packets.push(Mixed { participant: key, packet, rtp_time, level: level::of(&frame) });
                }
                Err(error) => warn!(%error, participant = key, "a mix was not encoded"),
            }
        }
        packets
    }

    /// The last tick's mix of all, for a recorder. It is encoded only if it is asked for; after a tick without, a new encoder begins.
    pub(crate) fn mix_of_all(&mut self) -> Result<Bytes, OpusError> {
        if self.tap.as_ref().is_none_or(|tap| tap.tick + 1 != self.ticks) {
            self.tap = Some(Tap { encoder: Encoder::new(), tick: 0 });
        }
        let frame = self.total.frame();
        let tap = self.tap.get_or_insert_with(|| Tap { encoder: Encoder::new(), tick: 0 });
        tap.tick = self.ticks;
        tap.encoder.encode(&frame)
    }

    /// Each participant's loudness since the last call, as -dBov (0 the loudest, 127 silence).
    pub(crate) fn levels(&mut self) -> Vec<(ParticipantKey, u8)> {
        self.participants
            .iter_mut()
            .map(|(&key, participant)| (key, mem::take(&mut participant.meter).level()))
            .collect()
    }

    /// The mean square of each person's sound in the last tick, 1.0 being the loudest; not of shared screens.
    pub(crate) fn energies(&self) -> impl Iterator<Item = (ParticipantKey, f64)> {
        let people = self.participants.iter().filter(|(_, participant)| !participant.content);
        people.map(|(&key, participant)| (key, participant.energy))
    }

    /// A participant's frames that wait, a part of one included; never above `MAX_QUEUED_FRAMES`.
    pub(crate) fn queued(&self, participant: ParticipantKey) -> u64 {
        self.participants
            .get(&participant)
            .map_or(0, |participant| participant.source.queued_samples().div_ceil(FRAME_SAMPLES as u64))
    }

    pub(crate) fn counters(&self, participant: ParticipantKey) -> Option<SourceCounters> {
        self.participants.get(&participant).map(|participant| participant.source.counters())
    }

    fn rtp_time(&self) -> u64 {
        (self.ticks - 1) * FRAME_SAMPLES as u64
    }
}
