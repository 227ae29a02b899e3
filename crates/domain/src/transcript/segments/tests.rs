use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::transcript::Span;

/// 2026-01-15T10:00:00Z.
const BEGAN_AT_MS: i64 = 1_768_471_200_000;

fn user(n: u8) -> UserId {
    format!("7d9f1c5e-0000-4000-8000-0000000000{n:02}").parse().expect("a UUID")
}

/// `p1` and `p2` are the provider's attendees (a rejoin), `q` is the patient's.
fn call() -> Call {
    let attendees = [("p1", 1, Role::Provider), ("p2", 1, Role::Provider), ("q", 2, Role::Patient)];
    Call {
        began_at_ms: BEGAN_AT_MS,
        attendees: attendees.map(|(id, n, role)| (id.to_owned(), user(n), role)).into_iter().collect(),
        language: "en-US".to_owned(),
        revoked: Vec::new(),
    }
}

/// An item that begins at a millisecond of the call and takes 100 ms. `,`, `.` and `?` are marks.
fn item(attendee: &str, at_ms: i64, content: &str) -> Value {
    let kind = if [",", ".", "?"].contains(&content) { "punctuation" } else { "pronunciation" };
    json!({
        "type": kind, "content": content, "confidence": 0.9,
        "startTimeMs": BEGAN_AT_MS + at_ms, "endTimeMs": BEGAN_AT_MS + at_ms + 100,
        "attendee": { "attendeeId": attendee, "externalUserId": format!("user-of-{attendee}") },
    })
}

/// The items of a text, one each 100 ms.
fn items(attendee: &str, at_ms: i64, text: &str) -> Vec<Value> {
    (0..).zip(text.split_whitespace()).map(|(n, word)| item(attendee, at_ms + 100 * n, word)).collect()
}

fn result(id: &str, partial: bool, transcript: &str, items: &[Value]) -> Value {
    let time =
        |at: Option<&Value>, field: &str| at.and_then(|item| item[field].as_i64()).unwrap_or(BEGAN_AT_MS);
    json!({
        "resultId": id, "isPartial": partial,
        "startTimeMs": time(items.first(), "startTimeMs"), "endTimeMs": time(items.last(), "endTimeMs"),
        "alternatives": [{ "transcript": transcript, "items": items }],
    })
}

fn line(result: &Value) -> String {
    json!({ "transcript": { "results": [result] } }).to_string()
}

fn said(id: &str, partial: bool, attendee: &str, at_ms: i64, text: &str) -> String {
    line(&result(id, partial, text, &items(attendee, at_ms, text)))
}

fn collect(call: Call, lines: &[String]) -> (Vec<Turn>, Counts) {
    let (mut fold, mut collected) = (Fold::new(call), Collected::default());
    for line in lines {
        fold.push(line.as_bytes(), &mut |folded| collected.receive(folded));
    }
    let (counts, _) = fold.finish(&mut |folded| collected.receive(folded));
    (collected.into_turns(), counts)
}

fn segments(call: Call, lines: &[String]) -> Vec<Segment> {
    assemble(collect(call, lines).0)
}

/// `label [start-end] text` of each segment.
fn brief(segments: &[Segment]) -> Vec<String> {
    let line = |s: &Segment| format!("{} [{}-{}] {}", s.speaker.label, s.start_ms, s.end_ms, s.text);
    segments.iter().map(line).collect()
}

#[test]
fn a_final_line_replaces_the_partial_ones_of_its_result() {
    let lines = [
        said("r", true, "p1", 0, "the quick brown facts"),
        said("r", false, "p1", 0, "the quick brown fox jumps"),
        said("r", true, "p1", 0, "the quick brown fax jumps"),
    ];
    let got = segments(call(), &lines);
    assert_eq!(brief(&got), ["provider [0-500] the quick brown fox jumps"]);
    assert_eq!(got[0].speaker.user_id, Some(user(1)));
    assert_eq!((got[0].confidence, got[0].language.as_str(), got[0].unfinished), (Some(0.9), "en-US", false));
}

#[test]
fn a_partial_line_whose_final_never_came_counts_at_the_end_and_is_marked() {
    let lines = [said("r", true, "q", 0, "it hurts"), said("r", true, "q", 0, "it hurts here")];
    let (turns, counts) = collect(call(), &lines);
    let got = assemble(turns);
    assert_eq!(brief(&got), ["patient [0-300] it hurts here"]);
    assert!(got[0].unfinished);
    assert_eq!((counts.lines, counts.unfinished), (2, 1));
}

