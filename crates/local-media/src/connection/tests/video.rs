//! From which frame on a participant sees another one, and who asks for key frames.

use std::time::Duration;

use bytes::Bytes;
use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind, Mid};

use super::super::{VideoCodec, VideoFrame};
use super::client::Line;
use super::codecs::{connected, frame};

const STREAM: u32 = 7;
const FRAME_TIME: Duration = Duration::from_millis(66);

fn vp8(key: bool, rtp_time: u64) -> VideoFrame {
    VideoFrame::new(VideoCodec::Vp8, Bytes::from(frame(VideoCodec::Vp8, key)), rtp_time, key)
}

fn viewer() -> (Line, Mid) {
    let (_, _, viewer, to) = connected(&[VideoCodec::Vp8]);
    (viewer, to)
}

fn seen_keys(line: &Line, mid: Mid) -> Vec<bool> {
    line.client.media(mid).iter().map(|media| media.is_keyframe()).collect()
}

#[test]
fn a_picture_begins_with_a_key_frame_which_is_requested_at_once_and_then_each_second() {
    let (mut viewer, to) = viewer();
    assert_eq!(viewer.keyframe_requests(STREAM), 1, "the subscription asks");
    // `connected` has let two seconds pass since. 30 frames are two seconds more.
    for number in 0..30 {
        viewer.connection.send_video(STREAM, &vp8(false, number * 6000));
        viewer.run(FRAME_TIME);
    }
    assert_eq!(viewer.keyframe_requests(STREAM), 3);
    assert_eq!(viewer.client.media(to).len(), 0);

    viewer.connection.send_video(STREAM, &vp8(true, 30 * 6000));
    viewer.run(FRAME_TIME);
    viewer.connection.send_video(STREAM, &vp8(false, 31 * 6000));
    viewer.run(Duration::from_secs(2));
    assert_eq!(seen_keys(&viewer, to), [true, false]);
    assert_eq!(viewer.keyframe_requests(STREAM), 3);
}

#[test]
fn frames_before_the_connection_are_dropped() {
    let mut line = Line::new(&[VideoCodec::Vp8]);
    let (to, _) = line
        .negotiate(&[STREAM], |api| api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None));
    line.connection.send_video(STREAM, &vp8(true, 0));
    line.run(Duration::from_secs(2));
    line.connection.send_video(STREAM, &vp8(false, 6000));
    line.run(Duration::from_millis(500));
    assert_eq!(line.client.media(to).len(), 0);
}

#[test]
fn after_a_gap_the_picture_stands_still_until_the_next_key_frame() {
    let (mut viewer, to) = viewer();
    let gap = VideoFrame { contiguous: false, ..vp8(false, 3 * 6000) };
    for sent in
        [vp8(true, 0), vp8(false, 6000), gap, vp8(false, 4 * 6000), vp8(true, 5 * 6000), vp8(false, 6 * 6000)]
    {
        viewer.connection.send_video(STREAM, &sent);
        viewer.run(FRAME_TIME);
    }
    assert_eq!(seen_keys(&viewer, to), [true, false, true, false]);
    assert_eq!(viewer.keyframe_requests(STREAM), 2, "the subscription and the gap ask");
}

#[test]
fn after_frames_that_were_left_out_the_picture_stands_still_until_the_next_key_frame() {
    let (mut viewer, to) = viewer();
    for sent in [vp8(true, 0), vp8(false, 6000)] {
        viewer.connection.send_video(STREAM, &sent);
        viewer.run(FRAME_TIME);
    }
    viewer.connection.skip_video(STREAM);
    for sent in [vp8(false, 3 * 6000), vp8(false, 4 * 6000), vp8(true, 5 * 6000), vp8(false, 6 * 6000)] {
        viewer.connection.send_video(STREAM, &sent);
        viewer.run(FRAME_TIME);
    }
    assert_eq!(seen_keys(&viewer, to), [true, false, true, false]);
    assert_eq!(viewer.keyframe_requests(STREAM), 2, "the subscription and the frame after the gap ask");
}

#[test]
fn of_two_sections_that_send_pictures_the_first_is_the_camera_and_the_other_is_dropped() {
    let mut line = Line::new(&[VideoCodec::Vp8]);
    let ((first, second), _) = line.negotiate(&[], |api| {
        let mut add = || api.add_media(MediaKind::Video, Direction::SendOnly, None, None, None);
        (add(), add())
    });
    line.run(Duration::from_secs(2));
    for number in 0..5 {
        for (mid, time) in [(first, number * 6000), (second, 1_000_000 + number * 6000)] {
            let data = frame(VideoCodec::Vp8, number == 0);
            line.client.write(mid, Codec::Vp8, Frequency::NINETY_KHZ, time, &data, None);
        }
        line.run(FRAME_TIME);
    }
    let times: Vec<u64> = line.frames().iter().map(|frame| frame.rtp_time).collect();
    assert_eq!(times.len(), 5, "the frames of one section: {times:?}");
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] == 6000), "of one clock: {times:?}");
}

