//! The media that are sent to a participant: the mix, the videos that they are subscribed to, and requests for a key frame of their camera.

use std::time::{Duration, Instant};

use str0m::RtcError;
use str0m::format::{Codec, PayloadParams};
use str0m::media::{Frequency, KeyframeRequestKind, MediaTime, Mid, Pt};
use tracing::debug;

use crate::sdp::{self, Section};

use super::subscription::{Subscription, Verdict};
use super::{Connection, ConnectionError, ConnectionEvent, Poll, State, Track, VideoFrame, mid_of};

/// The interval between two requests to a camera because frames of it are missing.
const CAMERA_REQUEST_INTERVAL: Duration = Duration::from_millis(300);
/// -127 dBov, which is silence: <https://www.rfc-editor.org/rfc/rfc6464#section-3>.
const SILENCE: u8 = 127;

impl Connection {
    /// Sends an Opus packet. `rtp_time` is in ticks of 48 kHz, `level` in -dBov.
    pub(crate) fn send_audio(&mut self, packet: &[u8], rtp_time: u64, level: Option<u8>, now: Instant) {
        self.engine.set_now(now);
        let Some(mid) = self.audio.filter(|_| self.state == State::Connected) else {
            return;
        };
        let Some(pt) = self.payload_type(mid, Codec::Opus) else {
            return;
        };
        let now = self.engine.now();
        let sent = self.engine.call(|rtc| {
            let Some(mut writer) = rtc.writer(mid) else {
                return Ok(());
            };
            if let Some(level) = level.map(|level| level.min(SILENCE)) {
                writer = writer.audio_level(-level.cast_signed(), level < SILENCE);
            }
            writer.write(pt, now, MediaTime::new(rtp_time, Frequency::FORTY_EIGHT_KHZ), packet)
        });
        self.after_sending(sent);
    }

    /// Sends a frame of `stream_id` to this participant, if they are subscribed to it and its codec was answered. Frames before the first
    /// key frame, and after a gap, are dropped.
    pub(crate) fn send_video(&mut self, stream_id: u32, frame: &VideoFrame) {
        if self.state != State::Connected {
            return;
        }
        let now = self.engine.now();
        for index in 0..self.subscriptions.len() {
            let subscription = &self.subscriptions[index];
            if subscription.stream_id() != Some(stream_id) {
                continue;
            }
            let mid = subscription.mid;
            let Some(pt) = self.payload_type(mid, frame.codec.into()) else {
                continue;
            };
            match self.subscriptions[index].offer(frame, now) {
                Verdict::Drop => {}
                Verdict::Request => self.push(Poll::Event(ConnectionEvent::KeyframeRequested { stream_id })),
                Verdict::Send(rtp_time) => {
                    let sent = self.engine.call(|rtc| {
                        let Some(mut writer) = rtc.writer(mid) else {
                            return Ok(());
                        };
                        if let Some(orientation) = frame.orientation {
                            writer = writer.video_orientation(orientation);
                        }
                        writer.write(pt, now, MediaTime::from_90khz(rtp_time), &frame.data[..])
                    });
                    self.after_sending(sent);
                }
            }
        }
    }

    /// A frame of `stream_id` is not sent to this participant, who has paused the stream or may not receive it for now: frames that follow
    /// are dropped until the next key frame.
    pub(crate) fn skip_video(&mut self, stream_id: u32) {
        let carries = |subscription: &&mut Subscription| subscription.stream_id() == Some(stream_id);
        self.subscriptions.iter_mut().filter(carries).for_each(Subscription::skip);
    }

    /// Asks this participant's camera for a key frame (PLI).
    pub(crate) fn request_keyframe(&mut self) {
        self.request_from_camera();
        self.drain();
    }

    /// Asks for a key frame because frames are missing, and says whether it did. Receivers cannot see that, as packets are numbered anew
    /// for them.
    pub(super) fn request_missing_frames(&mut self) -> bool {
        let now = self.engine.now();
        let waits = self
            .frames_requested_at
            .is_some_and(|at| now.saturating_duration_since(at) < CAMERA_REQUEST_INTERVAL);
        if !waits {
            self.frames_requested_at = Some(now);
            self.request_from_camera();
        }
        !waits
    }

    fn request_from_camera(&mut self) {
        let Some(mid) = self.camera.filter(|_| self.state == State::Connected) else {
            return;
        };
        let asked = self.engine.call(|rtc| match rtc.writer(mid) {
            Some(mut writer) => writer.request_keyframe(None, KeyframeRequestKind::Pli),
            None => Ok(()),
        });
        match asked {
            // The offer names no SSRC and nothing has arrived: a camera begins with a key frame.
            Ok(()) | Err(ConnectionError::Rtc(RtcError::NoReceiverSource(_))) => {}
            Err(error) => debug!(%error, "a key frame cannot be requested"),
        }
        self.engine.advance();
    }

    /// Keeps what is still subscribed, and asks for a key frame of each stream that is new.
    pub(super) fn subscribe(&mut self, sections: &[Section], received: &[(&Section, u32)]) -> Vec<Track> {
        let now = self.engine.now();
        let mut tracks = Vec::new();
        let mut earlier = std::mem::take(&mut self.subscriptions);
        for (section, stream_id) in received {
            let (mid, stream_id) = (mid_of(section), *stream_id);
            let Some(ssrc) = self.sending_ssrc(mid) else {
                continue;
            };
            let mut subscription = match earlier.iter().position(|one| one.mid == mid) {
                None => Subscription::new(mid),
                Some(at) => earlier.swap_remove(at),
            };
            if subscription.switch(Some(stream_id), now) {
                self.push(Poll::Event(ConnectionEvent::KeyframeRequested { stream_id }));
            }
            self.subscriptions.push(subscription);
            tracks.push(Track { stream_id, ssrc, label: sdp::stream_label(&section.mid) });
        }
        // The clock of a section runs on as long as there is the section.
        for mut idle in earlier {
            let open = sections.iter().any(|section| !section.stopped && mid_of(section) == idle.mid);
            if open {
                idle.switch(None, now);
                self.subscriptions.push(idle);
            }
        }
        tracks
    }

    fn sending_ssrc(&mut self, mid: Mid) -> Option<u32> {
        let ssrc = self.engine.call(|rtc| {
            let sends =
                rtc.media(mid).is_some_and(|media| !media.disabled() && media.direction().is_sending());
            let mut direct = rtc.direct_api();
            let stream = direct.stream_tx_by_mid(mid, None).filter(|_| sends);
            Ok(stream.map(|stream| *stream.ssrc()))
        });
        ssrc.ok().flatten()
    }

    /// The payload type of a codec in a section, if it was answered there and we send in it.
    fn payload_type(&self, mid: Mid, codec: Codec) -> Option<Pt> {
        let rtc = self.engine.rtc()?;
        let media = rtc.media(mid).filter(|media| !media.disabled() && media.direction().is_sending())?;
        rtc.codec_config()
            .find(|params| params.spec().codec == codec && media.remote_pts().contains(&params.pt()))
            .map(PayloadParams::pt)
    }

    fn after_sending(&mut self, sent: Result<(), ConnectionError>) {
        if let Err(error) = sent {
            debug!(%error, "a packet is not sent");
        }
        self.engine.advance();
        self.drain();
    }
}
