//! Live transcription by requests, by the engine's clock, and by the events on the bus.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::chime::call::Call;
use crate::chime::media::MediaEffects;
use crate::chime::{EventDelivery, EventError, EventSink, NewEvent, Options};
use crate::clock::Clock;

const REGION: &str = "eu-central-1";

struct Fixture {
    chime: Chime,
    clock: Clock,
    bus: mpsc::UnboundedReceiver<Value>,
    meeting: String,
    attendee: String,
}

fn fixture_in(media_region: &str) -> Fixture {
    let options = Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() };
    let (clock, (sender, bus)) = (Clock::stopped(), mpsc::unbounded_channel());
    let sink: EventSink = Arc::new(move |event| drop(sender.send(event)));
    let chime = Chime::new("111122223333", clock.clone(), options, sink);
    let body = json!({
        "ClientRequestToken": "token-1",
        "MediaRegion": media_region,
        "ExternalMeetingId": "medzen-1",
        "Attendees": [{ "ExternalUserId": "somebody" }],
    });
    let made = chime.perform(REGION, &Call::CreateMeetingWithAttendees, body.to_string().as_bytes());
    let made = made.expect("a good meeting is made");
    let text = |value: &Value| value.as_str().expect("an id").to_owned();
    let (meeting, attendee) =
        (text(&made["Meeting"]["MeetingId"]), text(&made["Attendees"][0]["AttendeeId"]));
    let fixture = Fixture { chime, clock, bus, meeting, attendee };
    let joined = NewEvent {
        event_type: "AttendeeJoined".to_owned(),
        attendee_id: Some(fixture.attendee.clone()),
        ..NewEvent::default()
    };
    fixture.chime.event(&fixture.meeting, joined).expect("they are there");
    fixture
}

fn fixture() -> Fixture {
    fixture_in(REGION)
}

fn standard(settings: Value) -> Value {
    configuration("EngineTranscribeSettings", settings)
}

fn medical(settings: Value) -> Value {
    configuration("EngineTranscribeMedicalSettings", settings)
}

fn configuration(engine: &str, settings: Value) -> Value {
    let mut body = json!({});
    body["TranscriptionConfiguration"][engine] = settings;
    body
}

impl Fixture {
    fn ask(&self, call: &Call, body: &Value) -> Result<Value, Refusal> {
        let answer = self.chime.perform(REGION, call, body.to_string().as_bytes());
        self.chime.deliver_due_events();
        answer
    }

    fn start(&self, body: &Value) -> Result<Value, Refusal> {
        self.ask(&Call::StartMeetingTranscription { meeting: self.meeting.clone() }, body)
    }

    fn stop(&self) -> Result<Value, Refusal> {
        self.ask(&Call::StopMeetingTranscription { meeting: self.meeting.clone() }, &Value::Null)
    }

    fn advance(&self, seconds: u32) {
        self.clock.advance(seconds);
        self.chime.deliver_due_events();
    }

    fn fault(&self, fault: Value) {
        self.chime.add_transcription_fault(serde_json::from_value(fault).expect("a good fault"));
    }

    fn event(&self, name: &str) -> Result<Value, EventError> {
        let event = NewEvent { event_type: name.to_owned(), ..NewEvent::default() };
        self.chime.event(&self.meeting, event)
    }

    /// The details of the events of transcriptions since the last call.
    fn details(&mut self) -> Vec<Value> {
        let events = std::iter::from_fn(|| self.bus.try_recv().ok());
        let of_transcription =
            |it: &Value| it["eventType"].as_str().is_some_and(|it| it.starts_with("chime:Transcription"));
        events.map(|mut it| it["detail"].take()).filter(of_transcription).collect()
    }

    fn names(&mut self) -> Vec<String> {
        let names = self.details().into_iter();
        names
            .map(|it| it["eventType"].as_str().unwrap_or_default().replace("chime:Transcription", ""))
            .collect()
    }

    /// The message of the failure that follows a request which was answered 200.
    #[track_caller]
    fn failure(mut self, body: &Value) -> String {
        assert_eq!(self.start(body), Ok(Value::Null), "{body}");
        self.advance(1);
        let details = self.details();
        assert_eq!(details.len(), 1, "{body}: {details:?}");
        assert_eq!(details[0]["eventType"], "chime:TranscriptionFailed", "{body}");
        details[0]["message"].as_str().unwrap_or_default().to_owned()
    }
}

