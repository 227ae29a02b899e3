//! A frame of each codec on its way from one participant to another.

use std::time::Duration;

use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, Mid};

use super::super::VideoCodec;
use super::client::Line;

const STREAM: u32 = 7;

/// A camera's line and a viewer's line.
pub(super) fn connected(codecs: &[VideoCodec]) -> (Line, Mid, Line, Mid) {
    let mut camera = Line::new(codecs);
    let (from, answer) = camera.negotiate(&[0], |api| {
        api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        api.add_media(MediaKind::Video, Direction::SendRecv, None, None, None)
    });
    assert!(answer.sends_video);
    let mut viewer = Line::new(codecs);
    let (to, answer) = viewer.negotiate(&[STREAM], |api| {
        api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None)
    });
    assert!(!answer.sends_video);
    assert_eq!(answer.tracks.len(), 1);
    camera.run(Duration::from_secs(2));
    viewer.run(Duration::from_secs(2));
    (camera, from, viewer, to)
}

/// Some bytes that no start code is among.
fn body(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| u8::try_from(index % 251 + 4).unwrap_or(4)).collect()
}

fn vp8(key: bool) -> Vec<u8> {
    let head: &[u8] =
        if key { &[0x10, 0x02, 0x00, 0x9d, 0x01, 0x2a, 0x40, 0x01, 0xf0, 0x00] } else { &[0x11, 0x02, 0x00] };
    [head, &body(3000)].concat()
}

fn vp9(key: bool) -> Vec<u8> {
    // frame_marker 0b10, profile 0, frame_type; then the sync code and a size for a key frame.
    let head: &[u8] =
        if key { &[0x82, 0x49, 0x83, 0x42, 0x00, 0x13, 0xf0, 0x0e, 0xf6] } else { &[0x86, 0x00] };
    [head, &body(3000)].concat()
}

fn h264(key: bool) -> Vec<u8> {
    let unit = |kind: u8, bytes: usize| [&[0, 0, 0, 1, kind], &body(bytes)[..]].concat();
    if key { [unit(0x67, 20), unit(0x68, 4), unit(0x65, 3000)].concat() } else { unit(0x41, 3000) }
}

fn av1(key: bool) -> Vec<u8> {
    // OBUs with a size field: a sequence header (1) before a key frame, a frame (6).
    let unit = |kind: u8, bytes: usize| {
        let size = [u8::try_from(bytes % 128 + 128).unwrap_or(128), u8::try_from(bytes / 128).unwrap_or(0)];
        [&[kind << 3 | 2], &size[..], &body(bytes)].concat()
    };
    if key { [unit(1, 130), unit(6, 3000)].concat() } else { unit(6, 3000) }
}

pub(super) fn frame(codec: VideoCodec, key: bool) -> Vec<u8> {
    match codec {
        VideoCodec::Vp8 => vp8(key),
        VideoCodec::Vp9 => vp9(key),
        VideoCodec::H264 => h264(key),
        VideoCodec::Av1 => av1(key),
    }
}

fn frames_arrive_as_they_were_sent(codec: VideoCodec) {
    let (mut camera, from, mut viewer, to) = connected(&[codec]);
    let sent: Vec<Vec<u8>> =
        [true, false, false, true, false].into_iter().map(|key| frame(codec, key)).collect();
    for (time, data) in (0..).zip(&sent) {
        camera.client.write(from, Codec::from(codec), Frequency::NINETY_KHZ, time * 6000 + 90, data, None);
        camera.run(Duration::from_millis(66));
    }
    camera.run(Duration::from_millis(500));

    let arrived = camera.frames();
    let keys: Vec<bool> = arrived.iter().map(|frame| frame.keyframe).collect();
    assert_eq!(keys, [true, false, false, true, false]);
    assert!(arrived.iter().all(|frame| frame.codec == codec && frame.contiguous));
    let times: Vec<u64> = arrived.iter().map(|frame| frame.rtp_time - arrived[0].rtp_time).collect();
    assert_eq!(times, [0, 6000, 12_000, 18_000, 24_000]);

    for frame in &arrived {
        viewer.connection.send_video(STREAM, frame);
        viewer.run(Duration::from_millis(66));
    }
    viewer.run(Duration::from_millis(500));
    let seen = viewer.client.media(to);
    let seen_keys: Vec<bool> = seen.iter().map(|media| media.is_keyframe()).collect();
    assert_eq!(seen_keys, [true, false, false, true, false]);
    for (seen, sent) in seen.iter().zip(&sent) {
        assert_eq!(seen.data[..], sent[..]);
    }
}

#[test]
fn vp8_frames_arrive_as_they_were_sent() {
    frames_arrive_as_they_were_sent(VideoCodec::Vp8);
}

#[test]
fn vp9_frames_arrive_as_they_were_sent() {
    frames_arrive_as_they_were_sent(VideoCodec::Vp9);
}

#[test]
fn h264_frames_arrive_as_they_were_sent() {
    frames_arrive_as_they_were_sent(VideoCodec::H264);
}

#[test]
fn av1_frames_arrive_as_they_were_sent() {
    frames_arrive_as_they_were_sent(VideoCodec::Av1);
}
