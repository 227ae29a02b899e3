use serde_json::Value;

use super::*;

/// The examples of the developer guide ("Processing a received Amazon Chime SDK live transcript event"), as JSON.
const STARTED: &str = r#"{"status":{"type":"started","eventTimeMs":1620118800000,"transcriptionRegion":"us-east-1",
    "transcriptionConfiguration":"{\"LanguageCode\":\"en-US\"}"}}"#;
const PARTIAL: &str = r#"{"transcript":{"results":[{"resultId":"1","isPartial":true,"startTimeMs":1620118800000,
    "endTimeMs":1620118801000,"alternatives":[{"items":[
    {"type":"pronunciation","startTimeMs":1620118800000,"endTimeMs":1620118800200,
     "attendee":{"attendeeId":"1","externalUserId":"A"},"content":"the","vocabularyFilterMatch":false},
    {"type":"punctuation","startTimeMs":1620118801000,"endTimeMs":1620118801500,
     "attendee":{"attendeeId":"1","externalUserId":"A"},"content":",","vocabularyFilterMatch":false}]}]}]}}"#;
const FINAL: &str = r#"{"transcript":{"results":[{"resultId":"1","isPartial":false,"startTimeMs":1620118800000,
    "endTimeMs":1620118801000,"channelId":"ch_0","languageCode":"en-US",
    "languageIdentification":[{"languageCode":"en-US","score":0.93},{"languageCode":"de-DE","score":0.07}],
    "alternatives":[{"transcript":"John","items":[
    {"type":"pronunciation","startTimeMs":1620118800000,"endTimeMs":1620118800200,"confidence":0.91,"stable":true,
     "attendee":{"attendeeId":"1","externalUserId":"A"},"content":"John"}],
    "entities":[{"category":"PHI","type":"NAME","confidence":0.5,"content":"John","startTimeMs":1620118800000,
     "endTimeMs":1620118800200}]}]}]}}"#;

fn only(line: &str) -> TranscriptResult {
    let parsed = parse(line.as_bytes());
    assert_eq!(parsed.skipped, Skipped::default(), "{line}");
    assert_eq!(parsed.results.len(), 1, "{line}");
    parsed.results.into_iter().next().expect("there is one")
}

