//! Chunks from frames that a test names by their RTP time.

mod mix;
mod properties;

use str0m::rtp::VideoOrientation;

use super::*;

/// 15 pictures in a second.
const FRAME_TICKS: u64 = 6_000;
const START_US: u64 = 70_000_000;
/// An RTP clock begins anywhere; here it passes 32 bits after 3 s.
const FIRST_RTP_TIME: u64 = (1 << 32) - 270_000;

fn us(ticks: u64) -> u64 {
    ticks * 100 / 9
}

/// A VP8 key frame of this width, or a frame that needs the one before; the index makes each unique.
fn picture(index: u64, keyframe: bool, width: u16) -> VideoFrame {
    let [low, high] = width.to_le_bytes();
    let mut data = vec![u8::from(!keyframe), 0, 0, 0x9d, 0x01, 0x2a, low, high, 0xf0, 0];
    data.extend(index.to_be_bytes());
    VideoFrame::new(VideoCodec::Vp8, data.into(), FIRST_RTP_TIME + index * FRAME_TICKS, keyframe)
}

/// A capture, its clock, and a camera that answers requests for key frames as `answers` says.
struct Run {
    capture: Capture,
    index: u64,
    sounds: u64,
    width: u16,
    answers: bool,
    key_next: bool,
    requests: u64,
}

impl Run {
    fn new() -> Self {
        let capture = Capture::start(START_US);
        Self { capture, index: 0, sounds: 0, width: 640, answers: true, key_next: true, requests: 0 }
    }

    fn now_us(&self) -> u64 {
        START_US + us(self.index * FRAME_TICKS)
    }

    /// Up to the time of the next picture: the ticks' sound, then the requests.
    fn tick(&mut self) {
        while START_US + self.sounds * 20_000 <= self.now_us() {
            self.capture.sound(
                self.sounds.to_be_bytes().to_vec().into(),
                &[],
                START_US + self.sounds * 20_000,
            );
            self.sounds += 1;
        }
        let wanted = self.capture.want_keyframes(self.now_us());
        self.requests += wanted.len() as u64;
        self.key_next |= self.answers && !wanted.is_empty();
    }

    fn pictures(&mut self, count: u64) {
        for _ in 0..count {
            self.tick();
            let frame = picture(self.index, std::mem::take(&mut self.key_next), self.width);
            self.capture.video("a", false, &frame, self.now_us());
            self.index += 1;
        }
    }

    fn pause(&mut self, pictures: u64) {
        for _ in 0..pictures {
            self.tick();
            self.index += 1;
        }
    }
}

fn pictures(chunks: Vec<TapChunk>) -> Vec<Chunk> {
    let pictures = |chunk| match chunk {
        TapChunk::Pictures(chunk) => Some(chunk),
        TapChunk::Mix(_) => None,
    };
    chunks.into_iter().filter_map(pictures).collect()
}

fn finish(capture: Capture) -> Vec<Chunk> {
    pictures(capture.finish())
}

fn outline(chunks: &[Chunk]) -> Vec<(u32, u64, u64, usize)> {
    chunks.iter().map(|chunk| (chunk.index, chunk.started_us, chunk.duration_us, chunk.video.len())).collect()
}

#[test]
fn chunks_of_5_seconds_begin_with_the_key_frames_that_were_asked_for() {
    let mut run = Run::new();
    run.pictures(15 * 16);
    assert_eq!(run.requests, 3, "one each 5 s");
    let counters = run.capture.counters();
    let chunks = finish(run.capture);
    assert_eq!(
        outline(&chunks),
        [
            (0, 0, 5_000_000, 75),
            (1, 5_000_000, 5_000_000, 75),
            (2, 10_000_000, 5_000_000, 75),
            (3, 15_000_000, 1_000_000, 15)
        ]
    );
    for chunk in &chunks {
        assert!(chunk.video[0].keyframe && chunk.video[0].time_us == 0);
        assert_eq!(chunk.sound[0].time_us, 0);
        assert_eq!(chunk.size, Some((640, 240)));
    }
    assert_eq!(chunks.iter().map(|chunk| chunk.sound.len()).collect::<Vec<_>>(), [250, 250, 250, 47]);
    assert_eq!(counters, CaptureCounters { frames: 240, ..CaptureCounters::default() });
}

