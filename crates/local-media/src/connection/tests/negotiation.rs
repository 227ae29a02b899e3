//! Each change is a new offer on the same connection.

use std::time::Duration;

use bytes::Bytes;
use str0m::change::SdpAnswer;
use str0m::media::{Direction, MediaKind};

use super::super::{ConnectionEvent, VideoCodec, VideoFrame};
use super::ALL;
use super::client::Line;
use super::codecs::frame;

const FRAME_TIME: Duration = Duration::from_millis(66);

fn vp8(key: bool, rtp_time: u64) -> VideoFrame {
    VideoFrame::new(VideoCodec::Vp8, Bytes::from(frame(VideoCodec::Vp8, key)), rtp_time, key)
}

fn subscribed(line: &Line) -> Vec<u32> {
    line.connection.subscribed_streams().collect()
}

#[test]
fn a_call_of_many_offers_keeps_its_connection_and_its_pictures() {
    let mut line = Line::new(&ALL);
    let (camera, answer) = line.negotiate(&[0], |api| {
        api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        api.add_media(MediaKind::Video, Direction::Inactive, None, None, None)
    });
    assert!(!answer.sends_video);
    line.run(Duration::from_secs(2));

    let mut videos = Vec::new();
    for stream_id in [10, 20, 30] {
        let ids: Vec<u32> =
            [0].into_iter().chain(videos.iter().map(|(id, _)| *id)).chain([stream_id]).collect();
        let (mid, answer) = line
            .negotiate(&ids, |api| api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None));
        videos.push((stream_id, mid));
        let labels: Vec<String> = answer.tracks.iter().map(|track| track.label.clone()).collect();
        let expected: Vec<String> = videos.iter().map(|(_, mid)| format!("v_{mid}")).collect();
        assert_eq!(labels, expected);
        line.connection.send_video(stream_id, &vp8(true, 0));
        line.run(FRAME_TIME);
    }
    for on in [true, false, true] {
        let direction = if on { Direction::SendRecv } else { Direction::Inactive };
        let ((), answer) = line.negotiate(&[0, 10, 20, 30], |api| api.set_direction(camera, direction));
        assert_eq!(answer.sends_video, on);
        // Still subscribed: no new key frame is needed.
        for (number, (stream_id, _)) in (1..).zip(&videos) {
            line.connection.send_video(*stream_id, &vp8(false, number * 6000));
        }
        line.run(FRAME_TIME);
    }
    line.run(Duration::from_secs(1));
    assert_eq!(subscribed(&line), [10, 20, 30]);
    for (stream_id, mid) in videos {
        assert_eq!(line.keyframe_requests(stream_id), 1);
        assert_eq!(line.client.media(mid).len(), 4, "stream {stream_id}");
    }
    assert_eq!(line.events(|event| matches!(event, ConnectionEvent::Connected)), 1);
    assert_eq!(line.events(|event| matches!(event, ConnectionEvent::Lost)), 0);
}

#[test]
fn a_stream_that_is_not_wanted_any_more_is_not_sent() {
    let mut line = Line::new(&ALL);
    let (mid, _) = line.negotiate(&[10], |api| {
        api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
        api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None)
    });
    line.run(Duration::from_secs(2));
    line.connection.send_video(10, &vp8(true, 0));
    line.run(FRAME_TIME);
    let ((), answer) = line.negotiate(&[0], |api| api.stop_media(mid));
    assert_eq!(answer.tracks, []);
    assert_eq!(subscribed(&line), [0_u32; 0]);
    line.connection.send_video(10, &vp8(true, 6000));
    line.run(Duration::from_millis(500));
    assert_eq!(line.client.media(mid).len(), 1);
}

#[test]
fn the_clock_of_a_section_runs_forward_when_its_stream_changes() {
    let mut line = Line::new(&ALL);
    let (mid, _) =
        line.negotiate(&[10], |api| api.add_media(MediaKind::Video, Direction::RecvOnly, None, None, None));
    line.run(Duration::from_secs(2));
    // The clocks of two cameras have nothing to do with each other.
    let (first, second) = (4_000_000_000, 1_000);
    for number in 0..3 {
        line.connection.send_video(10, &vp8(number == 0, first + number * 6000));
        line.run(FRAME_TIME);
    }
    // The SDK keeps the section and names another stream for it; the other section makes it an offer.
    let (other, answer) =
        line.negotiate(&[20], |api| api.add_media(MediaKind::Video, Direction::Inactive, None, None, None));
    assert_eq!(answer.tracks.len(), 1);
    line.run(Duration::ZERO);
    assert_eq!(line.keyframe_requests(20), 1);
    line.connection.send_video(10, &vp8(true, first + 4 * 6000));
    for number in 0..3 {
        line.connection.send_video(20, &vp8(number != 0, second + number * 6000));
        line.run(FRAME_TIME);
    }
    // Nobody for a while, and then the first one again.
    line.negotiate(&[0], |api| api.set_direction(other, Direction::RecvOnly));
    line.run(Duration::from_secs(1));
    line.negotiate(&[10, 0], |api| api.set_direction(other, Direction::Inactive));
    line.connection.send_video(10, &vp8(true, first + 30 * 6000));
    line.run(Duration::from_secs(1));

    let times: Vec<u64> = line.client.media(mid).iter().map(|media| media.time.numer()).collect();
    assert_eq!(times.len(), 6);
    let steps: Vec<u64> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).collect();
    let passed: u64 = steps.iter().sum();
    assert!(steps.iter().all(|step| *step > 0), "{steps:?}");
    assert!(passed < 3 * 90_000, "a clock does not jump: {steps:?}");
}

#[test]
fn a_client_whose_candidates_cannot_be_resolved_connects() {
    let mut line = Line::new(&ALL);
    let mut api = line.client.rtc.sdp_api();
    api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None);
    let (offer, pending) = api.apply().expect("a section was added");
    let offer = offer.to_sdp_string().replace(" 192.0.2.2 ", " 4d0a3f9c-6c1e-4b1f-9d3e-0a1b2c3d4e5f.local ");
    assert!(offer.contains(".local "));
    let answer = line.connection.answer(&offer, &[], line.now).expect("the offer is accepted");
    let answer = SdpAnswer::from_sdp_string(&answer.sdp).expect("the answer is a description");
    line.client.rtc.sdp_api().accept_answer(pending, answer).expect("the client accepts the answer");
    line.run(Duration::from_secs(2));
    assert_eq!(line.events(|event| matches!(event, ConnectionEvent::Connected)), 1);
}

#[test]
fn an_ice_restart_keeps_the_connection() {
    let mut line = Line::new(&ALL);
    line.negotiate(&[], |api| api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
    line.run(Duration::from_secs(2));
    line.negotiate(&[], |api| {
        api.ice_restart(true);
    });
    line.run(Duration::from_secs(30));
    assert_eq!(line.events(|event| matches!(event, ConnectionEvent::Lost)), 0);
    assert!(line.client.rtc.is_connected());
}
