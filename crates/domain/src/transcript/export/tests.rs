use std::str::FromStr;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::transcript::gaps::GapReason;
use crate::transcript::{Source, Span};

fn segment(number: u32, start_ms: i64, end_ms: i64, label: &str, text: &str) -> Segment {
    Segment {
        number,
        start_ms,
        end_ms,
        speaker: Speaker { user_id: None, role: None, label: label.to_owned() },
        text: text.to_owned(),
        language: "en-US".to_owned(),
        confidence: Some(0.9),
        spans: Vec::new(),
        source: Source::Live,
        unfinished: false,
        revoked: false,
    }
}

fn gap(start_ms: i64, end_ms: i64, reason: GapReason) -> Gap {
    Gap { start_ms, end_ms, reason }
}

/// A cue as an independent parser reads it: start, end, label, text.
type Read = (Duration, Duration, String, String);

fn read_vtt(file: &str) -> Vec<Read> {
    let parsed = vtt::WebVtt::from_str(file).expect("WebVTT");
    assert!(parsed.header.metadata.is_empty());
    let read = |cue: &vtt::VttCue| {
        let (label, text) = match cue.payload.strip_prefix("<v ") {
            Some(voice) => voice.split_once('>').expect("the voice ends"),
            None => ("", cue.payload.as_str()),
        };
        assert!(!text.contains(['<', '>']), "no markup: {text}");
        let unescape = |text| quick_xml::escape::unescape(text).expect("escapes").into_owned();
        (cue.start.as_duration(), cue.end.as_duration(), unescape(label), unescape(text))
    };
    parsed.cues.iter().map(read).collect()
}

fn read_srt(file: &str) -> Vec<Read> {
    let read = |(at, item): (usize, srtparse::Item)| {
        assert_eq!(item.pos, at + 1);
        let (label, text) = item.text.split_once(": ").unwrap_or(("", item.text.as_str()));
        (item.start_time.into(), item.end_time.into(), label.to_owned(), text.to_owned())
    };
    srtparse::from_str(file).expect("SubRip").into_iter().enumerate().map(read).collect()
}

/// The cues that the segments are to become. Lines are trimmed, and empty ones left out.
fn expected(segments: &[Segment]) -> Vec<Read> {
    let ms = |ms: i64| Duration::from_millis(u64::try_from(ms).expect("not negative"));
    let cue = |segment: &Segment| {
        let text: Vec<String> = lines(&segment.text);
        let end_ms = segment.end_ms.max(segment.start_ms + 1);
        (ms(segment.start_ms), ms(end_ms), segment.speaker.label.clone(), text.join("\n"))
    };
    segments.iter().map(cue).filter(|cue| !cue.3.is_empty()).collect()
}

const HOSTILE: [&str; 13] = [
    "a < b & c > d, &amp; &lt;i&gt;",
    "00:00:00.000 --> 00:00:01.000",
    "first\n\nsecond\r\n\r\nthird\r\rfourth",
    "\n\n\n",
    "<script>alert(1)</script>",
    "</v><v provider>it was not me",
    "عندي صداع شديد منذ يومين",
    "יש לי כאב ראש \u{202b}(חזק)\u{202c}",
    "🤕👩🏽‍⚕️ e\u{301}",
    "NOTE this is text",
    "STYLE\n::cue { display: none }\n\nWEBVTT",
    "7\n00:00:09,000 --> 00:00:10,000\nnot a cue",
    "a\0b\u{2028}\u{2029}c\u{feff}",
];

#[test]
fn independent_parsers_read_what_was_written() {
    let mut segments: Vec<Segment> = Vec::new();
    for (number, text) in (1..).zip(HOSTILE) {
        segments.push(segment(
            number,
            i64::from(number) * 1_000,
            i64::from(number) * 1_000 + 900,
            "provider",
            text,
        ));
    }
    // 100 hours, and a segment that takes no time.
    segments.push(segment(98, 360_000_000, 360_000_000, "patient (shared content)", "the hundredth hour"));
    segments.push(segment(99, 360_001_999, 363_661_042, "speaker 1", "the end"));
    let vtt = vtt(&segments, &[]);
    assert_eq!(read_vtt(&vtt), expected(&segments));
    assert!(vtt.contains("\n100:00:01.999 --> 101:01:01.042\n<v speaker 1>the end\n"), "{vtt}");
    let spaced: Vec<Read> = expected(&segments)
        .into_iter()
        .map(|(start, end, label, text)| (start, end, label, text.replace("-->", "-- >")))
        .collect();
    assert_eq!(read_srt(&srt(&segments, &[])), spaced);
}

