//! The sound of one participant between the network and the mix: a jitter buffer.
//!
//! Packets wait in the order of their RTP time until a tick needs them, so that one that comes out of order finds its place. A source
//! whose clock is slower than the ticks runs empty now and then: a frame is concealed, and nothing is skipped. One whose clock is
//! faster makes the queue grow: two frames are crossfaded into one.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;

use super::opus::{self, Decoder, FRAME_SAMPLES, Frame, SAMPLE_RATE_HZ, UNIT_SAMPLES};

const FRAME: u64 = FRAME_SAMPLES as u64;
/// Frames that wait before the first one is played: the jitter that is absorbed without concealment.
const START_FRAMES: u64 = 2;
/// Frames that wait at most: 160 ms of delay.
pub(super) const MAX_QUEUED_FRAMES: u64 = 8;
/// Frames concealed in a row before silence: after 100 ms a concealed voice is a drone.
const MAX_CONCEALED_FRAMES: u32 = 5;
/// A longer gap is a source that paused or jumped, and is not filled.
const MAX_GAP_SAMPLES: u64 = MAX_QUEUED_FRAMES * FRAME;
/// A packet that is older than this is not late: the source began a new timeline.
const RESTART_SAMPLES: u64 = SAMPLE_RATE_HZ as u64;
/// The queue is shortened by one frame if for 1 s it never had fewer than two frames more than needed.
const SURPLUS_TICKS: u32 = 50;
const SURPLUS_FRAMES: u64 = 2;

/// Counts of a source's packets and of the frames taken from it. Each packet is counted once, when its fate is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SourceCounters {
    pub packets: u64,
    pub decoded_packets: u64,
    /// Not Opus, or Opus that does not decode.
    pub rejected_packets: u64,
    /// Late or repeated.
    pub late_packets: u64,
    /// Over the queue's limit, muted, or of a timeline that ended.
    pub dropped_packets: u64,
    /// Ticks for which samples were made up, because packets were lost or had not come.
    pub concealed_frames: u64,
    /// Times that two frames were crossfaded into one.
    pub shortened_frames: u64,
}

enum State {
    /// Nothing is played. `ticks` counts those since the first packet came.
    Waiting {
        ticks: u64,
    },
    Playing,
}

struct Packet {
    data: Bytes,
    samples: u64,
}

pub(super) struct Source {
    decoder: Decoder,
    state: State,
    packets: BTreeMap<u64, Packet>,
    packets_samples: u64,
    /// Decoded and not yet taken: always a multiple of 2.5 ms.
    decoded: VecDeque<i16>,
    /// The RTP time after the last decoded sample.
    next_time: Option<u64>,
    /// Samples made up since then, because no packet was there. A gap in RTP time is shorter by these.
    stalled_samples: u64,
    concealed_in_a_row: u32,
    surplus_ticks: u32,
    counters: SourceCounters,
}

impl Source {
    pub(super) fn new() -> Self {
        Self {
            decoder: Decoder::new(),
            state: State::Waiting { ticks: 0 },
            packets: BTreeMap::new(),
            packets_samples: 0,
            decoded: VecDeque::new(),
            next_time: None,
            stalled_samples: 0,
            concealed_in_a_row: 0,
            surplus_ticks: 0,
            counters: SourceCounters::default(),
        }
    }

    pub(super) fn counters(&self) -> SourceCounters {
        self.counters
    }

    /// Waiting samples: encoded and decoded.
    pub(super) fn queued_samples(&self) -> u64 {
        self.packets_samples + self.decoded.len() as u64
    }

    /// Empties the queue, and forgets the timeline and the sound before.
    pub(super) fn reset(&mut self) {
        let mut counters = self.counters;
        counters.dropped_packets += self.packets.len() as u64;
        *self = Self { counters, ..Self::new() };
    }

    pub(super) fn push(&mut self, packet: &[u8], rtp_time: u64) {
        self.counters.packets += 1;
        let Some(samples) = opus::packet_samples(packet) else {
            self.counters.rejected_packets += 1;
            return;
        };
        if let Some(next) = self.next_time {
            if next.saturating_sub(rtp_time) > RESTART_SAMPLES {
                self.reset();
            } else if rtp_time < next {
                self.counters.late_packets += 1;
                return;
            }
        }
        if self.packets.contains_key(&rtp_time) {
            self.counters.late_packets += 1;
            return;
        }
        self.packets.insert(rtp_time, Packet { data: Bytes::copy_from_slice(packet), samples });
        self.packets_samples += samples;
        while self.queued_samples() > MAX_QUEUED_FRAMES * FRAME
            && let Some((dropped_time, dropped)) = self.pop_packet()
        {
            self.counters.dropped_packets += 1;
            // The jump is not a loss that would be concealed.
            let end = dropped_time.saturating_add(dropped.samples);
            self.next_time = Some(self.packets.keys().next().copied().unwrap_or(end));
            self.stalled_samples = 0;
        }
    }

