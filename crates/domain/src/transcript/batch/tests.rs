use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::id::UserId;
use crate::state::Role;
use crate::transcript::segments::assemble;

/// The example of the developer guide ("Example diarization output (batch)").
const EXAMPLE: &str = r#"{"jobName":"my-first-transcription-job","accountId":"111122223333","results":{"transcripts":[
    {"transcript":"I've been on hold for an hour. Sorry about that."}],"speaker_labels":{"channel_label":"ch_0","speakers":2,
    "segments":[{"start_time":"4.87","speaker_label":"spk_0","end_time":"6.88","items":[
      {"start_time":"4.87","speaker_label":"spk_0","end_time":"5.02"},{"start_time":"5.02","speaker_label":"spk_0","end_time":"5.17"},
      {"start_time":"5.17","speaker_label":"spk_0","end_time":"5.29"},{"start_time":"5.29","speaker_label":"spk_0","end_time":"5.64"},
      {"start_time":"5.64","speaker_label":"spk_0","end_time":"5.84"},{"start_time":"6.11","speaker_label":"spk_0","end_time":"6.26"},
      {"start_time":"6.26","speaker_label":"spk_0","end_time":"6.88"}]},
     {"start_time":"8.49","speaker_label":"spk_1","end_time":"9.24","items":[
      {"start_time":"8.49","speaker_label":"spk_1","end_time":"8.88"},{"start_time":"8.88","speaker_label":"spk_1","end_time":"9.05"},
      {"start_time":"9.05","speaker_label":"spk_1","end_time":"9.24"}]}]},"items":[
    {"id":0,"start_time":"4.87","speaker_label":"spk_0","end_time":"5.02","alternatives":[{"confidence":"1.0","content":"I've"}],"type":"pronunciation"},
    {"id":1,"start_time":"5.02","speaker_label":"spk_0","end_time":"5.17","alternatives":[{"confidence":"1.0","content":"been"}],"type":"pronunciation"},
    {"id":2,"start_time":"5.17","speaker_label":"spk_0","end_time":"5.29","alternatives":[{"confidence":"1.0","content":"on"}],"type":"pronunciation"},
    {"id":3,"start_time":"5.29","speaker_label":"spk_0","end_time":"5.64","alternatives":[{"confidence":"1.0","content":"hold"}],"type":"pronunciation"},
    {"id":4,"start_time":"5.64","speaker_label":"spk_0","end_time":"5.84","alternatives":[{"confidence":"1.0","content":"for"}],"type":"pronunciation"},
    {"id":5,"start_time":"6.11","speaker_label":"spk_0","end_time":"6.26","alternatives":[{"confidence":"1.0","content":"an"}],"type":"pronunciation"},
    {"id":6,"start_time":"6.26","speaker_label":"spk_0","end_time":"6.88","alternatives":[{"confidence":"0.4","content":"hour"}],"type":"pronunciation"},
    {"id":7,"speaker_label":"spk_0","alternatives":[{"confidence":"0.0","content":"."}],"type":"punctuation"},
    {"id":8,"start_time":"8.49","speaker_label":"spk_1","end_time":"8.88","alternatives":[{"confidence":"1.0","content":"Sorry"}],"type":"pronunciation"},
    {"id":9,"start_time":"8.88","speaker_label":"spk_1","end_time":"9.05","alternatives":[{"confidence":"0.902","content":"about"}],"type":"pronunciation"},
    {"id":10,"start_time":"9.05","speaker_label":"spk_1","end_time":"9.24","alternatives":[{"confidence":"1.0","content":"that"}],"type":"pronunciation"},
    {"id":11,"speaker_label":"spk_1","alternatives":[{"confidence":"0.0","content":"."}],"type":"punctuation"}],
    "audio_segments":[{"id":0,"transcript":"I've been on hold for an hour.","start_time":"4.87","end_time":"6.88","speaker_label":"spk_0","items":[0,1,2,3,4,5,6,7]},
    {"id":1,"transcript":"Sorry about that.","start_time":"8.49","end_time":"9.24","speaker_label":"spk_1","items":[8,9,10,11]}]},"status":"COMPLETED"}"#;

