//! The texts of a capture: messages of the transcription and events of the meeting.

use super::*;
use crate::chime::NewCaption;
use crate::chime::call::Call as MeetingCall;

const FOLDER: &str = "captures/c1/transcription-messages/";

impl Engine {
    fn transcribe(&self, meeting: &str, settings: Value) {
        let call = MeetingCall::StartMeetingTranscription { meeting: meeting.to_owned() };
        let mut body = json!({});
        body["TranscriptionConfiguration"]["EngineTranscribeSettings"] = settings;
        self.chime.perform(REGION, &call, body.to_string().as_bytes()).expect("it is good");
    }

    fn say(&self, meeting: &str, script: Value) {
        let script: Vec<NewCaption> = serde_json::from_value(script).expect("a good script");
        self.chime.add_captions(meeting, script).expect("the meeting lives");
    }

    fn attendee(&self, meeting: &str) -> String {
        let meetings = self.chime.meetings();
        let meeting =
            meetings["meetings"].as_array().into_iter().flatten().find(|it| it["meetingId"] == meeting);
        meeting.and_then(|it| it["attendees"][0]["attendeeId"].as_str()).expect("it has one").to_owned()
    }

    /// The lines of a folder's files, in the order of the files.
    fn lines(&self, folder: &str) -> Vec<Value> {
        let keys = self.keys(folder).into_iter();
        let texts = keys.map(|key| {
            let bytes = self.s3.object(BUCKET, &key).expect("it is there").bytes().expect("it is readable");
            String::from_utf8(bytes.to_vec()).expect("UTF-8")
        });
        let texts: Vec<String> = texts.collect();
        texts.iter().flat_map(|it| it.lines()).map(|it| serde_json::from_str(it).expect("JSON")).collect()
    }

    fn events_of(&self, kind: &str) -> Vec<Value> {
        let all = self.lines("/meeting-events/").into_iter();
        all.filter(|it| it["EventType"] == kind).collect()
    }
}

fn results(lines: &[Value]) -> Vec<&Value> {
    lines.iter().map(|it| &it["transcript"]["results"][0]).filter(|it| !it.is_null()).collect()
}

fn kinds(lines: &[Value]) -> Vec<&str> {
    lines.iter().filter_map(|it| it["status"]["type"].as_str()).collect()
}

#[tokio::test]
async fn words_are_in_the_chunks_of_their_time_while_capture_and_transcription_run() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let speaker = engine.attendee(&meeting);
    let words = |text: &str, id: &str, more: Value| {
        let mut words = json!({ "attendeeId": speaker, "text": text, "resultId": id });
        for (name, value) in more.as_object().into_iter().flatten() {
            words[name] = value.clone();
        }
        words
    };
    engine.transcribe(&meeting, json!({ "LanguageCode": "en-US" }));
    engine.advance(1);
    engine.say(&meeting, json!([words("Before the capture.", "0", json!({}))]));
    engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    engine.say(
        &meeting,
        json!([
            words("My head", "1", json!({ "partial": true, "afterMs": 1_000 })),
            words("My head hurts.", "1", json!({ "afterMs": 4_000, "startMs": 500, "endMs": 3_500 })),
            words("Since Monday, in fact.", "2", json!({ "afterMs": 7_000 })),
        ]),
    );
    engine.advance(10);
    let call = MeetingCall::StopMeetingTranscription { meeting: meeting.clone() };
    engine.chime.perform(REGION, &call, b"").expect("it runs");
    engine.advance(1);
    engine.say(&meeting, json!([words("After the transcription.", "3", json!({}))]));
    engine.advance(10);

    let keys = engine.keys(FOLDER);
    let stamps: Vec<&str> = keys.iter().filter_map(|it| it.strip_prefix(FOLDER)).collect();
    let audio = engine.keys("captures/c1/audio/");
    let chunks: Vec<&str> = audio.iter().filter_map(|it| it.rsplit('/').next()).collect();
    assert_eq!(stamps.len(), 3, "two with words, one with the stop: {stamps:?}");
    for (text, sound) in [(0, 0), (1, 1), (2, 2)] {
        assert_eq!(stamps[text].replace(".txt", ""), chunks[sound].replace(".mp4", ""));
    }
    let lines = engine.lines(FOLDER);
    let results = results(&lines);
    let brief: Vec<_> = results.iter().map(|it| (it["resultId"].clone(), it["isPartial"].clone())).collect();
    let brief_is = |id: &str, partial: bool| (json!(id), json!(partial));
    assert_eq!(brief, [brief_is("1", true), brief_is("1", false), brief_is("2", false)]);
    assert_eq!(kinds(&lines), ["stopped"]);

    let start_ms = results[1]["startTimeMs"].as_i64().expect("a number");
    let alternative = &results[1]["alternatives"][0];
    assert_eq!(alternative["transcript"], "My head hurts.");
    assert_eq!(alternative["items"].as_array().map(Vec::len), Some(4));
    assert_eq!(
        alternative["items"][0],
        json!({
            "type": "pronunciation",
            "startTimeMs": start_ms,
            "endTimeMs": start_ms + 1_000,
            "attendee": { "attendeeId": speaker, "externalUserId": "somebody" },
            "content": "My",
            "vocabularyFilterMatch": false,
            "confidence": 0.98,
        })
    );
    assert_eq!(alternative["items"][3]["type"], "punctuation");
    let skipped =
        lines.iter().map(|it| domain::transcript::lines::parse(it.to_string().as_bytes()).skipped.total());
    assert_eq!(skipped.sum::<u64>(), 0, "the product reads every line");
    assert_eq!(results[1]["endTimeMs"], start_ms + 3_000);
    assert!(results[1].get("languageCode").is_none() && alternative.get("entities").is_none());
}