#[test]
fn plain_text_has_a_line_for_each_segment_and_gap() {
    let segments = [
        segment(1, 1_500, 2_000, "provider", "does it\n\nhurt?"),
        segment(2, 9_000, 9_500, "patient", "yes"),
    ];
    let gaps = [gap(0, 1_000, GapReason::NotTranscribed), gap(3_000, 8_000, GapReason::Interrupted)];
    let expected = "[00:00:00.000] [not transcribed until 00:00:01.000]\n\
        [00:00:01.500] provider: does it hurt?\n\
        [00:00:03.000] [no text: the transcription was interrupted until 00:00:08.000]\n\
        [00:00:09.000] patient: yes\n";
    assert_eq!(text(&segments, &gaps), expected);
}

#[test]
fn a_gap_is_a_cue_in_its_place() {
    let segments = [segment(1, 0, 500, "provider", "a"), segment(2, 9_000, 9_500, "patient", "b")];
    let gaps = [gap(3_000, 8_000, GapReason::ConsentRevoked)];
    let read = read_vtt(&vtt(&segments, &gaps));
    let texts: Vec<&str> = read.iter().map(|cue| cue.3.as_str()).collect();
    assert_eq!(texts, ["a", "[no text: consent was revoked]", "b"]);
    assert_eq!(read_srt(&srt(&segments, &gaps)).len(), 3);
    assert_eq!(read_vtt(&vtt(&[], &[])), []);
    assert_eq!(srt(&[], &[]), "");
}

#[test]
fn the_canonical_json_has_one_spelling() {
    let spans = vec![Span {
        start: 0,
        end: 3,
        category: "PHI".into(),
        kind: Some("NAME".into()),
        confidence: Some(0.5),
    }];
    let segments = [Segment { spans, ..segment(1, 1_001, 2_500, "provider", "Ann \"–\" 🤕") }];
    let gaps = [gap(0, 1_000, GapReason::SilentService)];
    let id = "7d9f1c5e-0000-4000-8000-000000000001";
    let content = Content {
        transcript_id: id.parse().expect("an id"),
        appointment_id: id.parse().expect("an id"),
        session_id: id.parse().expect("an id"),
        language: "en-US",
        segments: &segments,
        gaps: &gaps,
    };
    let expected = format!(
        r#"{{"transcriptId":"{id}","appointmentId":"{id}","sessionId":"{id}","language":"en-US","segments":[{{"number":1,"start":1.001,"end":2.5,"speaker":{{"userId":null,"role":null,"label":"provider"}},"text":"Ann \"–\" 🤕","language":"en-US","confidence":0.9,"spans":[{{"start":0,"end":3,"category":"PHI","type":"NAME","confidence":0.5}}],"source":"live","unfinished":false,"revoked":false}}],"gaps":[{{"start":0.0,"end":1.0,"reason":"silent_service"}}]}}"#
    );
    assert_eq!(String::from_utf8(content.canonical()).as_deref(), Ok(expected.as_str()));
    assert_eq!(content.sha256().len(), 64);
    let other = [Segment { text: "Ann".into(), ..segments[0].clone() }];
    assert_ne!(content.sha256(), Content { segments: &other, ..content.clone() }.sha256());
    let read: Segment =
        serde_json::from_value(serde_json::to_value(&segments[0]).expect("JSON")).expect("a segment");
    assert_eq!(read, segments[0]);
}

/// The hash of the empty transcript, so that a change of the canonical form is seen: hashes are stored.
#[test]
fn the_hash_of_a_transcript_does_not_change() {
    let id = "7d9f1c5e-0000-4000-8000-000000000001";
    let content = Content {
        transcript_id: id.parse().expect("an id"),
        appointment_id: id.parse().expect("an id"),
        session_id: id.parse().expect("an id"),
        language: "en-US",
        segments: &[],
        gaps: &[],
    };
    assert_eq!(content.sha256(), "a7091dad7597ad0a231cdb8e946a5d483c8ed139e69d9016f3a90ee1e0dc7395");
}

fn some_text() -> impl Strategy<Value = String> {
    let part = prop_oneof![
        3 => "\\PC{0,12}",
        2 => "[-><&;: \\n\\r0-9]{0,8}",
        1 => proptest::sample::select(HOSTILE.to_vec()).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    proptest::collection::vec(part, 1..5).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_text_survives(
        texts in proptest::collection::vec((some_text(), 0..400_000_000_i64, 0..100_000_i64), 0..8),
    ) {
        let mut segments: Vec<Segment> = texts
            .into_iter()
            .map(|(text, start, length)| segment(1, start, start + length, "patient", &text))
            .collect();
        segments.sort_by_key(|segment| segment.start_ms);
        prop_assert_eq!(read_vtt(&vtt(&segments, &[])), expected(&segments));
        let spaced: Vec<Read> = expected(&segments)
            .into_iter()
            .map(|(start, end, label, text)| (start, end, label, text.replace("-->", "-- >")))
            .collect();
        prop_assert_eq!(read_srt(&srt(&segments, &[])), spaced);
        prop_assert_eq!(text(&segments, &[]).lines().count(), expected(&segments).len());
    }
}