fn user(n: u8) -> UserId {
    format!("7d9f1c5e-0000-4000-8000-0000000000{n:02}").parse().expect("a UUID")
}

fn provider() -> Voice {
    Voice::Participant { user: user(1), role: Role::Provider }
}

fn patient() -> Voice {
    Voice::Participant { user: user(2), role: Role::Patient }
}

fn at(start_ms: i64, end_ms: i64) -> Interval {
    Interval { start_ms, end_ms }
}

fn gap(start_ms: i64, end_ms: i64) -> Gap {
    Gap { start_ms, end_ms, reason: GapReason::Interrupted }
}

fn recording<'a>(activity: &'a [(Voice, Interval)], gaps: &'a [Gap]) -> Recording<'a> {
    Recording { job: "job-1", offset_ms: 0, language: "en-US", activity, gaps, revoked: &[] }
}

/// `label [start-end] text` of each turn.
fn brief(turns: &[Turn]) -> Vec<String> {
    let segments = assemble(turns.to_vec());
    let line = |s: &crate::transcript::Segment| {
        format!("{} [{}-{}] {}", s.speaker.label, s.start_ms, s.end_ms, s.text)
    };
    segments.iter().map(line).collect()
}

fn example() -> Output {
    parse(EXAMPLE.as_bytes()).expect("an output")
}

#[test]
fn labels_become_participants_who_were_active() {
    let activity =
        [(patient(), at(4_500, 7_200)), (provider(), at(8_000, 9_500)), (provider(), at(6_800, 7_000))];
    let turns = fill(&example(), &recording(&activity, &[gap(0, 60_000)]));
    let expected =
        ["patient [4870-6880] I've been on hold for an hour.", "provider [8490-9240] Sorry about that."];
    assert_eq!(brief(&turns), expected);
    assert_eq!(
        (turns[0].source, turns[0].language.as_str(), turns[0].unfinished),
        (Source::Batch, "en-US", false)
    );
    assert_eq!(turns[0].confidence, Some(0.9143), "marks do not count");
    assert_eq!((turns[1].result.as_str(), turns[1].index), ("job-1", 1));
}

#[test]
fn a_label_without_a_majority_keeps_a_number() {
    let numbered =
        ["speaker 1 [4870-6880] I've been on hold for an hour.", "speaker 2 [8490-9240] Sorry about that."];
    for activity in [
        vec![],
        // Less than half of the label's time.
        vec![(patient(), at(4_870, 5_300)), (provider(), at(8_490, 8_700))],
        // Both were active all the time.
        vec![(patient(), at(0, 60_000)), (provider(), at(0, 60_000))],
    ] {
        assert_eq!(brief(&fill(&example(), &recording(&activity, &[gap(0, 60_000)]))), numbered);
    }
    // A rejoin: the same participant in two intervals, each of a part.
    let activity = [(patient(), at(4_870, 5_500)), (patient(), at(5_400, 6_900))];
    assert_eq!(
        brief(&fill(&example(), &recording(&activity, &[gap(0, 60_000)])))[0].split(' ').next(),
        Some("patient")
    );
}

#[test]
fn only_gaps_are_filled_and_none_of_a_revocation() {
    let turns = |gaps: &[Gap]| brief(&fill(&example(), &recording(&[], gaps)));
    assert_eq!(
        turns(&[gap(5_100, 5_700), gap(9_000, 60_000)]),
        ["speaker 1 [5170-5640] on hold", "speaker 2 [9050-9240] that."]
    );
    assert_eq!(turns(&[]), [""; 0]);
    let revoked = Gap { reason: GapReason::ConsentRevoked, ..gap(0, 60_000) };
    assert_eq!(turns(&[revoked, gap(8_000, 8_900)]), ["speaker 1 [8490-8880] Sorry"]);
    // Two gaps are two turns; a mark is where its word is.
    assert_eq!(
        turns(&[gap(5_000, 5_200), gap(6_200, 7_000)]),
        ["speaker 1 [5020-5170] been", "speaker 1 [6260-6880] hour."]
    );
}