#[test]
fn a_result_is_divided_where_the_speaker_changes() {
    let mut both = items("p1", 0, "does it hurt ?");
    both.extend(items("q", 400, "yes , here"));
    both.extend(items("p2", 800, "since when"));
    let got = segments(call(), &[line(&result("r", false, "does it hurt? yes, here since when", &both))]);
    let expected =
        ["provider [0-400] does it hurt?", "patient [400-700] yes, here", "provider [800-1000] since when"];
    assert_eq!(brief(&got), expected);
    assert_eq!(got[0].speaker, got[2].speaker, "a user who rejoined has one name");
    // The same without the service's text, and with one that is not made of the items.
    assert_eq!(brief(&segments(call(), &[line(&result("r", false, "", &both))])), expected);
    assert_eq!(brief(&segments(call(), &[line(&result("r", false, "other words", &both))])), expected);
}

#[test]
fn speakers_are_participants_their_content_or_numbered() {
    let lines = [
        said("a", false, "guest-2", 5_000, "second"),
        said("b", false, "guest-1", 1_000, "first"),
        said("c", false, "guest-2", 9_000, "again"),
        said("d", false, "q#content", 2_000, "a film"),
        line(&json!({ "resultId": "e", "isPartial": false, "startTimeMs": BEGAN_AT_MS + 20_000,
            "endTimeMs": BEGAN_AT_MS + 21_000, "alternatives": [{ "transcript": "no items" }] })),
    ];
    let got = segments(call(), &lines);
    let expected = [
        "speaker 1 [1000-1100] first",
        "patient (shared content) [2000-2200] a film",
        "speaker 2 [5000-5100] second",
        "speaker 2 [9000-9100] again",
        "speaker 3 [20000-21000] no items",
    ];
    assert_eq!(brief(&got), expected);
    assert_eq!(got[1].speaker.user_id, Some(user(2)));
}

#[test]
fn an_attendee_of_before_a_rejoin_is_known_by_its_user() {
    let of = |attendee: &str, user: String| {
        let mut result = result(attendee, false, "hello", &items(attendee, 0, "hello"));
        result["alternatives"][0]["items"][0]["attendee"]["externalUserId"] = user.into();
        line(&result)
    };
    let lines = [
        of("p0", user(1).to_string()),
        of("q0#content", format!("{}#content", user(2))),
        of("r", user(3).to_string()),
        of("r2", user(3).to_string()),
    ];
    let labels: Vec<String> =
        segments(call(), &lines).into_iter().map(|segment| segment.speaker.label).collect();
    assert_eq!(labels, ["provider", "patient (shared content)", "speaker 1", "speaker 1"]);
}

#[test]
fn the_language_of_a_segment_is_named_or_identified_or_that_of_the_transcription() {
    let mut said = result("r", false, "habari", &items("q", 0, "habari"));
    let language = |said: &Value| segments(call(), &[line(said)])[0].language.clone();
    assert_eq!(language(&said), "en-US");
    said["languageIdentification"] =
        json!([{ "languageCode": "en-US", "score": 0.2 }, { "languageCode": "sw-KE", "score": 0.8 }]);
    assert_eq!(language(&said), "sw-KE");
    said["languageCode"] = json!("sw-TZ");
    assert_eq!(language(&said), "sw-TZ");
}

#[test]
fn a_result_that_is_an_hour_late_has_the_place_of_its_own_time() {
    let hour = 3_600_000;
    let lines = [
        said("a", false, "p1", 1_000, "first"),
        said("b", false, "p1", hour, "third"),
        said("c", false, "q", 2_000, "second"),
    ];
    let got = segments(call(), &lines);
    let texts: Vec<_> = got.iter().map(|segment| (segment.number, segment.text.as_str())).collect();
    assert_eq!(texts, [(1, "first"), (2, "second"), (3, "third")]);
}

#[test]
fn text_without_spaces_and_from_right_to_left_is_kept() {
    let japanese =
        vec![item("p1", 0, "頭"), item("p1", 100, "が"), item("p1", 200, "痛い"), item("p1", 300, "。")];
    assert_eq!(segments(call(), &[line(&result("r", false, "頭が痛い。", &japanese))])[0].text, "頭が痛い。");
    assert_eq!(segments(call(), &[line(&result("r", false, "", &japanese))])[0].text, "頭が痛い。");
    let arabic = "عندي صداع 🤕 شديد";
    assert_eq!(segments(call(), &[said("r", false, "q", 0, arabic)])[0].text, arabic);
}