    /// The next 20 ms, or `None` for silence.
    pub(super) fn take(&mut self) -> Option<Frame> {
        if !self.is_playing() {
            return None;
        }
        self.decode_until(FRAME_SAMPLES);
        let concealed = self.conceal_rest();
        if concealed && self.concealed_in_a_row > MAX_CONCEALED_FRAMES {
            self.state = State::Waiting { ticks: 0 };
            self.decoded.clear();
            return None;
        }
        let mut frame = self.take_decoded();
        if self.has_surplus() {
            self.decode_until(FRAME_SAMPLES);
            if self.decoded.len() >= FRAME_SAMPLES {
                let following = self.take_decoded();
                frame = crossfade(&frame, &following);
                self.counters.shortened_frames += 1;
            }
        }
        Some(frame)
    }

    /// Starts to play once two frames wait, or two ticks after the first packet if no more come (a source may pause in silence).
    fn is_playing(&mut self) -> bool {
        let State::Waiting { ticks } = &mut self.state else { return true };
        let Some(first_time) = self.packets.keys().next().copied() else { return false };
        *ticks += 1;
        if *ticks < START_FRAMES && self.packets_samples < START_FRAMES * FRAME {
            return false;
        }
        self.state = State::Playing;
        self.next_time = Some(first_time);
        self.stalled_samples = 0;
        self.concealed_in_a_row = 0;
        self.surplus_ticks = 0;
        true
    }

    fn pop_packet(&mut self) -> Option<(u64, Packet)> {
        let (time, packet) = self.packets.pop_first()?;
        self.packets_samples -= packet.samples;
        Some((time, packet))
    }

    /// Decodes waiting packets until `count` samples are there, and fills the gaps between them.
    fn decode_until(&mut self, count: usize) {
        while self.decoded.len() < count
            && let Some((&time, packet)) = self.packets.first_key_value()
        {
            let next = self.next_time.unwrap_or(time);
            // Lost, and not yet made up while no packet was there.
            let lost = time.saturating_sub(next).saturating_sub(self.stalled_samples);
            if (1..=MAX_GAP_SAMPLES).contains(&lost) && lost.is_multiple_of(UNIT_SAMPLES) {
                let piece = lost.min(FRAME);
                let following = (piece == lost).then(|| packet.data.clone());
                self.conceal(piece, following.as_deref());
                self.next_time = Some(next + piece);
                self.counters.concealed_frames += 1;
                continue;
            }
            let Some((_, packet)) = self.pop_packet() else { return };
            if time < next {
                // It overlaps the one before it.
                self.counters.late_packets += 1;
                continue;
            }
            if self.decoder.decode(&packet.data, &mut self.decoded).is_ok() {
                self.counters.decoded_packets += 1;
            } else {
                self.counters.rejected_packets += 1;
                self.conceal(packet.samples, None);
            }
            self.next_time = Some(time.saturating_add(packet.samples));
            self.stalled_samples = 0;
            self.concealed_in_a_row = 0;
        }
    }

    /// Fills up to one frame if no packet is there to do it; true if that was necessary.
    fn conceal_rest(&mut self) -> bool {
        let missing = FRAME.saturating_sub(self.decoded.len() as u64);
        if missing == 0 {
            return false;
        }
        self.concealed_in_a_row += 1;
        self.counters.concealed_frames += 1;
        self.stalled_samples += missing;
        self.conceal(missing, None);
        true
    }

    fn conceal(&mut self, samples: u64, following: Option<&[u8]>) {
        let count = usize::try_from(samples).expect("at most 120 ms");
        self.decoder.conceal(count, following, &mut self.decoded);
    }

    fn take_decoded(&mut self) -> Frame {
        let mut frame = [0; FRAME_SAMPLES];
        for (sample, decoded) in
            frame.iter_mut().zip(self.decoded.drain(..FRAME_SAMPLES.min(self.decoded.len())))
        {
            *sample = decoded;
        }
        frame
    }

    /// Whether more has waited for 1 s than the arrival's jitter needs. Asked once a tick, after the frame was taken.
    fn has_surplus(&mut self) -> bool {
        if self.queued_samples() < SURPLUS_FRAMES * FRAME {
            self.surplus_ticks = 0;
            return false;
        }
        self.surplus_ticks += 1;
        if self.surplus_ticks < SURPLUS_TICKS {
            return false;
        }
        self.surplus_ticks = 0;
        true
    }
}

/// From the first frame into the second, so that no step is heard.
fn crossfade(from: &Frame, to: &Frame) -> Frame {
    let mut frame = [0; FRAME_SAMPLES];
    let length = i32::try_from(FRAME_SAMPLES).expect("960");
    for (position, (sample, (&from, &to))) in (0..length).zip(frame.iter_mut().zip(from.iter().zip(to))) {
        let sum = i32::from(from) * (length - position) + i32::from(to) * position;
        *sample = i16::try_from(sum / length).expect("between two samples");
    }
    frame
}
