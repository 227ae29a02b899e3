//! The bytes of `sdk-frames.json` are those of the SDK's own encoder: a test of the call page encodes its objects anew and compares.

use std::collections::BTreeMap;

use super::*;
use crate::captions::{
    Caption, CaptionEntity, CaptionItem, CaptionStatus, CaptionStatusKind, CaptionWords, event,
};

fn sdk_frames() -> serde_json::Value {
    serde_json::from_str(include_str!("sdk-frames.json")).expect("a file of this repository")
}

fn stream() -> StreamDescriptor {
    StreamDescriptor {
        stream_id: Some(7),
        framerate: Some(15),
        max_bitrate_kbps: Some(1500),
        track_label: None,
        group_id: Some(7),
        avg_bitrate_bps: Some(750_000),
        attendee_id: Some("a".to_owned()),
        media_type: Some(VIDEO),
        external_user_id: Some("u".to_owned()),
        width: Some(640),
        height: Some(480),
    }
}

fn audio(id: u32) -> AudioStream {
    AudioStream { audio_stream_id: Some(id), ..AudioStream::default() }
}

/// The frames of the file by their names, made here.
fn ours() -> BTreeMap<&'static str, SignalFrame> {
    let label = Some("AmazonChimeExpressVideo".to_owned());
    let payload = DataPayload {
        topic: "chat".to_owned(),
        data: Some(Bytes::from_static(&[1, 2, 255])),
        lifetime_ms: Some(0),
        sender_attendee_id: Some("a".to_owned()),
        ingest_time_ns: Some(1_700_000_000_000_000_000),
        sender_external_user_id: Some("u".to_owned()),
    };
    let level = |id, volume, muted, signal| AttendeeState {
        audio_stream_id: Some(id),
        volume: Some(volume),
        muted,
        signal_strength: Some(signal),
    };
    let present = AudioStream {
        attendee_id: Some("a".to_owned()),
        muted: Some(false),
        external_user_id: Some("u".to_owned()),
        ..audio(5)
    };
    let index = Index { at_capacity: Some(false), num_participants: Some(0), ..Index::default() };
    let bodies = [
        (
            "join_ack",
            Body::JoinAck(JoinAck {
                video_subscription_limit: Some(25),
                wants_compressed_sdp: Some(false),
                default_server_side_network_adaption: Some(4),
            }),
        ),
        (
            "subscribe",
            Body::Subscribe(Subscribe {
                duplex: Some(3),
                send_streams: vec![StreamDescriptor { track_label: label.clone(), ..stream() }],
                receive_stream_ids: vec![0, 300, 2],
                sdp_offer: Some("v=0".to_owned()),
                audio_muted: Some(false),
                compressed_sdp_offer: None,
            }),
        ),
        (
            "subscribe_ack",
            Body::SubscribeAck(SubscribeAck {
                allocations: vec![StreamAllocation {
                    track_label: label,
                    stream_id: Some(3),
                    group_id: Some(3),
                }],
                sdp_answer: Some("v=0".to_owned()),
                tracks: vec![TrackMapping {
                    stream_id: Some(7),
                    ssrc: Some(4_000_000_000),
                    track_label: Some("v_2".to_owned()),
                }],
            }),
        ),
        (
            "index",
            Body::Index(Index {
                sources: vec![stream()],
                num_participants: Some(2),
                supported_receive_codec_intersection: vec![3, 1],
                ..index.clone()
            }),
        ),
        ("empty_index", Body::Index(index)),
        ("pause_resume", Body::PauseResume(PauseResume { stream_ids: vec![1, 200] })),
        ("leave_ack", Body::LeaveAck(Empty {})),
        ("audio_control", Body::AudioControl(AudioControl { muted: Some(true) })),
        (
            "audio_metadata",
            Body::AudioMetadata(AudioMetadata {
                attendee_states: vec![level(5, 20, None, 2), level(6, 0, Some(false), 0)],
            }),
        ),
        (
            "presence",
            Body::AudioStreamIdInfo(AudioStreamIdInfo {
                streams: vec![
                    present,
                    AudioStream { muted: Some(true), ..audio(6) },
                    audio(7),
                    AudioStream { dropped: Some(true), ..audio(8) },
                ],
            }),
        ),
        ("pong", Body::PingPong(PingPong { kind: PONG, ping_id: 9 })),
        ("audio_status", Body::AudioStatus(AudioStatus { audio_status: Some(410) })),
        ("data_message", Body::DataMessage(DataMessage { messages: vec![payload] })),
    ];
    let frames = bodies.into_iter().map(|(name, body)| (name, SignalFrame::new(body)));
    frames.chain([("error", SignalFrame::error(206, "no"))]).collect()
}