#[test]
fn nothing_that_was_said_after_a_revocation_is_kept_and_what_was_said_before_is_marked() {
    let revoked = Interval::new(1_000, 5_000).expect("in order");
    let call = Call { revoked: vec![revoked], ..call() };
    let lines = [
        said("a", false, "q", 0, "before"),
        said("b", false, "q", 800, "I want you to stop"),
        said("c", false, "q", 2_000, "after"),
        line(&json!({ "resultId": "d", "isPartial": false, "startTimeMs": BEGAN_AT_MS + 3_000,
            "endTimeMs": BEGAN_AT_MS + 4_000, "alternatives": [{ "transcript": "no items" }] })),
        said("e", false, "q", 5_000, "consented again"),
    ];
    let got = segments(call, &lines);
    let expected =
        ["patient [0-100] before", "patient [800-1000] I want", "patient [5000-5200] consented again"];
    assert_eq!(brief(&got), expected);
    assert_eq!(got.iter().map(|segment| segment.revoked).collect::<Vec<_>>(), [true, true, false]);
}

fn with_entities(mut result: Value, entities: &[(&str, i64, i64)]) -> String {
    let entity = |&(content, from, to): &(&str, i64, i64)| {
        json!({ "category": "PHI", "type": "NAME", "confidence": 0.8, "content": content,
            "startTimeMs": BEGAN_AT_MS + from, "endTimeMs": BEGAN_AT_MS + to })
    };
    result["alternatives"][0]["entities"] = entities.iter().map(entity).collect();
    line(&result)
}

#[test]
fn entities_become_spans_of_the_text() {
    let text = "😀 Ann and Ann Lee met Bob";
    let entities = [("Ann Lee", 300, 500), ("Bob", 600, 700)];
    let got = segments(call(), &[with_entities(result("r", false, text, &items("p1", 0, text)), &entities)]);
    let span = |start, end| Span {
        start,
        end,
        category: "PHI".to_owned(),
        kind: Some("NAME".to_owned()),
        confidence: Some(0.8),
    };
    assert_eq!(got[0].spans, [span(10, 17), span(22, 25)], "the second Ann, counted in scalar values");

    // Other words than the text's: those of its time. No word of its time, and the words twice: the whole text.
    let got = segments(
        call(),
        &[with_entities(result("r", false, text, &items("p1", 0, text)), &[("Anne-Lee", 300, 500)])],
    );
    assert_eq!(got[0].spans, [span(10, 17)]);
    let mut apart = items("p1", 0, "Ann met");
    apart.push(item("p1", 5_000, "Ann"));
    let got = segments(
        call(),
        &[with_entities(result("r", false, "Ann met Ann", &apart), &[("Ann", 3_000, 3_100)])],
    );
    assert_eq!(got[0].spans, [span(0, 11)]);
}

#[test]
fn an_entity_belongs_to_the_turn_of_its_time() {
    let mut both = items("p1", 0, "you are Ann ?");
    both.extend(items("q", 400, "I am Ann"));
    let got = segments(call(), &[with_entities(result("r", false, "", &both), &[("Ann", 600, 700)])]);
    assert_eq!(got[0].spans, []);
    assert_eq!((got[1].spans[0].start, got[1].spans[0].end), (5, 8));
}

#[test]
fn a_line_outside_the_call_is_counted() {
    let lines = [said("a", false, "q", -10_000, "before"), said("b", false, "q", MAX_CALL_MS, "much later")];
    let (turns, counts) = collect(call(), &lines);
    assert_eq!((turns.len(), counts.outside_call), (0, 2));
    assert_eq!(
        brief(&segments(call(), &[said("a", false, "q", -100, "at the beginning")])),
        ["patient [0-200] at the beginning"]
    );
}