#[test]
fn a_frame_of_a_stream_that_is_not_subscribed_or_of_another_codec_is_not_sent() {
    let (mut viewer, to) = viewer();
    viewer.connection.send_video(STREAM + 1, &vp8(true, 0));
    let h264 = VideoFrame::new(VideoCodec::H264, Bytes::from(frame(VideoCodec::H264, true)), 0, true);
    viewer.connection.send_video(STREAM, &h264);
    viewer.run(Duration::from_secs(1));
    assert_eq!(viewer.client.media(to).len(), 0);
}

#[test]
fn a_viewer_that_asks_for_a_key_frame_asks_for_one_of_its_stream() {
    let (mut viewer, to) = viewer();
    viewer.connection.send_video(STREAM, &vp8(true, 0));
    viewer.run(FRAME_TIME);
    let before = viewer.keyframe_requests(STREAM);
    viewer.client.request_keyframe(to);
    viewer.run(Duration::from_secs(1));
    assert_eq!(viewer.keyframe_requests(STREAM), before + 1);
}

#[test]
fn the_server_can_ask_a_camera_for_a_key_frame() {
    let (mut camera, from, mut viewer, to) = connected(&[VideoCodec::Vp8]);
    // Also before its first frame, as the offer names its SSRC.
    for asked in 1..=2 {
        camera.connection.request_keyframe();
        camera.run(Duration::from_secs(1));
        assert_eq!(camera.client.keyframe_requests(from), asked);
        let data = frame(VideoCodec::Vp8, true);
        camera.client.write(from, Codec::Vp8, Frequency::NINETY_KHZ, 0, &data, None);
        camera.run(FRAME_TIME);
    }

    // A viewer has no camera.
    viewer.connection.request_keyframe();
    viewer.run(Duration::from_secs(1));
    assert_eq!(viewer.client.keyframe_requests(to), 0);
}

/// So many frames of which packets are lost, and then 120 without loss. The camera sends the key frame that it is asked for.
fn camera_that_loses(lossy_frames: u64, mut loses: impl FnMut(&[u8]) -> bool + 'static) -> (Line, Mid) {
    let (mut camera, from, ..) = connected(&[VideoCodec::Vp8]);
    camera.carries = Box::new(move |to_server, datagram| !to_server || !loses(datagram));
    let mut requests = 0;
    for number in 0..lossy_frames + 120 {
        if number == lossy_frames {
            camera.carries = Box::new(|_, _| true);
        }
        let requested = camera.client.keyframe_requests(from) > requests;
        requests = camera.client.keyframe_requests(from);
        let data = frame(VideoCodec::Vp8, number == 0 || requested);
        camera.client.write(from, Codec::Vp8, Frequency::NINETY_KHZ, number * 6000, &data, None);
        camera.run(FRAME_TIME);
    }
    camera.run(Duration::from_secs(1));
    (camera, from)
}

/// RTP, which is neither STUN nor DTLS nor RTCP: <https://www.rfc-editor.org/rfc/rfc7983#section-7>.
fn is_rtp(datagram: &[u8]) -> bool {
    datagram.first().is_some_and(|first| (128..192).contains(first))
        && datagram.get(1).is_some_and(|second| !(64..96).contains(&(second & 0x7f)))
}

#[test]
fn lost_packets_of_a_camera_are_sent_again() {
    let mut packets = 0;
    let (camera, from) = camera_that_loses(20, move |datagram| {
        packets += usize::from(is_rtp(datagram));
        is_rtp(datagram) && packets % 10 == 2
    });
    let frames = camera.frames();
    assert_eq!(frames.len(), 140);
    assert!(frames.iter().all(|frame| frame.contiguous));
    assert_eq!(camera.client.keyframe_requests(from), 0);
}

#[test]
fn a_camera_of_which_frames_are_lost_for_good_is_asked_for_a_key_frame() {
    // The first frame arrives, those of the next 10 seconds do not, and by then they are too old to be sent again.
    let mut packets = 0;
    let (camera, from) = camera_that_loses(150, move |datagram| {
        packets += usize::from(is_rtp(datagram));
        is_rtp(datagram) && packets > 3
    });
    assert!(camera.client.keyframe_requests(from) >= 1);
    let frames = camera.frames();
    let gaps = frames.iter().filter(|frame| !frame.contiguous).count();
    assert!(gaps >= 1, "a gap is marked");
    assert!(frames.iter().filter(|frame| frame.keyframe).count() >= 2);
    assert!(frames.last().is_some_and(|frame| frame.contiguous));
}
