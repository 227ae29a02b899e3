//! The taps of a meeting in the server: each is open while somebody takes its chunks. All get the same.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use tokio::sync::mpsc;

use crate::attendee::AttendeeEvent;
use crate::capture::{Capture, SourceId, TapChunk, Voice};
use crate::connection::VideoFrame;
use crate::mix::Mix;

/// Whose tap it is. There is one of each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Owner {
    /// A test.
    ControlApi,
    /// A media pipeline.
    Recorder,
}

#[derive(Default)]
pub(super) struct Taps(BTreeMap<Owner, Open>);

struct Open {
    capture: Capture,
    opened: Instant,
    chunks: mpsc::Sender<TapChunk>,
}

impl Taps {
    pub(super) fn are_open(&self) -> bool {
        !self.0.is_empty()
    }

    pub(super) fn open(&mut self, owner: Owner, chunks: mpsc::Sender<TapChunk>, now: Instant) {
        self.close(owner);
        self.0.insert(owner, Open { capture: Capture::start(0), opened: now, chunks });
    }

    pub(super) fn close(&mut self, owner: Owner) {
        if let Some(Open { capture, chunks, .. }) = self.0.remove(&owner) {
            tracing::debug!(counters = ?capture.counters(), "a tap is closed");
            for chunk in capture.finish() {
                if let Err(error) = chunks.try_send(chunk) {
                    tracing::warn!(%error, "the last chunk of a tap was not taken");
                }
            }
        }
    }

    pub(super) fn close_all(&mut self) {
        self.close(Owner::ControlApi);
        self.close(Owner::Recorder);
    }

    /// Takes a frame that is forwarded to others.
    pub(super) fn video(&mut self, attendee_id: &str, content: bool, frame: &VideoFrame, now: Instant) {
        for open in self.0.values_mut() {
            let now_us = open.microseconds(now);
            open.capture.video(attendee_id, content, frame, now_us);
        }
    }

    /// A camera that stops completes its chunk.
    pub(super) fn happened(&mut self, attendee_id: &str, event: AttendeeEvent) {
        match event {
            AttendeeEvent::VideoStopped => self.source_ended(attendee_id, false),
            AttendeeEvent::ContentVideoStopped => {
                self.source_ended(attendee_id.strip_suffix("#content").unwrap_or(attendee_id), true);
            }
            AttendeeEvent::Joined
            | AttendeeEvent::Left
            | AttendeeEvent::Dropped
            | AttendeeEvent::VideoStarted
            | AttendeeEvent::ContentJoined
            | AttendeeEvent::ContentLeft
            | AttendeeEvent::ContentDropped
            | AttendeeEvent::ContentVideoStarted => {}
        }
    }

    pub(super) fn source_ended(&mut self, attendee_id: &str, content: bool) {
        for open in self.0.values_mut() {
            open.capture.stop(attendee_id, content);
        }
    }

    /// Takes the mix of the tick that was due at `at`, and gives the sources that must be asked for a key frame.
    pub(super) fn tick(
        &mut self,
        mix: &mut Mix,
        voices: &[Voice<'_>],
        at: Instant,
        now: Instant,
    ) -> BTreeSet<SourceId> {
        if !self.are_open() {
            return BTreeSet::new();
        }
        let packet = mix.mix_of_all();
        if let Err(error) = &packet {
            tracing::warn!(%error, "the mix for the taps was not encoded");
        }
        let mut wanted = BTreeSet::new();
        self.0.retain(|_, open| {
            let at_us = open.microseconds(at);
            if let Ok(packet) = &packet {
                open.capture.sound(packet.clone(), voices, at_us);
            }
            for chunk in open.capture.chunks() {
                if let Err(error) = open.chunks.try_send(chunk) {
                    if matches!(error, mpsc::error::TrySendError::Full(_)) {
                        tracing::warn!("a tap is closed: nobody takes its chunks");
                    }
                    return false;
                }
            }
            let now_us = open.microseconds(now);
            wanted.extend(open.capture.want_keyframes(now_us));
            true
        });
        wanted
    }
}

impl Open {
    fn microseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.opened).as_micros()).unwrap_or(u64::MAX)
    }
}
