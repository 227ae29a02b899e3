//! Connections against a client that is another `Rtc`: full ICE, in memory, in virtual time.

mod client;
mod codecs;
mod failures;
mod malformed;
mod negotiation;
mod offers;
mod video;

use std::time::Duration;

use str0m::format::Codec;
use str0m::media::{Direction, Frequency, MediaKind};

use client::{Line, SERVER};

use super::{Connection, ConnectionEvent, Poll, VideoCodec};

const ALL: [VideoCodec; 4] = [VideoCodec::Vp9, VideoCodec::H264, VideoCodec::Vp8, VideoCodec::Av1];

#[test]
fn a_client_connects_and_that_is_reported_once() {
    let mut line = Line::new(&ALL);
    line.negotiate(&[], |api| api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
    line.run(Duration::from_secs(2));
    let connected = line.events(|event| matches!(event, ConnectionEvent::Connected));
    assert_eq!(connected, 1);
    assert!(line.client.rtc.is_connected());
}

#[test]
fn sound_goes_both_ways_with_its_level_and_its_time() {
    let mut line = Line::new(&ALL);
    let (mid, _) =
        line.negotiate(&[], |api| api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
    line.run(Duration::from_secs(2));

    for packet in 0..10_u8 {
        let time = u64::from(packet) * 960 + 5000;
        line.client.write(mid, Codec::Opus, Frequency::FORTY_EIGHT_KHZ, time, &[0xfc, packet], Some(-33));
        line.connection.send_audio(&[0xf8, packet], 960 * u64::from(packet), Some(40), line.now);
        line.run(Duration::from_millis(20));
    }
    line.run(Duration::from_millis(200));

    let received: Vec<(Vec<u8>, u64)> = line
        .happened
        .iter()
        .filter_map(|event| match event {
            ConnectionEvent::Audio { packet, rtp_time } => Some((packet.to_vec(), *rtp_time)),
            _ => None,
        })
        .collect();
    let first = received.first().map_or(0, |(_, time)| *time);
    let expected: Vec<_> =
        (0..10_u8).map(|packet| (vec![0xfc, packet], first + 960 * u64::from(packet))).collect();
    assert_eq!(received, expected);

    let heard: Vec<_> = line.client.media(mid);
    assert_eq!(heard.len(), 10, "the client receives each packet once");
    for (packet, media) in (0..10_u8).zip(&heard) {
        assert_eq!(media.data[..], [0xf8, packet]);
        assert_eq!(media.ext_vals.audio_level, Some(-40));
        assert_eq!(media.time.numer() - heard[0].time.numer(), 960 * u64::from(packet));
    }
}

#[test]
fn sound_before_the_connection_is_dropped_and_does_not_arrive_later() {
    let mut line = Line::new(&ALL);
    let (mid, _) =
        line.negotiate(&[], |api| api.add_media(MediaKind::Audio, Direction::SendRecv, None, None, None));
    for packet in 0..100 {
        line.connection.send_audio(&[0xf8], 960 * packet, None, line.now);
    }
    line.run(Duration::from_secs(2));
    assert_eq!(line.client.media(mid).len(), 0);
}

#[test]
fn an_address_that_a_client_cannot_reach_is_refused() {
    let now = std::time::Instant::now();
    let unspecified = "0.0.0.0:4000".parse().expect("it is an address");
    assert!(Connection::new(unspecified, &ALL, now).is_err());
    assert!(Connection::new(SERVER.parse().expect("it is an address"), &[], now).is_ok());
}

#[test]
fn a_new_connection_waits_and_sends_nothing() {
    let mut line = Line::new(&ALL);
    line.connection.tick(line.now);
    assert!(matches!(line.connection.poll(), Poll::Wait(_)));
}
