//! The mix without and beside cameras, and the active speaker.

use super::*;

const LOUD: f64 = 0.01;
const LOUDER: f64 = 0.02;
const SILENT: f64 = 0.0;

fn mixes(chunks: Vec<TapChunk>) -> Vec<MixChunk> {
    let mix = |chunk| match chunk {
        TapChunk::Mix(chunk) => Some(chunk),
        TapChunk::Pictures(_) => None,
    };
    chunks.into_iter().filter_map(mix).collect()
}

/// A capture whose ticks are counted.
struct Ticks {
    capture: Capture,
    count: u64,
}

impl Ticks {
    fn new() -> Self {
        Self { capture: Capture::start(START_US), count: 0 }
    }

    fn pass(&mut self, count: u64, voices: &[(&str, f64)]) {
        let voices: Vec<Voice<'_>> =
            voices.iter().map(|&(attendee_id, energy)| Voice { attendee_id, energy }).collect();
        for _ in 0..count {
            let packet = self.count.to_be_bytes().to_vec().into();
            self.capture.sound(packet, &voices, START_US + self.count * 20_000);
            self.count += 1;
        }
    }

    /// Times since the capture's start at which the active speaker changed.
    fn speakers(self) -> Vec<(u64, Option<String>)> {
        let mut speakers: Vec<(u64, Option<String>)> = Vec::new();
        for chunk in mixes(self.capture.finish()) {
            assert_eq!(chunk.speakers[0].time_us, 0, "each chunk names its first one");
            for Speaker { time_us, attendee_id } in chunk.speakers {
                if speakers.last().is_none_or(|(_, before)| *before != attendee_id) {
                    speakers.push((chunk.started_us + time_us, attendee_id));
                }
            }
        }
        speakers
    }
}

fn named(speakers: &[(u64, Option<&str>)]) -> Vec<(u64, Option<String>)> {
    speakers.iter().map(|(time_us, attendee_id)| (*time_us, attendee_id.map(str::to_owned))).collect()
}

#[test]
fn without_any_camera_the_mix_is_in_chunks_of_5_seconds() {
    let mut ticks = Ticks::new();
    ticks.pass(249, &[]);
    assert_eq!(ticks.capture.chunks(), []);
    ticks.pass(1, &[]);
    let first = mixes(ticks.capture.chunks());
    assert_eq!(first.len(), 1, "with the last of its 250 frames");
    ticks.pass(260, &[]);
    let chunks: Vec<MixChunk> = first.into_iter().chain(mixes(ticks.capture.finish())).collect();
    let outline: Vec<_> = chunks
        .iter()
        .map(|chunk| (chunk.index, chunk.started_us, chunk.duration_us, chunk.sound.len()))
        .collect();
    assert_eq!(
        outline,
        [(0, 0, 5_000_000, 250), (1, 5_000_000, 5_000_000, 250), (2, 10_000_000, 200_000, 10)]
    );
    for chunk in &chunks {
        assert!(chunk.sound.iter().zip(0..).all(|(frame, number)| frame.time_us == number * 20_000));
    }
    assert_eq!(chunks[1].sound[0].data, 250_u64.to_be_bytes().to_vec());
}

#[test]
fn the_mix_and_a_camera_have_one_clock() {
    let mut run = Run::new();
    run.pause(30);
    run.pictures(75);
    let chunks = run.capture.finish();
    let mix = mixes(chunks.clone());
    let camera = &pictures(chunks)[0];
    assert_eq!(camera.started_us, 2_000_000);
    for frame in &camera.sound {
        let time_us = camera.started_us + frame.time_us;
        let number = usize::try_from(time_us / 20_000).expect("below 1,000");
        assert_eq!(mix[number / 250].sound[number % 250].data, frame.data, "at {time_us}");
    }
    assert_eq!(camera.sound.len(), 247);
}

