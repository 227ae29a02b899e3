//! The tap of a meeting in the server: open while a recorder takes its chunks.

use std::time::Instant;

use tokio::sync::mpsc;

use crate::attendee::AttendeeEvent;
use crate::capture::{Capture, SourceId, TapChunk, Voice};
use crate::connection::VideoFrame;
use crate::mix::Mix;

#[derive(Default)]
pub(super) struct Tap(Option<Open>);

struct Open {
    capture: Capture,
    opened: Instant,
    chunks: mpsc::Sender<TapChunk>,
}

impl Tap {
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    pub(super) fn open(&mut self, chunks: mpsc::Sender<TapChunk>, now: Instant) {
        self.close();
        self.0 = Some(Open { capture: Capture::start(0), opened: now, chunks });
    }

    pub(super) fn close(&mut self) {
        if let Some(Open { capture, chunks, .. }) = self.0.take() {
            tracing::debug!(counters = ?capture.counters(), "a tap is closed");
            for chunk in capture.finish() {
                if let Err(error) = chunks.try_send(chunk) {
                    tracing::warn!(%error, "the last chunk of a tap was not taken");
                }
            }
        }
    }

    /// Takes a frame that is forwarded to others.
    pub(super) fn video(&mut self, attendee_id: &str, content: bool, frame: &VideoFrame, now: Instant) {
        if let Some(open) = &mut self.0 {
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
        if let Some(open) = &mut self.0 {
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
    ) -> Vec<SourceId> {
        let Some(open) = &mut self.0 else { return Vec::new() };
        let at_us = open.microseconds(at);
        match mix.mix_of_all() {
            Ok(packet) => open.capture.sound(packet, voices, at_us),
            Err(error) => tracing::warn!(%error, "the mix for the tap was not encoded"),
        }
        for chunk in open.capture.chunks() {
            if let Err(error) = open.chunks.try_send(chunk) {
                if matches!(error, mpsc::error::TrySendError::Full(_)) {
                    tracing::warn!("a tap is closed: nobody takes its chunks");
                }
                self.0 = None;
                return Vec::new();
            }
        }
        let now_us = open.microseconds(now);
        open.capture.want_keyframes(now_us)
    }
}

impl Open {
    fn microseconds(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.opened).as_micros()).unwrap_or(u64::MAX)
    }
}