#[test]
fn a_file_has_its_place_in_the_call() {
    let activity = [(patient(), at(604_000, 607_000))];
    let gaps = [gap(600_000, 607_000)];
    let late = Recording { offset_ms: 600_000, ..recording(&activity, &gaps) };
    assert_eq!(brief(&fill(&example(), &late)), ["patient [604870-606880] I've been on hold for an hour."]);
    let revoked = [at(606_000, 700_000)];
    assert!(fill(&example(), &Recording { revoked: &revoked, ..late }).iter().all(|turn| turn.revoked));
}

#[test]
fn labels_may_be_in_their_list_alone() {
    // The shape of older jobs and of Transcribe Medical: the items have no labels.
    let mut output: Value = serde_json::from_str(EXAMPLE).expect("JSON");
    for item in output["results"]["items"].as_array_mut().expect("items") {
        item.as_object_mut().expect("an item").remove("speaker_label");
    }
    assert_eq!(parse(output.to_string().as_bytes()).expect("an output").words, example().words);
}

#[test]
fn each_language_is_a_turn_of_its_own() {
    let mut output: Value = serde_json::from_str(EXAMPLE).expect("JSON");
    output["results"]["language_code"] = json!("en-US");
    let by_item = {
        let mut output = output.clone();
        output["results"]["items"][8]["language_code"] = json!("de-DE");
        output
    };
    let turns = |output: &Value| {
        fill(&parse(output.to_string().as_bytes()).expect("an output"), &recording(&[], &[gap(0, 60_000)]))
    };
    let languages =
        |output: &Value| turns(output).into_iter().map(|turn| (turn.language, turn.text)).collect::<Vec<_>>();
    let pair = |language: &str, text: &str| (language.to_owned(), text.to_owned());
    let first = pair("en-US", "I've been on hold for an hour.");
    assert_eq!(languages(&by_item), [first.clone(), pair("de-DE", "Sorry"), pair("en-US", "about that.")]);
    output["results"]["audio_segments"][1]["language_code"] = json!("hi-IN");
    assert_eq!(languages(&output), [first, pair("hi-IN", "Sorry about that.")]);
}

#[test]
fn a_long_pause_divides_what_one_speaker_says() {
    let word = |at: i64, content: &str| {
        json!({ "type": "pronunciation", "start_time": format!("{at}.0"), "end_time": format!("{at}.5"),
        "alternatives": [{ "content": content, "confidence": "0.5" }] })
    };
    let output = json!({ "results": { "items": [word(1, "one"), word(3, "two"), word(7, "three")] } });
    let output = parse(output.to_string().as_bytes()).expect("an output");
    let expected = ["speaker 1 [1000-3500] one two", "speaker 1 [7000-7500] three"];
    assert_eq!(brief(&fill(&output, &recording(&[], &[gap(0, 60_000)]))), expected);
}

#[test]
fn health_data_is_marked_and_if_it_cannot_be_read_everything_is() {
    let mut output: Value = serde_json::from_str(EXAMPLE).expect("JSON");
    output["results"]["entities"] = json!([{ "content": "an hour", "category": "PHI", "type": "DATE", "start_time": "6.11", "end_time": "6.88", "confidence": "0.7" }]);
    let spans = |output: &Value| {
        let turns = fill(
            &parse(output.to_string().as_bytes()).expect("an output"),
            &recording(&[], &[gap(0, 60_000)]),
        );
        turns
            .into_iter()
            .map(|turn| turn.spans.iter().map(|span| (span.start, span.end)).collect::<Vec<_>>())
            .collect::<Vec<_>>()
    };
    assert_eq!(spans(&output), [vec![(22, 29)], vec![]]);
    output["results"]["entities"] = json!([{ "words": "an hour" }]);
    assert_eq!(spans(&output), [vec![(0, 30)], vec![(0, 17)]]);
}

