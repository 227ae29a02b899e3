//! Composed chunks of two people and their sound.

use proptest::prelude::*;

use super::*;
use crate::capture::{Speaker, Timed};
use crate::mp4::{BarsChunk, example, join};

/// A mix of 5 s with its speakers, each from a time on.
fn mix(index: u32, speakers: &[(u64, Option<&str>)]) -> TapChunk {
    let speaker = |(time_us, id): &(u64, Option<&str>)| Speaker {
        time_us: *time_us,
        attendee_id: id.map(ToOwned::to_owned),
    };
    let packet = |n: u64| Timed {
        time_us: n * PACKET_US,
        keyframe: true,
        data: Bytes::from(n.to_be_bytes().to_vec()),
    };
    TapChunk::Mix(MixChunk {
        index,
        started_us: u64::from(index) * CHUNK_US,
        duration_us: CHUNK_US,
        sound: (0..250).map(packet).collect(),
        speakers: speakers.iter().map(speaker).collect(),
    })
}

/// The key frame of somebody, which distinguishes participants.
fn face(person: usize) -> Bytes {
    example(BarsChunk { index: person, pictures: true, tone: true }).pictures[0].data.clone()
}

/// A camera's pictures of this length at 10 in a second, with a key frame each 5 s and at these times.
fn camera(id: &str, person: usize, started_us: u64, duration_us: u64, keyframes: &[u64]) -> TapChunk {
    let delta = example(BarsChunk { index: 0, pictures: true, tone: true }).pictures[1].data.clone();
    let frame = |time_us: u64| {
        let keyframe = time_us == 0 || keyframes.contains(&time_us);
        Timed { time_us, keyframe, data: if keyframe { face(person) } else { delta.clone() } }
    };
    TapChunk::Pictures(Chunk {
        attendee_id: id.to_owned(),
        content: false,
        index: 0,
        started_us,
        duration_us,
        codec: VideoCodec::H264,
        size: Some((96, 64)),
        rotation_degrees: 0,
        video: (0..duration_us / 100_000).map(|n| frame(n * 100_000)).collect(),
        sound: Vec::new(),
    })
}

fn composed(layout: Layout, chunks: &[TapChunk]) -> Vec<(u64, Movie)> {
    let mut composer = Composer::new(layout);
    let mut all: Vec<(u64, Movie)> = chunks.iter().flat_map(|chunk| composer.push(chunk)).collect();
    all.extend(composer.finish());
    all
}

/// The person of each key frame of the whole recording, with its time.
fn faces(chunks: &[(u64, Movie)]) -> Vec<(u64, Option<usize>)> {
    let keyframes = chunks.iter().flat_map(|(started_us, movie)| {
        let keyframes = movie.pictures.iter().filter(|picture| picture.keyframe);
        keyframes.map(move |picture| (started_us + picture.time_us, picture.data.clone()))
    });
    keyframes.map(|(time_us, data)| (time_us, (0..3).find(|person| face(*person) == data))).collect()
}

#[test]
fn sound_alone_is_cut_each_five_seconds() {
    let chunks = [mix(0, &[(0, None)]), mix(1, &[(0, None)]), camera("a", 0, 0, 5_000_000, &[])];
    let composed = composed(Layout::SoundOnly, &chunks);
    let shape =
        composed.iter().map(|(at, movie)| (*at, movie.duration_us, movie.pictures.len(), movie.sound.len()));
    assert_eq!(shape.collect::<Vec<_>>(), [(0, 5_000_000, 0, 250), (5_000_000, 5_000_000, 0, 250)]);
}

#[test]
fn chunks_with_pictures_are_cut_at_key_frames() {
    let chunks = [
        mix(0, &[(0, Some("a"))]),
        mix(1, &[(0, Some("a"))]),
        mix(2, &[(0, Some("a"))]),
        camera("a", 0, 13_000, 5_130_000, &[]),
        camera("a", 0, 5_143_000, 5_057_000, &[]),
        camera("a", 0, 10_200_000, 4_800_000, &[]),
    ];
    let composed = composed(Layout::ActiveSpeaker, &chunks);
    let starts: Vec<u64> = composed.iter().map(|(at, _)| *at).collect();
    assert_eq!(starts, [0, 5_140_000, 10_200_000], "at a multiple of 20 ms before the key frame");
    assert_eq!(composed[0].1.duration_us, 5_140_000);
    for (at, movie) in &composed {
        assert!(
            movie.pictures[0].keyframe && movie.pictures[0].time_us == 0,
            "the chunk at {at} plays alone"
        );
        movie.write().expect("it is a file");
    }
    let packets: usize = composed.iter().map(|(_, movie)| movie.sound.len()).sum();
    assert_eq!(packets, 750, "no packet is lost or doubled at the cuts");
    let whole = join(composed.iter().map(|(at, movie)| (*at, movie)));
    assert_eq!(whole.duration_us, 15_000_000);
}

