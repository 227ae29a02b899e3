//! What Chromium and the Chime SDK 3.32.0 offer, one after the other in one call: captured from the call page.

use std::time::Instant;

use crate::sdp::{self, Direction, Section};

use super::super::{Answer, Connection, VideoCodec};
use super::ALL;
use super::client::SERVER;

/// A receiver joins.
pub(super) const RECEIVE_ONLY: &str = include_str!("offers/receive_only.sdp");
/// Its camera starts.
pub(super) const CAMERA_ON: &str = include_str!("offers/camera_on.sdp");
/// The video of another one comes, as mid 2.
pub(super) const ONE_VIDEO: &str = include_str!("offers/one_video.sdp");
/// It goes: port 0.
pub(super) const VIDEO_STOPPED: &str = include_str!("offers/video_stopped.sdp");
/// It comes again, in the same place as mid 3.
pub(super) const SECTION_REUSED: &str = include_str!("offers/section_reused.sdp");
/// A screen comes too. Mid 3 is stopped, mids 4 and 5 are added.
pub(super) const TWO_VIDEOS: &str = include_str!("offers/two_videos.sdp");

pub(super) const CALL: [(&str, &[u32]); 6] = [
    (RECEIVE_ONLY, &[0]),
    (CAMERA_ON, &[0]),
    (ONE_VIDEO, &[0, 100]),
    (VIDEO_STOPPED, &[0, 0]),
    (SECTION_REUSED, &[0, 100]),
    (TWO_VIDEOS, &[0, 0, 100, 110]),
];

fn new_connection(codecs: &[VideoCodec]) -> Connection {
    let server = SERVER.parse().expect("it is an address");
    Connection::new(server, codecs, Instant::now()).expect("it is a loopback address")
}

fn answers(codecs: &[VideoCodec], offers: &[(&str, &[u32])]) -> Vec<Answer> {
    let mut connection = new_connection(codecs);
    offers
        .iter()
        .map(|(offer, ids)| connection.answer(offer, ids, Instant::now()).expect("a real offer is accepted"))
        .collect()
}

fn section_of<'a>(answer: &'a str, mid: &str) -> &'a str {
    answer
        .split("\r\nm=")
        .find(|section| section.contains(&format!("\r\na=mid:{mid}\r\n")))
        .expect("the answer has the section")
}

fn mirrored(offer: &Section, answer: &Section) -> bool {
    let expected = match offer.direction {
        Direction::SendRecv => Direction::SendRecv,
        Direction::SendOnly => Direction::RecvOnly,
        Direction::RecvOnly => Direction::SendOnly,
        Direction::Inactive => Direction::Inactive,
    };
    (&answer.mid, answer.kind, answer.direction, answer.stopped)
        == (&offer.mid, offer.kind, expected, offer.stopped)
}

#[test]
fn each_answer_has_the_sections_of_its_offer_with_mirrored_directions() {
    for ((offer, _), answer) in CALL.iter().zip(answers(&ALL, &CALL)) {
        let offered = sdp::sections(offer).expect("it is an offer");
        let answered = sdp::sections(&answer.sdp).expect("it is an answer");
        assert_eq!(offered.len(), answered.len());
        for (offered, answered) in offered.iter().zip(&answered) {
            assert!(mirrored(offered, answered), "{offered:?} is answered by {answered:?}");
        }
    }
}

#[test]
fn the_camera_is_on_when_its_section_says_so() {
    let sends: Vec<bool> = answers(&ALL, &CALL).iter().map(|answer| answer.sends_video).collect();
    assert_eq!(sends, [false, true, true, true, true, true]);
}

#[test]
fn each_track_has_the_label_that_the_sdk_looks_for_and_the_ssrc_of_its_section() {
    let answers = answers(&ALL, &CALL);
    let tracks: Vec<Vec<(u32, &str)>> = answers
        .iter()
        .map(|answer| answer.tracks.iter().map(|track| (track.stream_id, track.label.as_str())).collect())
        .collect();
    let expected: [&[(u32, &str)]; 6] =
        [&[], &[], &[(100, "v_2")], &[], &[(100, "v_3")], &[(100, "v_4"), (110, "v_5")]];
    assert_eq!(tracks, expected);
    for track in answers.iter().flat_map(|answer| answer.tracks.iter().map(|track| (track, &answer.sdp))) {
        let (track, sdp) = track;
        let label = &track.label;
        let section = section_of(sdp, label.trim_start_matches("v_"));
        let msid = format!("\r\na=msid:{label} {label}_track\r\n");
        let ssrc = format!("\r\na=ssrc:{} msid:{label} {label}_track\r\n", track.ssrc);
        assert!(section.contains(&msid), "{section}");
        assert!(section.contains(&ssrc), "{section}");
    }
}