#[test]
fn another_file_is_refused() {
    let late = EXAMPLE.replace("\"8.49\"", "\"604800\"");
    let backwards = EXAMPLE.replace("\"end_time\":\"5.02\"", "\"end_time\":\"1.0\"");
    for bad in [
        "",
        "{}",
        "[]",
        r#"{"results":{}}"#,
        r#"{"results":{"items":[7]}}"#,
        &late,
        &backwards,
        r#"{"results":{"items":[{"type":"pronunciation","alternatives":[{"content":"x"}]}]}}"#,
        r#"{"results":{"items":[{"type":"pronunciation","start_time":"NaN","end_time":"NaN","alternatives":[{"content":"x"}]}]}}"#,
    ] {
        assert_eq!(parse(bad.as_bytes()), Err(NotAnOutput), "{}", &bad[..bad.len().min(80)]);
    }
    assert_eq!(parse(br#"{"results":{"items":[]}}"#), Ok(Output::default()), "a file without speech");
}

proptest! {
    #[test]
    fn a_damaged_file_is_read_or_refused(places in proptest::collection::vec((0..EXAMPLE.len(), any::<u8>()), 1..4)) {
        let mut file = EXAMPLE.as_bytes().to_vec();
        for (place, byte) in places {
            file[place] = byte;
        }
        if let Ok(output) = parse(&file) {
            let turns = fill(&output, &recording(&[(patient(), at(0, 60_000))], &[gap(0, 60_000_000)]));
            prop_assert!(turns.iter().all(|turn| turn.start_ms <= turn.end_ms && !turn.text.is_empty()));
        }
    }

    #[test]
    fn every_word_of_a_gap_is_in_one_turn_and_no_other_word_is(
        words in proptest::collection::vec((0..300_i64, 1..30_i64, 0..3_usize, any::<bool>()), 0..40),
        places in proptest::collection::vec((0..300_i64, 1..80_i64), 0..4),
        active in proptest::collection::vec((any::<bool>(), 0..300_i64, 1..80_i64), 0..6),
    ) {
        let mut words: Vec<JobItem> = words.into_iter().map(|(start, length, label, punctuation)| JobItem {
            content: if punctuation { ".".into() } else { "w".into() },
            punctuation,
            start_ms: start * 100,
            end_ms: (start + length) * 100,
            label: [None, Some("spk_0".to_owned()), Some("spk_1".to_owned())][label].clone(),
            language: None,
            confidence: None,
        }).collect();
        words.sort_by_key(|word| word.start_ms);
        let gaps: Vec<Gap> = places.into_iter().map(|(start, length)| gap(start * 100, (start + length) * 100)).collect();
        let voice = |(first, start, length): (bool, i64, i64)| {
            (if first { provider() } else { patient() }, at(start * 100, (start + length) * 100))
        };
        let activity: Vec<(Voice, Interval)> = active.into_iter().map(voice).collect();
        let output = Output { words: words.clone(), ..Output::default() };
        let turns = fill(&output, &recording(&activity, &gaps));
        let in_gap = |word: &&JobItem| {
            let middle = word.start_ms + (word.end_ms - word.start_ms) / 2;
            !word.punctuation && gaps.iter().any(|gap| gap.start_ms <= middle && middle < gap.end_ms)
        };
        let said: usize = turns.iter().map(|turn| turn.text.matches('w').count()).sum();
        prop_assert_eq!(said, words.iter().filter(in_gap).count());
        prop_assert!(turns.iter().all(|turn| turn.source == Source::Batch && turn.start_ms <= turn.end_ms && !turn.text.is_empty()));
        let indexes: Vec<u32> = turns.iter().map(|turn| turn.index).collect();
        prop_assert_eq!(indexes, (0..).take(turns.len()).collect::<Vec<u32>>());
    }
}