#[tokio::test]
async fn the_end_of_the_meeting_is_in_the_last_text() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    engine.transcribe(&meeting, json!({ "LanguageCode": "en-US" }));
    engine.capture(&good_capture(&arn)).await;
    engine.advance(7);
    engine.end_meeting(&meeting);
    engine.advance(2);
    assert_eq!(kinds(&engine.lines(FOLDER)), ["stopped"], "the start was before the capture");
    let ended = engine.events_of("CaptureEnded");
    assert_eq!((ended.len(), engine.events_of("CaptureStarted").len()), (1, 1));
}

#[tokio::test]
async fn text_that_comes_an_hour_late_keeps_its_own_time_and_speaking_is_noted_when_it_is() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let speaker = engine.attendee(&meeting);
    engine.transcribe(&meeting, json!({ "LanguageCode": "en-US" }));
    engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    engine.say(
        &meeting,
        json!([{ "attendeeId": speaker, "text": "It began here.", "resultId": "1", "afterMs": 3_600_000, "startMs": 6_000, "endMs": 9_000 }]),
    );
    engine.advance(20);
    let speaking = engine.events_of("ActiveSpeaker");
    assert_eq!(speaking.len(), 1);
    assert_eq!(speaking[0]["EventParameters"]["AttendeeId"], speaker.as_str());
    assert!(results(&engine.lines(FOLDER)).is_empty());
    engine.advance(3_600);
    let lines = engine.lines(FOLDER);
    let result = results(&lines)[0];
    let spoken = crate::chime::date(result["startTimeMs"].as_i64().expect("a number"));
    assert_eq!(speaking[0]["Timestamp"], spoken.as_str());
}

#[tokio::test]
async fn a_silent_transcription_leaves_speakers_without_words() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let speaker = engine.attendee(&meeting);
    let fault = json!({ "kind": "silent" });
    engine.chime.add_transcription_fault(serde_json::from_value(fault).expect("a good fault"));
    engine.transcribe(&meeting, json!({ "LanguageCode": "en-US" }));
    engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    engine.say(
        &meeting,
        json!([{ "attendeeId": speaker, "text": "Can you hear me?", "resultId": "1", "afterMs": 2_000 }]),
    );
    engine.advance(20);
    assert!(results(&engine.lines(FOLDER)).is_empty());
    assert_eq!(engine.events_of("ActiveSpeaker").len(), 1);
}