#[test]
fn a_chunk_is_given_as_soon_as_its_sound_is_there_and_once() {
    let mut run = Run::new();
    run.pictures(76);
    assert_eq!(
        pictures(run.capture.chunks()),
        [],
        "the sound before the key frame at 5 s comes with the next tick"
    );
    run.pictures(1);
    assert_eq!(outline(&pictures(run.capture.chunks())), [(0, 0, 5_000_000, 75)]);
    assert_eq!(pictures(run.capture.chunks()), []);
}

#[test]
fn sound_from_before_the_first_picture_is_in_no_chunk() {
    let mut run = Run::new();
    run.pause(30);
    run.pictures(15);
    let chunks = finish(run.capture);
    assert_eq!(outline(&chunks), [(0, 2_000_000, 1_000_000, 15)]);
    assert_eq!(chunks[0].sound[0].data, 100_u64.to_be_bytes().to_vec(), "the frame at 2 s");
}

#[test]
fn without_a_key_frame_a_chunk_is_cut_at_10_seconds_and_counted() {
    let mut run = Run::new();
    run.pictures(1);
    run.answers = false;
    run.pictures(15 * 12);
    assert_eq!(run.requests, 8, "one each second, from 5 s to 12 s");
    run.answers = true;
    run.pictures(30);
    let counters = run.capture.counters();
    let chunks = finish(run.capture);
    assert_eq!(outline(&chunks)[0], (0, 0, 10_000_000, 150));
    assert_eq!(chunks.len(), 2);
    assert_eq!((counters.cut_chunks, counters.late_frames), (1, 0));
    assert_eq!(counters.undecodable_frames + chunks[1].video.len() as u64 + 150, counters.frames);
}

#[test]
fn who_begins_to_speak_is_asked_for_a_key_frame_once() {
    let mut run = Run::new();
    run.pictures(15);
    assert_eq!(run.requests, 0);
    let speak = |run: &mut Run, attendee_id| {
        let now_us = START_US + run.sounds * 20_000;
        run.sounds += 1;
        run.capture.sound(Bytes::new(), &[Voice { attendee_id, energy: 0.5 }], now_us);
        run.capture.want_keyframes(now_us).len()
    };
    assert_eq!(speak(&mut run, "a"), 1);
    assert_eq!(speak(&mut run, "a"), 0, "they speak on");
    run.pictures(75);
    assert_eq!(speak(&mut run, "b"), 0, "who has no camera");
}

#[test]
fn frames_before_the_first_key_frame_are_left_out_and_one_is_asked_for() {
    let mut run = Run::new();
    run.key_next = false;
    run.pictures(3);
    assert_eq!(run.requests, 1);
    assert_eq!(run.capture.counters().undecodable_frames, 1);
    assert_eq!(outline(&finish(run.capture)), [(0, us(6_000), 2 * us(6_000), 2)]);
}

#[test]
fn a_change_of_size_or_codec_begins_a_chunk() {
    let mut run = Run::new();
    run.pictures(15);
    (run.width, run.key_next) = (320, true);
    run.pictures(15);
    let mut other = picture(run.index, true, 320);
    other.codec = VideoCodec::H264;
    run.capture.video("a", false, &other, run.now_us());
    let chunks = finish(run.capture);
    assert_eq!(
        outline(&chunks),
        [(0, 0, 1_000_000, 15), (1, 1_000_000, 1_000_000, 15), (2, 2_000_000, 66_666, 1)]
    );
    let formats: Vec<_> = chunks.iter().map(|chunk| (chunk.codec, chunk.size)).collect();
    let sizes =
        [(VideoCodec::Vp8, Some((640, 240))), (VideoCodec::Vp8, Some((320, 240))), (VideoCodec::H264, None)];
    assert_eq!(formats, sizes);
}