#[test]
fn the_picture_follows_the_speaker_at_the_speakers_next_key_frame() {
    let chunks = [
        mix(0, &[(0, None), (1_000_000, Some("a")), (3_000_000, Some("b"))]),
        mix(1, &[(0, Some("b")), (1_500_000, Some("a"))]),
        camera("a", 0, 0, 5_000_000, &[]),
        camera("b", 1, 0, 5_000_000, &[3_200_000]),
        camera("a", 0, 5_000_000, 5_000_000, &[1_600_000]),
        camera("b", 1, 5_000_000, 5_000_000, &[]),
    ];
    let composed = composed(Layout::ActiveSpeaker, &chunks);
    let expected = [(0, Some(0)), (3_200_000, Some(1)), (5_000_000, Some(1)), (6_600_000, Some(0))];
    assert_eq!(faces(&composed), expected);
}

#[test]
fn a_speaker_without_a_camera_does_not_take_the_picture_away() {
    let chunks = [
        mix(0, &[(0, Some("a")), (2_000_000, Some("c"))]),
        camera("a", 0, 0, 5_000_000, &[]),
        camera("b", 1, 0, 5_000_000, &[2_500_000]),
    ];
    assert_eq!(faces(&composed(Layout::ActiveSpeaker, &chunks)), [(0, Some(0))]);
}

#[test]
fn a_camera_that_stops_leaves_a_grey_picture() {
    let chunks = [
        mix(0, &[(0, Some("a"))]),
        mix(1, &[(0, Some("a"))]),
        mix(2, &[(0, Some("a"))]),
        camera("a", 0, 0, 2_000_000, &[]),
        camera("a", 0, 11_000_000, 2_000_000, &[]),
    ];
    let composed = composed(Layout::ActiveSpeaker, &chunks);
    let expected =
        [(0, Some(0)), (2_000_000, None), (10_000_000, None), (11_000_000, Some(0)), (13_000_000, None)];
    assert_eq!(faces(&composed), expected);
    assert!(composed[1].1.pictures.is_empty(), "5 s without anybody's picture");
    let durations: Vec<u64> = composed.iter().map(|(_, movie)| movie.duration_us).collect();
    assert_eq!(durations, [5_000_000; 3]);
}

#[test]
fn other_codecs_and_shared_screens_are_not_shown() {
    let TapChunk::Pictures(camera) = camera("a", 0, 0, 5_000_000, &[]) else {
        unreachable!("it is a camera")
    };
    let other = TapChunk::Pictures(Chunk { codec: VideoCodec::Vp8, ..camera.clone() });
    let screen = TapChunk::Pictures(Chunk { content: true, ..camera.clone() });
    let composed = composed(Layout::ActiveSpeaker, &[mix(0, &[(0, Some("a"))]), other.clone(), screen]);
    assert!(composed.iter().all(|(_, movie)| movie.pictures.is_empty()));
    assert_eq!(pictures_alone(&camera).map(|movie| movie.pictures.len()), Some(50));
    let TapChunk::Pictures(other) = other else { unreachable!("it is a camera") };
    assert_eq!(pictures_alone(&other), None);
}

proptest! {
    #[test]
    fn no_sound_is_lost_and_every_chunk_plays_alone(
        speakers in prop::collection::vec((0..4_u64, prop::option::of(0..3_usize)), 4),
        cameras in prop::collection::vec((0..2_usize, 0..20_u64, 1..100_u64, 0..90_u64), 0..8),
    ) {
        let ids = ["a", "b", "c"];
        let mut chunks: Vec<TapChunk> = (0..).zip(&speakers).map(|(n, (second, id))| {
            mix(n, &[(0, None), (second * 1_000_000 + 1, id.map(|id| ids[id]))])
        }).collect();
        let mut ends = [0; 2];
        for (id, pause, length, keyframe) in cameras {
            let started_us = ends[id] + pause * 100_000 + 7_000;
            ends[id] = started_us + length * 100_000;
            chunks.push(camera(ids[id], id, started_us, length * 100_000, &[keyframe * 100_000]));
        }
        let composed = composed(Layout::ActiveSpeaker, &chunks);
        let mut end_us = 0;
        for (started_us, movie) in &composed {
            prop_assert_eq!(*started_us, end_us, "they follow each other");
            end_us += movie.duration_us;
            let first = movie.pictures.first();
            prop_assert!(first.is_none_or(|first| first.keyframe && first.time_us == 0));
            prop_assert!(movie.sound.windows(2).all(|pair| pair[1].time_us >= pair[0].time_us + PACKET_US));
            prop_assert!(movie.sound.last().is_some_and(|last| last.time_us < movie.duration_us));
            prop_assert!(movie.write().is_ok());
        }
        prop_assert_eq!(composed.iter().map(|(_, movie)| movie.sound.len()).sum::<usize>(), 1_000);
        prop_assert_eq!(end_us, 20_000_000);
    }
}