#[test]
fn a_start_is_answered_before_anything_runs_and_its_event_says_where_and_how() {
    let mut fixture = fixture();
    let body = standard(json!({ "LanguageCode": "sw-KE", "Region": "eu-west-1" }));
    assert_eq!(fixture.start(&body), Ok(Value::Null));
    assert!(fixture.names().is_empty());
    fixture.advance(1);
    let [started] = fixture.details().try_into().expect("one event");
    assert_eq!(started["eventType"], "chime:TranscriptionStarted");
    assert_eq!(started["mediaRegion"], REGION);
    assert_eq!(started["externalMeetingId"], "medzen-1");
    assert_eq!(started["transcriptionRegion"], "eu-west-1");
    let text = started["transcriptionConfiguration"].as_str().expect("a JSON text");
    assert_eq!(
        serde_json::from_str::<Value>(text).expect("JSON"),
        body["TranscriptionConfiguration"],
        "as the request had it"
    );
    assert!(started.get("message").is_none());
    assert_eq!(fixture.stop(), Ok(Value::Null));
    fixture.advance(1);
    assert_eq!(fixture.names(), ["Stopped"]);
    assert_eq!(fixture.stop(), Err(NOT_TRANSCRIBED), "it has stopped");
}

#[test]
fn a_second_start_changes_the_configuration_and_there_is_a_further_event() {
    let mut fixture = fixture();
    fixture.start(&standard(json!({ "LanguageCode": "en-US" }))).expect("it is good");
    fixture.advance(1);
    fixture.start(&standard(json!({ "LanguageCode": "de-DE" }))).expect("it is good");
    fixture.advance(1);
    let details = fixture.details();
    let languages: Vec<bool> = details
        .iter()
        .map(|it| it["transcriptionConfiguration"].as_str().is_some_and(|it| it.contains("de-DE")))
        .collect();
    assert_eq!(languages, [false, true]);
}

#[test]
fn what_the_model_forbids_is_refused_at_once_and_names_the_member() {
    let good = json!({ "LanguageCode": "en-US", "Specialty": "PRIMARYCARE", "Type": "CONVERSATION" });
    let with = |member: &str, value: Value| {
        let mut settings = good.clone();
        settings[member] = value;
        medical(settings)
    };
    let both = json!({ "TranscriptionConfiguration": {
        "EngineTranscribeSettings": { "LanguageCode": "en-US" }, "EngineTranscribeMedicalSettings": good,
    } });
    let table = [
        (json!({}), "TranscriptionConfiguration"),
        (json!({ "TranscriptionConfiguration": {} }), "exactly one of"),
        (both, "exactly one of"),
        (standard(json!({ "LanguageCode": "en-US", "Region": "eu-north-1" })), "Region"),
        (standard(json!({ "LanguageCode": "en US" })), "LanguageCode must satisfy"),
        (standard(json!({ "LanguageCode": "en-US", "ContentIdentificationType": "PHI" })), "PHI"),
        (standard(json!({ "LanguageCode": "en-US", "VocabularyName": "a b" })), "VocabularyName"),
        (standard(json!({ "LanguageCode": "en-US", "VocabularyFilterMethod": "hide" })), "hide"),
        (standard(json!({ "LanguageCode": "en-US", "PartialResultsStability": "none" })), "none"),
        (standard(json!({ "LanguageCode": "en-US", "Specialty": "UROLOGY" })), "Specialty"),
        (with("LanguageCode", json!("en-GB")), "en-GB"),
        (with("Specialty", json!("DENTISTRY")), "DENTISTRY"),
        (with("Type", Value::Null), "Type"),
        (with("Region", json!("eu-central-1")), "Region"),
        (with("ContentIdentificationType", json!("PII")), "PII"),
    ];
    let fixture = fixture();
    for (body, because) in table {
        match fixture.start(&body) {
            Err(Refusal::BadRequest(message)) => assert!(message.contains(because), "{body}: {message}"),
            other => unreachable!("{body} gets {other:?}"),
        }
    }
    assert!(fixture.start(&medical(good)).is_ok());
}