/// The mix would be early by each pause for the rest of the recording if its frames were only counted.
#[test]
fn after_the_server_was_held_up_the_mix_keeps_to_the_clock() {
    let mut capture = Capture::start(START_US);
    let held_up = [0, 20_000, 40_000, 340_500, 360_500, 13_000_500, 13_020_500];
    for now_us in held_up {
        capture.sound(Bytes::new(), &[], START_US + now_us);
    }
    let chunks = mixes(capture.finish());
    let times: Vec<Vec<u64>> =
        chunks.iter().map(|chunk| chunk.sound.iter().map(|frame| frame.time_us).collect()).collect();
    let first = vec![0, 20_000, 40_000, 340_000, 360_000];
    assert_eq!(times, [first, vec![], vec![3_000_000, 3_020_000]], "each 5 s have a chunk");
}

#[test]
fn a_late_tick_does_not_move_the_frames_after_it() {
    let mut capture = Capture::start(START_US);
    for now_us in [3_000, 23_000, 43_000, 43_000, 83_000] {
        capture.sound(Bytes::new(), &[], START_US + now_us);
    }
    let times: Vec<u64> = mixes(capture.finish())[0].sound.iter().map(|frame| frame.time_us).collect();
    assert_eq!(times, [0, 20_000, 40_000, 60_000, 80_000]);
}

#[test]
fn the_active_speaker_is_who_spoke_last() {
    let mut ticks = Ticks::new();
    ticks.pass(100, &[("a", SILENT), ("b", SILENT)]);
    ticks.pass(100, &[("a", LOUD), ("b", SILENT)]);
    ticks.pass(150, &[("a", SILENT), ("b", SILENT)]);
    ticks.pass(100, &[("a", SILENT), ("b", LOUD)]);
    assert_eq!(ticks.speakers(), named(&[(0, None), (2_000_000, Some("a")), (7_000_000, Some("b"))]));
}

#[test]
fn a_louder_one_interrupts_and_an_equal_one_does_not() {
    let mut ticks = Ticks::new();
    ticks.pass(100, &[("a", LOUD), ("b", SILENT)]);
    ticks.pass(100, &[("a", LOUD), ("b", LOUD)]);
    ticks.pass(100, &[("a", LOUD), ("b", 1.1 * LOUDER)]);
    let speakers = ticks.speakers();
    assert_eq!(speakers.len(), 2, "{speakers:?}");
    assert_eq!(speakers[0], (0, Some("a".to_owned())));
    let (since_us, speaker) = &speakers[1];
    assert_eq!(speaker.as_deref(), Some("b"));
    assert!((4_000_000..4_400_000).contains(since_us), "{since_us}: within the window");
}

#[test]
fn two_who_speak_at_once_take_turns_of_a_second_at_least() {
    let mut ticks = Ticks::new();
    for turn in 0..40 {
        let (a, b) = if turn % 2 == 0 { (LOUD, 10.0 * LOUD) } else { (10.0 * LOUD, LOUD) };
        ticks.pass(15, &[("a", a), ("b", b)]);
    }
    let speakers = ticks.speakers();
    assert!(speakers.len() > 2, "{speakers:?}");
    assert!(speakers.windows(2).all(|pair| pair[1].0 - pair[0].0 >= 1_000_000), "{speakers:?}");
}

#[test]
fn a_breath_is_not_speech_and_who_leaves_is_not_the_active_speaker() {
    let mut ticks = Ticks::new();
    ticks.pass(50, &[("a", 0.000_01), ("b", LOUD)]);
    ticks.pass(50, &[("a", 0.000_01), ("b", SILENT)]);
    ticks.pass(50, &[("a", 0.000_01)]);
    assert_eq!(ticks.speakers(), named(&[(0, Some("b")), (2_000_000, None)]));
}

#[test]
fn the_active_speaker_of_a_chunk_s_start_is_named_again() {
    let mut ticks = Ticks::new();
    ticks.pass(510, &[("a", LOUD)]);
    let chunks = mixes(ticks.capture.finish());
    let speaker = |attendee_id: &str| vec![Speaker { time_us: 0, attendee_id: Some(attendee_id.to_owned()) }];
    assert!(chunks.iter().all(|chunk| chunk.speakers == speaker("a")), "{chunks:?}");
    assert_eq!(chunks.len(), 3);
}