#[tokio::test]
async fn personal_data_is_identified_or_redacted_as_the_configuration_says() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let speaker = engine.attendee(&meeting);
    let say = |id: &str| {
        engine.say(
            &meeting,
            json!([{
                "attendeeId": speaker, "text": "I am Ada Example.", "resultId": id, "language": "de-DE",
                "entities": [{ "content": "Ada Example", "type": "NAME", "confidence": 0.9 }],
            }]),
        );
        engine.advance(5);
    };
    engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    for (id, settings) in [
        ("identified", json!({ "LanguageCode": "en-US", "ContentIdentificationType": "PII" })),
        ("redacted", json!({ "LanguageCode": "en-US", "ContentRedactionType": "PII" })),
        ("language", json!({ "IdentifyLanguage": true, "LanguageOptions": "en-US,de-DE" })),
    ] {
        engine.transcribe(&meeting, settings);
        engine.advance(1);
        say(id);
    }
    engine.advance(5);
    let lines = engine.lines(FOLDER);
    let results = results(&lines);
    let alternative = |n: usize| &results[n]["alternatives"][0];
    assert_eq!(alternative(0)["entities"][0]["type"], "NAME");
    assert_eq!(alternative(0)["entities"][0]["category"], "PII");
    assert_eq!(alternative(1)["transcript"], "I am [NAME].");
    assert!(alternative(1).get("entities").is_none());
    let contents: Vec<_> =
        alternative(1)["items"].as_array().into_iter().flatten().map(|it| &it["content"]).collect();
    assert_eq!(contents, ["I", "am", "[NAME]", "."]);
    assert_eq!(results[2]["languageCode"], "de-DE");
    assert_eq!(results[2]["languageIdentification"][0]["languageCode"], "de-DE");
    assert!(alternative(2).get("entities").is_none());
}

#[tokio::test]
async fn names_of_members_begin_with_capital_letters_where_a_test_wants_them_so() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let speaker = engine.attendee(&meeting);
    let fault = json!({ "kind": "pascalCase" });
    engine.chime.add_transcription_fault(serde_json::from_value(fault).expect("a good fault"));
    engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    engine.transcribe(&meeting, json!({ "LanguageCode": "en-US" }));
    engine.advance(1);
    engine.say(&meeting, json!([{ "attendeeId": speaker, "text": "Yes.", "resultId": "1" }]));
    engine.advance(10);
    let lines = engine.lines(FOLDER);
    assert_eq!(lines[0]["Status"]["Type"], "started");
    let result = &lines[1]["Transcript"]["Results"][0];
    assert_eq!((&result["IsPartial"], &result["ResultId"]), (&json!(false), &json!("1")));
    assert_eq!(result["Alternatives"][0]["Items"][0]["Attendee"]["AttendeeId"], speaker.as_str());
}

#[tokio::test]
async fn what_was_said_in_a_recorded_file_is_known_also_of_its_copies() {
    let engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let speaker = engine.attendee(&meeting);
    let capture = engine.capture(&good_capture(&arn)).await;
    let joined = engine.concatenation(&good_concatenation(&capture)).await;
    engine.say(&meeting, json!([{ "attendeeId": speaker, "text": "Before it.", "resultId": "0" }]));
    engine.advance(3);
    for (id, text) in [("1", "My head hurts."), ("2", "Since Monday.")] {
        let words =
            json!({ "attendeeId": speaker, "text": text, "resultId": id, "afterMs": 1_000, "startMs": 200 });
        engine.say(&meeting, json!([words]));
        engine.advance(7);
    }
    engine.stop(&capture).await;
    engine.advance(60);
    let file = engine.keys(&format!("joined/c1/audio/{joined}.mp4")).remove(0);
    let bytes = engine.s3.object(BUCKET, &file).expect("it is there").bytes().expect("it is readable");
    engine
        .s3
        .put(BUCKET, "recordings/copy.mp4", bytes, s3::ObjectHeaders::default())
        .expect("there is the bucket");
    let said = |key: &str| {
        let recorded = engine.chime.recorded(BUCKET, key)?;
        let words = recorded.words.iter();
        let words = words.map(|it| (it.transcript.clone(), (it.start_ms - recorded.from_ms) / 1_000));
        Some(words.collect::<Vec<_>>())
    };
    let all = Some(vec![("My head hurts.".to_owned(), 1), ("Since Monday.".to_owned(), 8)]);
    assert_eq!(said(&file), all);
    assert_eq!(said("recordings/copy.mp4"), all);
    let chunks = engine.keys("captures/c1/audio/");
    assert_eq!(said(&chunks[0]).map(|it| it.len()), Some(1), "a chunk has its own words");
    assert_eq!(said("recordings/nothing.mp4"), None);
}