#[test]
fn members_that_contradict_each_other_make_it_fail_a_moment_later() {
    let options = |options: &str| json!({ "IdentifyLanguage": true, "LanguageOptions": options });
    let table = [
        (json!({}), "either LanguageCode or IdentifyLanguage"),
        (json!({ "LanguageCode": "en-US", "IdentifyLanguage": true }), "either LanguageCode"),
        (json!({ "LanguageCode": "en-US", "LanguageOptions": "en-US,de-DE" }), "needs IdentifyLanguage"),
        (options("en-US"), "at least two"),
        (options("en-US,en-GB"), "one dialect"),
        (
            json!({ "IdentifyLanguage": true, "LanguageOptions": "en-US,de-DE", "PreferredLanguage": "fr-FR" }),
            "Preferred",
        ),
        (
            json!({ "LanguageCode": "en-US", "ContentIdentificationType": "PII", "ContentRedactionType": "PII" }),
            "exclude each other",
        ),
        (json!({ "LanguageCode": "en-US", "PiiEntityTypes": "NAME" }), "PiiEntityTypes"),
        (json!({ "IdentifyLanguage": true, "ContentRedactionType": "PII" }), "cannot be combined"),
        (json!({ "LanguageCode": "ha-NG" }), "ha-NG is no language"),
        (options("en-US,xx-YY"), "xx-YY is no language"),
    ];
    for (settings, because) in table {
        let message = fixture().failure(&standard(settings.clone()));
        assert!(message.starts_with("BadRequestException"), "{settings}: {message}");
        assert!(message.contains(because), "{settings}: {message}");
    }
}

#[test]
fn it_fails_where_the_engine_is_not_and_auto_finds_a_region() {
    let english = || standard(json!({ "LanguageCode": "en-US" }));
    let doctor = |region: Option<&str>| {
        let mut settings = json!({ "LanguageCode": "en-US", "Specialty": "UROLOGY", "Type": "DICTATION" });
        if let Some(region) = region {
            settings["Region"] = region.into();
        }
        medical(settings)
    };
    for media_region in ["af-south-1", "ap-south-1", "eu-north-1", "us-west-1"] {
        let message = fixture_in(media_region).failure(&english());
        assert!(message.contains(media_region), "{message}");
    }
    assert!(fixture().failure(&doctor(None)).contains("Transcribe Medical is not available in eu-central-1"));
    let runs_in = |media_region: &str, body: &Value| {
        let mut fixture = fixture_in(media_region);
        fixture.start(body).expect("it is good");
        fixture.advance(1);
        fixture.details().first().map(|it| it["transcriptionRegion"].clone())
    };
    let auto = standard(json!({ "LanguageCode": "en-US", "Region": "auto" }));
    assert_eq!(runs_in("eu-central-1", &english()), Some("eu-central-1".into()));
    assert_eq!(runs_in("eu-north-1", &auto), Some("eu-central-1".into()));
    assert_eq!(runs_in("eu-west-2", &auto), Some("eu-west-2".into()));
    assert_eq!(runs_in("eu-west-2", &doctor(Some("auto"))), Some("us-east-1".into()), "it crosses a border");
}

#[test]
fn an_ended_meeting_is_not_transcribed_and_its_end_stops_the_transcription() {
    let mut fixture = fixture();
    let english = standard(json!({ "LanguageCode": "en-US" }));
    fixture.start(&english).expect("it is good");
    fixture.advance(1);
    let delete = Call::DeleteMeeting { meeting: fixture.meeting.clone() };
    fixture.ask(&delete, &Value::Null).expect("it lives");
    assert_eq!(fixture.names(), ["Started", "Stopped"]);
    assert!(matches!(fixture.start(&english), Err(Refusal::NotFound(_))));
    assert!(matches!(fixture.stop(), Err(Refusal::NotFound(_))));
    fixture.advance(600);
    assert!(fixture.names().is_empty(), "nothing follows");
}