#[test]
fn three_hours_are_folded_in_bounded_memory() {
    // 100,000 lines of 400 bytes: ten partial ones and a final one of each result.
    let (mut fold, mut turns, mut bytes, mut most) = (Fold::new(call()), 0, 0, 0);
    let filler = "x".repeat(120);
    for n in 0..100_000_i64 {
        let (id, partial) = (n / 10, n % 10 < 9);
        let at = BEGAN_AT_MS + id * 1_080;
        let line = format!(
            r#"{{"transcript":{{"results":[{{"resultId":"{id:036}","isPartial":{partial},"startTimeMs":{at},"endTimeMs":{},"alternatives":[{{"transcript":"word {filler}","items":[{{"type":"pronunciation","startTimeMs":{at},"endTimeMs":{},"attendee":{{"attendeeId":"p1","externalUserId":"x"}},"content":"word"}}]}}]}}]}}}}"#,
            at + 100 * (n % 10),
            at + 90,
        );
        bytes += line.len();
        fold.push(line.as_bytes(), &mut |folded| turns += folded.turns.len());
        most = most.max(fold.retained_bytes());
        assert!(fold.open_results() <= 1);
    }
    let (counts, _) = fold.finish(&mut |folded| turns += folded.turns.len());
    assert!(bytes >= 40_000_000, "{bytes}");
    assert_eq!((turns, counts.lines, counts.skipped.total(), counts.unfinished), (10_000, 100_000, 0, 0));
    assert!(most < 1024 * 1024, "{most} bytes");
}

#[test]
fn open_results_are_bounded_and_a_late_final_line_still_counts() {
    let (mut fold, mut collected) = (Fold::new(call()), Collected::default());
    for n in 0..3_000 {
        let line = said(&n.to_string(), true, "q", n, "partial");
        fold.push(line.as_bytes(), &mut |folded| collected.receive(folded));
        assert!(fold.open_results() <= MAX_OPEN_RESULTS);
    }
    fold.push(said("0", false, "q", 0, "final").as_bytes(), &mut |folded| collected.receive(folded));
    fold.push(said("1", true, "q", 1, "partial that grew").as_bytes(), &mut |folded| {
        collected.receive(folded);
    });
    fold.finish(&mut |folded| collected.receive(folded));
    let got = assemble(collected.into_turns());
    assert_eq!(got.len(), 3_000);
    assert_eq!((got[0].text.as_str(), got[0].unfinished), ("final", false));
    assert_eq!((got[1].text.as_str(), got[1].unfinished), ("partial that grew", true));
}

#[test]
fn statuses_are_kept_once_in_their_order() {
    let status = |kind: &str, at: i64| format!(r#"{{"status":{{"type":"{kind}","eventTimeMs":{at}}}}}"#);
    let mut fold = Fold::new(call());
    for line in [status("stopped", 30), status("started", 10), status("started", 10)] {
        fold.push(line.as_bytes(), &mut |_| {});
    }
    let (_, statuses) = fold.finish(&mut |_| {});
    assert_eq!(statuses.iter().map(|status| status.at_ms).collect::<Vec<_>>(), [10, 30]);
}

/// Lines of a few results: partial ones and final ones, with equal and different texts, of four speakers, and lines that are no JSON.
fn some_lines() -> impl Strategy<Value = Vec<String>> {
    let words = proptest::collection::vec(
        prop_oneof!["[a-z]{1,3}", Just("頭".to_owned()), Just("🤕".to_owned())],
        1..5,
    );
    let good =
        (0..6_u8, any::<bool>(), 0..4_usize, 0..40_i64, words).prop_map(|(id, partial, who, at, words)| {
            let attendee = ["p1", "p2", "q", "guest"][who];
            said(&id.to_string(), partial, attendee, at * 100, &words.join(" "))
        });
    proptest::collection::vec(prop_oneof![9 => good, 1 => "\\PC{0,20}"], 0..40)
}

proptest! {
    #[test]
    fn replay_in_any_order_and_twice_gives_the_same_transcript(
        (lines, shuffled) in some_lines().prop_flat_map(|lines| {
            let twice: Vec<String> = lines.iter().chain(&lines).cloned().collect();
            (Just(lines), Just(twice).prop_shuffle())
        })
    ) {
        let got = segments(call(), &lines);
        prop_assert_eq!(&got, &segments(call(), &shuffled));
        let numbers: Vec<u32> = got.iter().map(|segment| segment.number).collect();
        prop_assert_eq!(numbers, (1..).take(got.len()).collect::<Vec<u32>>());
        prop_assert!(got.is_sorted_by_key(|segment| segment.start_ms));
        prop_assert!(got.iter().all(|segment| segment.start_ms <= segment.end_ms && !segment.text.trim().is_empty()));
    }

    #[test]
    fn no_bytes_are_an_error(lines in proptest::collection::vec(any::<Vec<u8>>(), 0..20)) {
        let mut fold = Fold::new(call());
        for line in &lines {
            fold.push(line, &mut |_| {});
        }
        prop_assert_eq!(fold.finish(&mut |_| {}).0.lines, lines.len() as u64);
    }
}