#[test]
fn each_frame_has_the_bytes_of_the_sdks_encoder_and_is_read_back() {
    let file = sdk_frames();
    let theirs: BTreeMap<&str, &str> = file["frames"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|frame| Some((frame["name"].as_str()?, frame["hex"].as_str()?)))
        .collect();
    let ours = ours();
    assert_eq!(theirs.keys().collect::<Vec<_>>(), ours.keys().collect::<Vec<_>>());
    for (name, frame) in ours {
        let message = frame.clone().into_message(1_700_000_000_000);
        assert_eq!(message.first(), Some(&FRAME_TYPE_RTC));
        assert_eq!(hex::encode(&message[1..]), theirs[name], "{name}");
        let read = SignalFrame::from_message(&message).expect("its own bytes");
        assert_eq!(read, SignalFrame { timestamp_ms: 1_700_000_000_000, ..frame }, "{name}");
    }
}

#[test]
fn captions_have_the_bytes_of_the_sdks_encoder() {
    let status = |kind, message: Option<&str>| {
        Caption::Status(CaptionStatus {
            kind,
            at_ms: 3,
            region: "us-east-1".to_owned(),
            configuration: "{}".to_owned(),
            message: message.map(ToOwned::to_owned),
        })
    };
    let item = CaptionItem {
        content: "it".to_owned(),
        punctuation: false,
        start_ms: 1,
        end_ms: 2,
        attendee_id: "a".to_owned(),
        external_user_id: "u".to_owned(),
        confidence: None,
        stable: None,
    };
    let words = CaptionWords {
        result_id: "r".to_owned(),
        partial: true,
        start_ms: 1,
        end_ms: 2,
        transcript: "it".to_owned(),
        items: vec![item.clone()],
        entities: Vec::new(),
        language: None,
    };
    let whole = CaptionWords {
        partial: false,
        items: vec![
            CaptionItem { confidence: Some(0.5), stable: Some(true), ..item.clone() },
            CaptionItem { content: ".".to_owned(), punctuation: true, ..item },
        ],
        transcript: "it.".to_owned(),
        entities: vec![CaptionEntity {
            category: "PHI".to_owned(),
            kind: Some("NAME".to_owned()),
            content: "it".to_owned(),
            confidence: 0.25,
            start_ms: 1,
            end_ms: 2,
        }],
        language: Some(("sw-KE".to_owned(), 0.75)),
        ..words.clone()
    };
    let captions = [
        status(CaptionStatusKind::Started, None),
        Caption::Words(words),
        Caption::Words(whole),
        status(CaptionStatusKind::Interrupted, Some("lost")),
        status(CaptionStatusKind::Resumed, None),
        status(CaptionStatusKind::Stopped, None),
        status(CaptionStatusKind::Failed, Some("why")),
    ];
    let frame = TranscriptFrame { events: captions.into_iter().map(event).collect() };
    assert_eq!(Some(hex::encode(frame.encode_to_vec()).as_str()), sdk_frames()["transcript"]["hex"].as_str());
}

#[test]
fn what_is_no_frame_is_an_error() {
    for message in [&[][..], &[2, 8, 1], &[5, 0xff], &[5, 10, 200, 1]] {
        assert!(SignalFrame::from_message(message).is_err(), "{message:?}");
    }
}

#[test]
fn a_frame_of_a_type_that_is_not_read_is_no_error() {
    // CLIENT_METRIC with a member that is not declared here.
    let message = [5, 8, 1, 16, 21, 178, 1, 2, 8, 1];
    let frame = SignalFrame::from_message(&message).expect("unknown members are skipped");
    assert_eq!((frame.frame_type(), frame.body), (Some(FrameType::ClientMetric), None));
}