#[test]
fn faults_fail_it_interrupt_it_or_let_it_never_start() {
    let english = standard(json!({ "LanguageCode": "en-US" }));
    let after = |fault: Value, seconds: &[u32]| {
        let mut fixture = fixture();
        fixture.fault(fault);
        fixture.start(&english).expect("it is good");
        for seconds in seconds {
            fixture.advance(*seconds);
        }
        fixture
            .details()
            .into_iter()
            .map(|it| (it["eventType"].clone(), it["message"].clone()))
            .collect::<Vec<_>>()
    };
    let event = |name: &str, message: Value| (Value::from(format!("chime:Transcription{name}")), message);
    assert_eq!(after(json!({ "kind": "neverStarts" }), &[600]), []);
    assert_eq!(
        after(json!({ "kind": "fails", "message": "limit" }), &[1]),
        [event("Failed", json!("limit"))]
    );
    assert_eq!(
        after(json!({ "kind": "fails", "afterSeconds": 5 }), &[1, 5]),
        [event("Started", Value::Null), event("Failed", json!("Internal server error"))]
    );
    assert_eq!(
        after(json!({ "kind": "interrupts", "message": "lost", "afterSeconds": 5, "forSeconds": 2 }), &[20]),
        [event("Started", Value::Null), event("Interrupted", json!("lost")), event("Resumed", Value::Null)]
    );
    let long = after(json!({ "kind": "silent" }), &[4 * 60 * 60 + 1]);
    assert!(long[1].1.as_str().is_some_and(|it| it.contains("4 hour limit")), "{long:?}");
}

#[test]
fn the_control_api_makes_events_of_a_transcription_happen() {
    let mut fixture = fixture();
    assert!(matches!(fixture.event("TranscriptionStarted"), Err(EventError::NotTranscribed(_))));
    fixture.fault(json!({ "kind": "neverStarts" }));
    fixture.start(&standard(json!({ "LanguageCode": "en-US" }))).expect("it is good");
    for name in
        ["TranscriptionStarted", "TranscriptionInterrupted", "TranscriptionResumed", "TranscriptionFailed"]
    {
        fixture.event(name).expect("it was started");
    }
    assert_eq!(fixture.names(), ["Started", "Interrupted", "Resumed", "Failed"]);
    assert_eq!(fixture.chime.meetings()["meetings"][0]["transcription"]["state"], "failed");
    assert_eq!(fixture.stop(), Err(NOT_TRANSCRIBED));
}

#[test]
fn a_script_names_a_meeting_that_lives_and_an_attendee_whom_it_had() {
    let fixture = fixture();
    let words = |attendee: &str| {
        let words = json!([{ "attendeeId": attendee, "text": "Good morning.", "resultId": "1" }]);
        serde_json::from_value::<Vec<NewCaption>>(words).expect("a good script")
    };
    assert_eq!(fixture.chime.add_captions(&fixture.meeting, words(&fixture.attendee)), Ok(()));
    let stranger = fixture.chime.add_captions(&fixture.meeting, words("stranger"));
    assert_eq!(stranger, Err(CaptionError::NoAttendee("stranger".to_owned())));
    let nowhere = fixture.chime.add_captions("nowhere", words(&fixture.attendee));
    assert_eq!(nowhere, Err(CaptionError::NoMeeting("nowhere".to_owned())));
}

/// The frames that the media plane is to send.
#[derive(Default)]
struct Seen(Mutex<Vec<String>>);

impl MediaEffects for Seen {
    fn apply(&self, _: &str, change: MediaChange) {
        let MediaChange::Caption(caption) = change else { return };
        let text = match *caption {
            Caption::Status(status) => format!("{:?}", status.kind),
            Caption::Words(words) => words.transcript,
        };
        self.0.lock().expect("no test panics while it holds it").push(text);
    }
}

#[test]
fn people_get_states_and_words_while_it_runs_and_a_script_alone_before_one_was_started() {
    let fixture = fixture();
    let seen = Arc::new(Seen::default());
    let plane: Arc<dyn MediaEffects> = seen.clone();
    fixture.chime.attach_effects(Arc::downgrade(&plane), None);
    let say = |text: &str| {
        let words = json!([{ "attendeeId": fixture.attendee, "text": text, "resultId": text }]);
        let script = serde_json::from_value(words).expect("a good script");
        fixture.chime.add_captions(&fixture.meeting, script).expect("the meeting lives");
    };
    say("alone");
    fixture.start(&standard(json!({ "LanguageCode": "en-US" }))).expect("it is good");
    say("too early");
    fixture.advance(1);
    say("heard");
    fixture.event("TranscriptionInterrupted").expect("it runs");
    say("lost");
    fixture.event("TranscriptionResumed").expect("it runs");
    say("heard again");
    fixture.stop().expect("it runs");
    fixture.advance(1);
    say("too late");
    let seen = seen.0.lock().expect("no test panics while it holds it").clone();
    assert_eq!(seen, ["alone", "Started", "heard", "Interrupted", "Resumed", "heard again", "Stopped"]);
}