#[test]
fn a_status_is_read() {
    let line = parse(STARTED.as_bytes());
    let status = Status {
        at_ms: 1_620_118_800_000,
        change: StatusChange::Started,
        region: Some("us-east-1".into()),
        message: None,
    };
    assert_eq!(line, Line { status: Some(status), ..Line::default() });
    for (word, change) in [
        ("interrupted", StatusChange::Interrupted),
        ("resumed", StatusChange::Resumed),
        ("stopped", StatusChange::Stopped),
        ("failed", StatusChange::Failed),
    ] {
        let text =
            format!(r#"{{"status":{{"type":"{word}","eventTimeMs":5,"message":"Internal server error"}}}}"#);
        let status = parse(text.as_bytes()).status.expect("a known status");
        assert_eq!((status.change, status.message.as_deref()), (change, Some("Internal server error")));
    }
}

#[test]
fn partial_and_final_results_are_read_with_their_items_and_entities() {
    let partial = only(PARTIAL);
    assert!(partial.partial);
    assert_eq!((partial.start_ms, partial.end_ms), (1_620_118_800_000, 1_620_118_801_000));
    assert_eq!(partial.transcript, "", "the guide's partial example has items alone");
    assert_eq!(partial.items.len(), 2);
    assert!(!partial.items[0].punctuation && partial.items[1].punctuation);
    assert_eq!(partial.items[0].attendee_id.as_deref(), Some("1"));
    assert_eq!(partial.items[0].external_user_id.as_deref(), Some("A"));

    let last = only(FINAL);
    assert!(!last.partial);
    assert_eq!(last.language.as_deref(), Some("en-US"));
    assert_eq!(last.identified, [("en-US".to_owned(), 0.93), ("de-DE".to_owned(), 0.07)]);
    assert_eq!((last.items[0].stable, last.items[0].confidence), (Some(true), Some(0.91)));
    let entity = &last.entities[0];
    assert_eq!(
        (entity.category.as_str(), entity.kind.as_deref(), entity.content.as_str()),
        ("PHI", Some("NAME"), "John")
    );
}

#[test]
fn times_of_64_bits_may_be_texts_or_fractions() {
    let line =
        FINAL.replace("1620118800000", "\"1620118800000\"").replace("1620118801000", "1620118800999.6");
    assert_eq!(only(&line), only(FINAL));
}

#[test]
fn names_of_fields_may_begin_with_capital_letters() {
    fn capitalized(value: Value) -> Value {
        match value {
            Value::Object(fields) => fields
                .into_iter()
                .map(|(name, value)| (name[..1].to_uppercase() + &name[1..], capitalized(value)))
                .collect(),
            Value::Array(values) => values.into_iter().map(capitalized).collect(),
            other => other,
        }
    }
    for line in [STARTED, PARTIAL, FINAL] {
        let capital = capitalized(serde_json::from_str(line).expect("JSON")).to_string();
        assert!(!capital.contains("\"type\"") && !capital.contains("Ms\":null"), "{capital}");
        assert_eq!(parse(capital.as_bytes()), parse(line.as_bytes()), "{capital}");
    }
}

#[test]
fn what_cannot_be_read_is_skipped_and_counted() {
    let count = |line: &[u8]| parse(line).skipped;
    let not_json = Skipped { not_json: 1, ..Skipped::default() };
    let unknown = Skipped { unknown: 1, ..Skipped::default() };
    let invalid = Skipped { invalid_parts: 1, ..Skipped::default() };
    assert_eq!(count(b"  \r\n"), Skipped::default(), "an empty line is nothing");
    for bad in [
        &b"{"[..],
        b"\xff\xfe{}",
        b"{\"a\":NaN}",
        b"{\"a\":1} {\"b\":2}",
        b"\0",
        b"{\"transcript\":\"\xc3\x28\"}",
    ] {
        assert_eq!(count(bad), not_json, "{}", String::from_utf8_lossy(bad));
    }
    for other in [
        "{}",
        "[]",
        "7",
        "null",
        r#"{"transcript":7}"#,
        r#"{"status":{"type":"paused","eventTimeMs":1}}"#,
        r#"{"status":7}"#,
        r#"{"transcript":{"results":[]}}"#,
        r#"{"news":{"a":[1,2]}}"#,
    ] {
        assert_eq!(count(other.as_bytes()), unknown, "{other}");
    }
    for part in [
        "7",
        r#"{"resultId":"1"}"#,
        r#"{"resultId":"1","isPartial":false,"startTimeMs":1,"endTimeMs":2,"alternatives":[]}"#,
        r#"{"resultId":"","isPartial":false,"startTimeMs":1,"endTimeMs":2,"alternatives":[{}]}"#,
        r#"{"resultId":"1","isPartial":false,"startTimeMs":3,"endTimeMs":2,"alternatives":[{}]}"#,
        r#"{"resultId":"1","isPartial":false,"startTimeMs":-1,"endTimeMs":2,"alternatives":[{}]}"#,
        r#"{"resultId":"1","isPartial":false,"startTimeMs":1,"endTimeMs":1e300,"alternatives":[{}]}"#,
    ] {
        let line = parse(format!(r#"{{"transcript":{{"results":[{part}]}}}}"#).as_bytes());
        assert_eq!((line.skipped, line.results.len()), (invalid, 0), "{part}");
    }
}

#[test]
fn a_character_that_the_database_rejects_is_replaced() {
    let line = FINAL.replace(r#""transcript":"John""#, r#""transcript":"a\u0000b\\u0000\u00e9\u0000""#);
    assert_eq!(only(&line).transcript, "a\u{fffd}b\\u0000\u{e9}\u{fffd}");
}

#[test]
fn a_bad_part_costs_only_itself() {
    let line = FINAL
        .replace(r#""items":["#, r#""items":[7,{"content":" ","startTimeMs":1,"endTimeMs":1},"#)
        .replace(r#""entities":["#, r#""entities":[null,"#)
        .replace(r#""results":["#, r#""results":[{"resultId":"2"},"#);
    let parsed = parse(line.as_bytes());
    assert_eq!(parsed.skipped, Skipped { invalid_parts: 4, ..Skipped::default() });
    assert_eq!(parsed.results, [only(FINAL)]);
}

#[test]
fn a_hostile_line_is_refused_in_bounded_work() {
    let long =
        FINAL.replace(r#""transcript":"John""#, &format!(r#""transcript":"{}""#, "a".repeat(1024 * 1024)));
    assert_eq!(parse(long.as_bytes()).skipped, Skipped { too_long: 1, ..Skipped::default() });
    let deep = format!("{}{}", "[".repeat(200_000), "]".repeat(200_000));
    assert_eq!(parse(deep.as_bytes()), Line { skipped: parse(b"[]").skipped, ..Line::default() });
    let deep = format!(r#"{{"transcript":{{"results":[{}{}]}}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(parse(deep.as_bytes()).skipped.total(), 1);
    assert_eq!(parse(deep.as_bytes()).results, []);
}

#[test]
fn a_confidence_outside_its_range_is_none() {
    for bad in ["-0.1", "1.5", "1e40"] {
        let line = FINAL.replace("0.91", bad);
        assert_eq!(only(&line).items[0].confidence, None, "{bad}");
    }
}
