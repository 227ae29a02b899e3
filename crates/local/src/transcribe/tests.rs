//! Medical jobs, which the region of the other tests does not have.

use std::sync::Arc;

use local_media::mp4::{BarsChunk, example};
use local_template::plan::Bucket;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::calls::CallLog;
use crate::chime::Options;
use crate::faults::Faults;
use crate::identity::Identities;
use crate::s3::{self, ObjectHeaders};

const REGION: &str = "us-east-1";
const BUCKET: &str = "recordings";
const MEDIA: &str = "one.mp4";

struct Fixture {
    service: Transcribe,
    s3: S3,
    caller: Caller,
    bus: mpsc::UnboundedReceiver<Value>,
}

fn fixture() -> Fixture {
    let (clock, identities) = (Clock::stopped(), Identities::default());
    let around = s3::Surroundings {
        identities: identities.clone(),
        calls: CallLog::default(),
        faults: Faults::default(),
        authorize: Arc::new(|_, _, _, _| true),
        clock: clock.clone(),
        keys: Vec::new(),
    };
    let bucket = Bucket { name: BUCKET.to_owned(), ..Bucket::default() };
    let s3 = S3::new(&[bucket], around).expect("it has no policy");
    let file = example(BarsChunk { index: 0, pictures: false, tone: true }).write().expect("it is small");
    s3.put(BUCKET, MEDIA, file, ObjectHeaders::default()).expect("there is the bucket");
    let (credentials, _) = identities.issue("transcript", "environment-1");
    let (_, caller) = identities.by_access_key(&credentials.access_key_id).expect("it was issued");
    let (sender, bus) = mpsc::unbounded_channel();
    let service = Transcribe::new(Surroundings {
        account: "111122223333".to_owned(),
        clock: clock.clone(),
        s3: s3.clone(),
        region: REGION.to_owned(),
        chime: Chime::new("111122223333", clock, Options::default(), Arc::new(|_| {})),
        event_delivery: EventDelivery::Immediate,
        sink: Arc::new(move |event| drop(sender.send(event))),
    });
    Fixture { service, s3, caller, bus }
}

fn medical() -> Value {
    json!({
        "MedicalTranscriptionJobName": "one",
        "LanguageCode": "en-US",
        "Media": { "MediaFileUri": format!("s3://{BUCKET}/{MEDIA}") },
        "OutputBucketName": BUCKET,
        "Specialty": "PRIMARYCARE",
        "Type": "CONVERSATION",
        "Settings": { "ShowSpeakerLabels": true, "MaxSpeakerLabels": 2 },
    })
}

impl Fixture {
    fn ask(&self, call: Call, body: &Value) -> Result<Value, Refusal> {
        self.service.perform(REGION, &self.caller, call, body.to_string().as_bytes())
    }
}

#[test]
fn a_medical_job_ends_without_an_event() {
    let mut fixture = fixture();
    let speech = json!({ "bucket": BUCKET, "key": MEDIA, "words": [
        { "speaker": "a", "text": "Any allergies?", "startMs": 0, "endMs": 1_000 },
        { "speaker": "b", "text": "None.", "startMs": 1_000, "endMs": 2_000 },
        { "speaker": "c", "text": "Good.", "startMs": 2_000, "endMs": 3_000 },
    ] });
    fixture.service.set_speech(serde_json::from_value(speech).expect("a good script"));
    let started = fixture.ask(Call::Start(Kind::Medical), &medical()).expect("it is good");
    assert_eq!(started["MedicalTranscriptionJob"]["TranscriptionJobStatus"], "IN_PROGRESS");
    fixture.service.around.clock.advance(10);
    assert_eq!(fixture.service.deliver_due(), None);
    assert!(fixture.bus.try_recv().is_err());
    let name = json!({ "MedicalTranscriptionJobName": "one" });
    let got = fixture.ask(Call::Get(Kind::Medical), &name).expect("it is there");
    let job = &got["MedicalTranscriptionJob"];
    assert_eq!(
        (&job["TranscriptionJobStatus"], &job["Specialty"]),
        (&json!("COMPLETED"), &json!("PRIMARYCARE"))
    );
    let output = fixture.s3.object(BUCKET, "medical/one.json").expect("it is there");
    let output = output.bytes().expect("it is readable");
    let read = domain::transcript::batch::parse(&output).expect("the product reads it");
    assert_eq!((read.words.len(), read.words[6].label.as_deref()), (7, Some("spk_1")));
    let output: Value = serde_json::from_slice(&output).expect("JSON");
    let results = &output["results"];
    assert_eq!(results["transcripts"][0]["transcript"], "Any allergies? None. Good.");
    let labels = results["items"].as_array().into_iter().flatten().map(|it| it["speaker_label"].clone());
    let labels: Vec<Value> = labels.collect();
    assert_eq!(labels, ["spk_0", "spk_0", "spk_0", "spk_1", "spk_1", "spk_1", "spk_1"], "two at the most");
    assert!(results.get("audio_segments").is_none());
}

#[test]
fn a_medical_job_knows_one_specialty_and_one_language() {
    let fixture = fixture();
    let table = [
        ("Specialty", json!("CARDIOLOGY"), "PRIMARYCARE"),
        ("LanguageCode", json!("en-GB"), "en-US"),
        ("Type", json!("TALK"), "CONVERSATION or DICTATION"),
        ("ContentIdentificationType", json!("PII"), "PHI"),
        ("MediaSampleRateHertz", json!(8_000), "16000"),
        ("OutputBucketName", Value::Null, "OutputBucketName"),
        ("IdentifyLanguage", json!(true), "IdentifyLanguage"),
    ];
    for (member, value, because) in table {
        let mut body = medical();
        body[member] = value;
        if body[member].is_null() {
            body.as_object_mut().expect("an object").remove(member);
        }
        match fixture.ask(Call::Start(Kind::Medical), &body) {
            Err(Refusal::BadRequest(message)) => assert!(message.contains(because), "{member}: {message}"),
            other => unreachable!("{member} gets {other:?}"),
        }
    }
}

#[test]
fn the_control_api_ends_a_job_and_sends_its_event_as_often_as_it_is_asked_to() {
    let mut fixture = fixture();
    let start = json!({
        "TranscriptionJobName": "one",
        "LanguageCode": "sw-KE",
        "Media": { "MediaFileUri": format!("s3://{BUCKET}/{MEDIA}") },
        "OutputBucketName": BUCKET,
    });
    fixture.ask(Call::Start(Kind::Standard), &start).expect("it is good");
    let end = |reason: Option<&str>| NewJobEnd { failure_reason: reason.map(ToOwned::to_owned) };
    for _ in 0..2 {
        fixture.service.end_job("one", end(Some("Internal error"))).expect("it is there");
        let event = fixture.bus.try_recv().expect("an event");
        assert_eq!(
            event["detail"],
            json!({ "TranscriptionJobName": "one", "TranscriptionJobStatus": "FAILED" })
        );
    }
    assert_eq!(fixture.service.listed()["jobs"][0]["failureReason"], "Internal error");
    assert_eq!(fixture.service.end_job("two", end(None)), Err(JobError::Unknown("two".to_owned())));
    let elsewhere = fixture.service.perform("eu-west-1", &fixture.caller, Call::Start(Kind::Standard), b"{}");
    assert!(elsewhere.is_err());
}