#[test]
fn every_stream_of_an_answer_is_named_after_its_section() {
    for answer in answers(&ALL, &CALL) {
        let mut mid = "";
        let (mut names, mut expected) = (Vec::new(), Vec::new());
        // a=mid precedes a=msid in each section.
        for line in answer.sdp.lines() {
            mid = line.strip_prefix("a=mid:").unwrap_or(mid);
            let name = line.strip_prefix("a=msid:").or_else(|| {
                line.strip_prefix("a=ssrc:").and_then(|rest| rest.split_once(" msid:")).map(|(_, name)| name)
            });
            if let Some(name) = name {
                names.push(name.split(' ').next().unwrap_or_default());
                expected.push(format!("v_{mid}"));
            }
        }
        assert!(names.len() >= 2, "{}", answer.sdp);
        assert_eq!(names, expected);
    }
}

#[test]
fn plain_opus_is_answered_where_red_is_preferred() {
    assert!(RECEIVE_ONLY.contains("m=audio 46375 UDP/TLS/RTP/SAVPF 63 111 "));
    let answer = &answers(&ALL, &CALL[..1])[0].sdp;
    assert!(section_of(answer, "0").starts_with("audio 9 UDP/TLS/RTP/SAVPF 111\r\n"));
    assert!(!answer.contains("red/48000"));
}

#[test]
fn only_the_allowed_codecs_are_answered_and_they_are_reported() {
    for (codecs, names) in [
        (vec![VideoCodec::H264], vec!["H264"]),
        (vec![VideoCodec::Vp8], vec!["VP8"]),
        (vec![VideoCodec::Vp9, VideoCodec::Vp8], vec!["VP9", "VP8"]),
        (ALL.to_vec(), vec!["VP9", "H264", "VP8", "AV1"]),
    ] {
        let answers = answers(&codecs, &CALL);
        for answer in &answers {
            assert_eq!(answer.codecs, codecs);
            let camera = section_of(&answer.sdp, "1");
            let answered: Vec<&str> = camera
                .lines()
                .filter_map(|line| line.strip_prefix("a=rtpmap:")?.split_once(' '))
                .filter_map(|(_, codec)| codec.strip_suffix("/90000"))
                .filter(|codec| *codec != "rtx")
                .collect();
            assert_eq!(answered, names);
        }
    }
    let h264 = &answers(&[VideoCodec::H264], &CALL[..1])[0].sdp;
    assert!(h264.contains("packetization-mode=1;profile-level-id=42e01f"), "{h264}");
}

#[test]
fn a_client_that_offers_none_of_the_codecs_keeps_its_sound() {
    let firefox = ONE_VIDEO.replace("H264/90000", "X264/90000");
    let answer = &answers(&[VideoCodec::H264], &[(&firefox, &[0, 100])])[0];
    assert_eq!(answer.codecs, []);
    assert_eq!(answer.tracks, []);
    assert!(section_of(&answer.sdp, "0").starts_with("audio 9 "));
    for mid in ["1", "2"] {
        let section = section_of(&answer.sdp, mid);
        assert!(section.starts_with("video 0 UDP/TLS/RTP/SAVPF 0\r\n"), "{section}");
    }
}

#[test]
fn the_server_is_ice_lite_with_one_candidate() {
    let answer = &answers(&ALL, &CALL)[5].sdp;
    assert!(answer.contains("\r\na=ice-lite\r\n"));
    let candidates: Vec<&str> = answer.lines().filter(|line| line.starts_with("a=candidate:")).collect();
    assert_eq!(candidates.len(), 1);
    assert!(candidates[0].contains(" 127.0.0.1 4000 typ host"), "{candidates:?}");
}

#[test]
fn simulcast_is_not_negotiated() {
    let simulcast =
        CAMERA_ON.replace("a=mid:1\n", "a=mid:1\na=rid:hi send\na=rid:low send\na=simulcast:send low;hi\n");
    assert_ne!(simulcast, CAMERA_ON);
    let answer = &answers(&ALL, &[(&simulcast, &[0])])[0].sdp;
    assert!(!answer.contains("simulcast") && !answer.contains("a=rid"), "{answer}");
}

#[test]
fn candidates_whose_names_cannot_be_resolved_are_accepted() {
    let mdns = RECEIVE_ONLY.replace(" 192.0.2.2 ", " 4d0a3f9c-6c1e-4b1f-9d3e-0a1b2c3d4e5f.local ");
    assert_eq!(mdns.matches(".local ").count(), 2);
    assert_eq!(answers(&ALL, &[(&mdns, &[0])]).len(), 1);
}
