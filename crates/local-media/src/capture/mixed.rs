//! The mix of a meeting in chunks of exactly 5 s, with its active speaker.

use super::sound::FRAME_US;
use super::speaker::{ActiveSpeaker, Voice};
use super::{CHUNK_US, Timed};

/// Who the active speaker is from this time on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Speaker {
    /// Since the chunk's start.
    pub time_us: u64,
    /// `None` before anybody spoke, and when the last one who did has left.
    pub attendee_id: Option<String>,
}

/// Everybody's sound, whether they have a camera or not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MixChunk {
    /// From 0 without gaps.
    pub index: u32,
    /// Since the capture's start: 5 s times the index.
    pub started_us: u64,
    /// 5 s; the last chunk ends with its last frame.
    pub duration_us: u64,
    /// Opus packets of 20 ms at multiples of 20 ms. One is missing where the server was held up: there is silence.
    pub sound: Vec<Timed>,
    /// Those who were the active speaker. The first is that of the chunk's start.
    pub speakers: Vec<Speaker>,
}

pub(super) struct Mixed {
    open: MixChunk,
    speaker: ActiveSpeaker,
    new_speaker: Option<String>,
}

impl Default for Mixed {
    fn default() -> Self {
        Self { open: MixChunk::new(0, None), speaker: ActiveSpeaker::default(), new_speaker: None }
    }
}

impl Mixed {
    /// Takes a frame with its time since the capture's start, and gives the chunks that are complete with it.
    pub(super) fn push(&mut self, frame: Timed, voices: &[Voice<'_>]) -> Vec<MixChunk> {
        let mut complete = Vec::new();
        while frame.time_us >= self.open.end_us() {
            complete.push(self.close());
        }
        let time_us = frame.time_us - self.open.started_us;
        if self.speaker.tick(frame.time_us, voices) {
            self.new_speaker = self.speaker.attendee_id();
            // At the chunk's start it replaces the entry that is there.
            self.open.speakers.retain(|before| before.time_us < time_us);
            self.open.speakers.push(Speaker { time_us, attendee_id: self.speaker.attendee_id() });
        }
        self.open.sound.push(Timed { time_us, ..frame });
        if time_us + FRAME_US >= CHUNK_US {
            complete.push(self.close());
        }
        complete
    }

    /// The attendee who has become the active speaker since the last call.
    pub(super) fn take_new_speaker(&mut self) -> Option<String> {
        self.new_speaker.take()
    }

    /// The last chunk, if it has sound.
    pub(super) fn finish(self) -> Option<MixChunk> {
        let duration_us = self.open.sound.last()?.time_us + FRAME_US;
        Some(MixChunk { duration_us, ..self.open })
    }

    fn close(&mut self) -> MixChunk {
        let next = MixChunk::new(self.open.index + 1, self.speaker.attendee_id());
        std::mem::replace(&mut self.open, next)
    }
}

impl MixChunk {
    fn new(index: u32, speaker: Option<String>) -> Self {
        Self {
            index,
            started_us: u64::from(index) * CHUNK_US,
            duration_us: CHUNK_US,
            sound: Vec::new(),
            speakers: vec![Speaker { time_us: 0, attendee_id: speaker }],
        }
    }

    fn end_us(&self) -> u64 {
        self.started_us + self.duration_us
    }
}