#[test]
fn a_key_frame_that_another_participant_asked_for_does_not_end_a_chunk() {
    let mut run = Run::new();
    run.pictures(15);
    run.key_next = true;
    run.pictures(15);
    let chunks = finish(run.capture);
    assert_eq!(outline(&chunks), [(0, 0, 2_000_000, 30)]);
    assert_eq!(chunks[0].video.iter().filter(|frame| frame.keyframe).count(), 2);
}

#[test]
fn a_turned_picture_begins_a_chunk_with_the_next_key_frame() {
    let mut run = Run::new();
    run.pictures(2);
    for keyframe in [false, true] {
        run.tick();
        assert_eq!(keyframe, std::mem::take(&mut run.key_next), "it is asked for");
        let frame =
            VideoFrame { orientation: Some(VideoOrientation::Deg90), ..picture(run.index, keyframe, 640) };
        run.capture.video("a", false, &frame, run.now_us());
        run.index += 1;
    }
    let chunks = finish(run.capture);
    assert_eq!(chunks.iter().map(|chunk| chunk.rotation_degrees).collect::<Vec<_>>(), [0, 90]);
}

#[test]
fn after_a_missing_frame_nothing_is_kept_before_a_key_frame() {
    let mut run = Run::new();
    run.pictures(5);
    let broken = VideoFrame { contiguous: false, ..picture(run.index, false, 640) };
    run.capture.video("a", false, &broken, run.now_us());
    run.index += 1;
    let after = picture(run.index, false, 640);
    run.capture.video("a", false, &after, run.now_us());
    run.index += 1;
    run.pictures(5);
    let counters = run.capture.counters();
    let chunks = finish(run.capture);
    assert_eq!(counters.undecodable_frames, 2);
    assert_eq!(outline(&chunks), [(0, 0, us(12 * 6_000), 10)]);
    assert!(chunks[0].video[5].keyframe);
}

#[test]
fn a_camera_that_stops_closes_its_chunk_and_may_begin_again_with_any_rtp_time() {
    let mut run = Run::new();
    run.pictures(15);
    run.capture.stop("a", false);
    run.pause(30);
    assert_eq!(outline(&pictures(run.capture.chunks())), [(0, 0, 1_000_000, 15)]);
    let again = VideoFrame { rtp_time: 5, ..picture(0, true, 640) };
    run.capture.video("a", false, &again, run.now_us());
    assert_eq!(outline(&finish(run.capture)), [(1, 3_000_000, 66_666, 1)]);
}

#[test]
fn a_camera_that_sends_nothing_more_has_its_chunk_closed() {
    let mut run = Run::new();
    run.pictures(15);
    run.pause(15 * 13);
    assert_eq!(outline(&pictures(run.capture.chunks())), [(0, 0, 1_000_000, 15)]);
}

#[test]
fn a_clock_that_drifts_is_set_right_where_a_chunk_begins() {
    // 3 % fast: after 5 s the frames' clock is 150 ms ahead.
    let mut capture = Capture::start(0);
    for second in 0..=5_u64 {
        let frame = picture(15 * second, second % 5 == 0, 640);
        capture.video("a", false, &frame, second * 970_000);
    }
    let chunks = finish(capture);
    assert_eq!(outline(&chunks), [(0, 0, 4_850_000, 5), (1, 4_850_000, 66_666, 1)]);
}

#[test]
fn a_camera_and_a_share_of_one_attendee_are_two_sources() {
    let mut capture = Capture::start(0);
    for (attendee, content) in [("a", false), ("a", true), ("b", false)] {
        capture.video(attendee, content, &picture(0, true, 640), 0);
    }
    let chunks = finish(capture);
    let sources: Vec<_> =
        chunks.iter().map(|chunk| (chunk.attendee_id.as_str(), chunk.content, chunk.index)).collect();
    assert_eq!(sources, [("a", false, 0), ("a", true, 0), ("b", false, 0)]);
}
