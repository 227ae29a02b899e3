//! Pipelines by requests, by the engine's clock, and by what is in the bucket.

mod concatenations;
mod faults;
mod recorders;
mod requests;
mod texts;

use std::sync::Arc;

use local_media::mp4::Movie;
use local_template::plan::{Bucket, Principals, ResourceStatement, Statement};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::*;
use crate::calls::CallLog;
use crate::chime::{EventDelivery, EventSink, NewEvent, Options};
use crate::clock::Clock;
use crate::faults::Faults;
use crate::identity::Identities;
use crate::s3;

const REGION: &str = "eu-central-1";
const ACCOUNT: &str = "111122223333";
const BUCKET: &str = "recordings";
/// Its policy does not name the service.
const CLOSED_BUCKET: &str = "closed";
const SINK: &str = "arn:aws:s3:::recordings/captures/c1";

/// An engine with a bucket, its clock, and what comes to the bus.
struct Engine {
    chime: Chime,
    clock: Clock,
    bus: mpsc::UnboundedReceiver<Value>,
    s3: S3,
}

fn bucket(name: &str, policy: Vec<ResourceStatement>) -> Bucket {
    Bucket {
        name: name.to_owned(),
        arn: format!("arn:aws:s3:::{name}"),
        domain: format!("{name}.s3.{REGION}.amazonaws.com"),
        versioned: true,
        encryption: "aws:kms".to_owned(),
        policy,
        ..Bucket::default()
    }
}

/// The statement of AWS's guide.
fn policy() -> ResourceStatement {
    let actions = ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject", "s3:ListBucket"];
    let condition = |operator: &str, key: &str, value: &str| {
        (operator.to_owned(), key.to_owned(), vec![value.to_owned()])
    };
    ResourceStatement {
        principals: Principals::Services(vec!["mediapipelines.chime.amazonaws.com".to_owned()]),
        statement: Statement {
            sid: "MediaPipelines".to_owned(),
            allow: true,
            actions: actions.map(ToOwned::to_owned).into(),
            resources: vec![format!("arn:aws:s3:::{BUCKET}"), format!("arn:aws:s3:::{BUCKET}/*")],
            conditions: vec![
                condition("StringEquals", "aws:SourceAccount", ACCOUNT),
                condition("ArnLike", "aws:SourceArn", &format!("arn:aws:chime:*:{ACCOUNT}:*")),
            ],
        },
    }
}

fn engine() -> Engine {
    engine_with(EventDelivery::Immediate)
}

fn engine_with(event_delivery: EventDelivery) -> Engine {
    let options = Options { rate: None, event_delivery, ..Options::default() };
    let (clock, (sender, bus)) = (Clock::stopped(), mpsc::unbounded_channel());
    let sink: EventSink = Arc::new(move |event| drop(sender.send(event)));
    let chime = Chime::new(ACCOUNT, clock.clone(), options, sink);
    let around = s3::Surroundings {
        identities: Identities::default(),
        calls: CallLog::default(),
        faults: Faults::default(),
        authorize: Arc::new(|_, _, _, _| true),
        clock: clock.clone(),
        keys: Vec::new(),
    };
    let buckets = [bucket(BUCKET, vec![policy()]), bucket(CLOSED_BUCKET, Vec::new())];
    let s3 = S3::new(&buckets, around).expect("the policy is evaluated here");
    chime.attach_buckets(s3.clone(), REGION);
    Engine { chime, clock, bus, s3 }
}

impl Engine {
    /// The status and body of a call's answer.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let request = http::Request::builder().method(method).uri(path).body(()).expect("a request");
        let service = self.chime.media_pipelines();
        let answer = service.answer(REGION, &request.into_parts().0, body.to_string().into()).await;
        (answer.status().as_u16(), serde_json::from_slice(answer.body()).unwrap_or_default())
    }

    /// A live meeting with one who is connected, or nobody.
    fn meeting(&self, connected: bool) -> (String, String) {
        let body = json!({
            "ClientRequestToken": uuid::Uuid::new_v4().to_string(),
            "MediaRegion": REGION,
            "ExternalMeetingId": "medzen-1",
            "Attendees": [{ "ExternalUserId": "somebody" }],
        });
        let call = crate::chime::Call::CreateMeetingWithAttendees;
        let made = self.chime.perform(REGION, &call, body.to_string().as_bytes()).expect("it is good");
        let id = made["Meeting"]["MeetingId"].as_str().expect("an id").to_owned();
        if connected {
            let event = NewEvent {
                event_type: "AttendeeJoined".to_owned(),
                attendee_id: made["Attendees"][0]["AttendeeId"].as_str().map(ToOwned::to_owned),
                ..NewEvent::default()
            };
            self.chime.event(&id, event).expect("they are there");
        }
        (id, made["Meeting"]["MeetingArn"].as_str().expect("an ARN").to_owned())
    }

    fn end_meeting(&self, id: &str) {
        let call = crate::chime::Call::DeleteMeeting { meeting: id.to_owned() };
        self.chime.perform(REGION, &call, b"").expect("it lives");
        self.chime.deliver_due_events();
    }

    /// The id of a new capture.
    async fn capture(&self, body: &Value) -> String {
        let (status, answer) = self.ask("POST", "/sdk-media-capture-pipelines", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["MediaCapturePipeline"]["MediaPipelineId"].as_str().expect("an id").to_owned()
    }

    async fn concatenation(&self, body: &Value) -> String {
        let (status, answer) = self.ask("POST", "/sdk-media-concatenation-pipelines", body).await;
        assert_eq!(status, 201, "{answer}");
        answer["MediaConcatenationPipeline"]["MediaPipelineId"].as_str().expect("an id").to_owned()
    }

    async fn status(&self, id: &str) -> Value {
        let (_, answer) = self.ask("GET", &format!("/sdk-media-pipelines/{id}"), &Value::Null).await;
        let pipeline = answer["MediaPipeline"].as_object().and_then(|it| it.values().next());
        pipeline.map_or_else(|| answer["Code"].clone(), |it| it["Status"].clone())
    }

    async fn stop(&self, id: &str) {
        let (status, answer) =
            self.ask("DELETE", &format!("/sdk-media-capture-pipelines/{id}"), &Value::Null).await;
        assert_eq!(status, 204, "{answer}");
    }

    fn advance(&self, seconds: u32) {
        self.clock.advance(seconds);
        self.chime.deliver_due_events();
    }

    /// The names and pipelines of the events of pipelines since the last call.
    fn events(&mut self) -> Vec<(String, String)> {
        let events = std::iter::from_fn(|| self.bus.try_recv().ok());
        let events = events.filter(|it| it["detail-type"] == "Chime Media Pipeline State Change");
        let text = |value: &Value| value.as_str().unwrap_or_default().replace("chime:MediaPipeline", "");
        events.map(|it| (text(&it["detail"]["eventType"]), text(&it["detail"]["mediaPipelineId"]))).collect()
    }

    fn keys(&self, part: &str) -> Vec<String> {
        self.s3.keys(BUCKET).into_iter().filter(|key| key.contains(part)).collect()
    }

    fn movie(&self, key: &str) -> Movie {
        Movie::read(&self.s3.object(BUCKET, key).expect("it is there").bytes().expect("it is readable"))
            .expect("it is a file")
    }
}

fn artifacts(audio: &str) -> Value {
    let disabled = json!({ "State": "Disabled" });
    json!({ "ArtifactsConfiguration": { "Audio": { "MuxType": audio }, "Video": disabled, "Content": disabled } })
}

fn good_capture(meeting_arn: &str) -> Value {
    json!({
        "SourceType": "ChimeSdkMeeting",
        "SourceArn": meeting_arn,
        "SinkType": "S3Bucket",
        "SinkArn": SINK,
        "ClientRequestToken": "capture-1",
        "ChimeSdkMeetingConfiguration": artifacts("AudioWithActiveSpeakerVideo"),
    })
}

fn good_concatenation(capture: &str) -> Value {
    let (on, off) = (json!({ "State": "Enabled" }), json!({ "State": "Disabled" }));
    json!({
        "Sources": [{
            "Type": "MediaCapturePipeline",
            "MediaCapturePipelineSourceConfiguration": {
                "MediaPipelineArn": pipeline_arn(REGION, ACCOUNT, capture),
                "ChimeSdkMeetingConfiguration": { "ArtifactsConfiguration": {
                    "Audio": on, "Video": off, "Content": off, "DataChannel": on, "TranscriptionMessages": on,
                    "MeetingEvents": on, "CompositedVideo": on,
                } },
            },
        }],
        "Sinks": [{
            "Type": "S3Bucket",
            "S3BucketSinkConfiguration": { "Destination": "arn:aws:s3:::recordings/joined/c1" },
        }],
        "ClientRequestToken": "joined-1",
    })
}

/// A body with one member changed, by its pointer; `Value::Null` takes it away.
fn changed(mut body: Value, pointer: &str, value: Value) -> Value {
    let (parent, member) = pointer.rsplit_once('/').expect("a pointer begins with a slash");
    let parent = body.pointer_mut(parent).expect("it is in the body");
    match (parent, value) {
        (Value::Object(parent), Value::Null) => drop(parent.remove(member)),
        (parent, value) => parent[member] = value,
    }
    body
}

#[tokio::test]
async fn a_capture_puts_a_chunk_each_five_seconds_from_its_start_to_its_end() {
    let mut engine = engine();
    let (_, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    assert_eq!((engine.status(&id).await, engine.events()), (json!("Initializing"), vec![]));
    engine.advance(2);
    assert_eq!(engine.status(&id).await, "InProgress");
    assert_eq!(engine.events(), [("InProgress".to_owned(), id.clone())]);
    assert!(engine.keys("audio/").is_empty(), "the first chunk is not complete");
    engine.advance(10);
    assert_eq!(engine.keys("captures/c1/audio/").len(), 2);
    engine.stop(&id).await;
    assert_eq!((engine.status(&id).await, engine.events()), (json!("Stopping"), vec![]));
    engine.advance(2);
    assert_eq!(engine.status(&id).await, "Stopped");
    assert_eq!(engine.events(), [("Deleted".to_owned(), id.clone())]);
    let keys = engine.keys("captures/c1/audio/");
    assert_eq!(keys.len(), 3, "the last one is short: {keys:?}");
    let starts: Vec<i64> = keys.iter().filter_map(|key| artifacts::started_ms(key)).collect();
    assert_eq!([starts[1] - starts[0], starts[2] - starts[1]], [5_000, 5_000]);
    let durations = keys.iter().map(|key| engine.movie(key).duration_us).collect::<Vec<_>>();
    assert_eq!(durations, [5_000_000, 5_000_000, 2_000_000], "until it has stopped");
    assert!(engine.movie(&keys[0]).pictures.len() == 25, "somebody is there, with a picture");
    engine.advance(60);
    assert_eq!(engine.keys("").len(), keys.len() + 2, "the chunks, and the events of the start and the end");
    let (status, answer) =
        engine.ask("DELETE", &format!("/sdk-media-capture-pipelines/{id}"), &Value::Null).await;
    assert_eq!((status, &answer["Code"]), (404, &json!("NotFound")), "it has ended");
    engine.advance(300);
    assert_eq!(engine.status(&id).await, "NotFound", "it is forgotten");
}

#[tokio::test]
async fn a_meeting_without_people_is_captured_as_silence() {
    let engine = engine();
    let (_, arn) = engine.meeting(false);
    engine.capture(&good_capture(&arn)).await;
    engine.advance(8);
    let keys = engine.keys("audio/");
    let [key] = keys.as_slice() else { unreachable!("one chunk: {keys:?}") };
    let movie = engine.movie(key);
    assert_eq!((movie.pictures.len(), movie.sound.len()), (0, 250));
    assert!(movie.sound.iter().all(|packet| packet.data == movie.sound[0].data), "all alike");
}

#[tokio::test]
async fn the_artifacts_of_a_capture_are_those_of_its_configuration() {
    let engine = engine();
    let (_, arn) = engine.meeting(true);
    let configuration = json!({ "ArtifactsConfiguration": {
        "Audio": { "MuxType": "AudioWithCompositedVideo" },
        "Video": { "State": "Enabled", "MuxType": "VideoOnly" },
        "Content": { "State": "Disabled" },
        "CompositedVideo": {
            "Layout": "GridView", "Resolution": "HD", "GridViewConfiguration": { "ContentShareLayout": "Vertical" },
        },
    } });
    engine.capture(&changed(good_capture(&arn), "/ChimeSdkMeetingConfiguration", configuration)).await;
    engine.advance(7);
    let folders = engine.keys("").into_iter().map(|key| key.split('/').nth(2).unwrap_or_default().to_owned());
    assert_eq!(folders.collect::<Vec<_>>(), ["audio", "composited-video", "meeting-events", "video"]);
    let tracks = |part: &str| {
        let movie = engine.movie(&engine.keys(part)[0]);
        (!movie.pictures.is_empty(), !movie.sound.is_empty())
    };
    assert_eq!(tracks("/audio/"), (false, true));
    assert_eq!(tracks("/composited-video/"), (true, true));
    assert_eq!(tracks("/video/"), (true, false));
    let key = &engine.keys("/audio/")[0];
    let object = engine.s3.object(BUCKET, key).expect("it is there");
    assert_eq!(object.headers.content_type.as_deref(), Some("video/mp4"));
    assert_eq!(object.headers.encryption.as_deref(), Some("aws:kms"), "the bucket's own");
}

#[tokio::test]
async fn the_end_of_a_meeting_stops_its_capture_at_that_moment() {
    let mut engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    engine.advance(10);
    engine.events();
    engine.end_meeting(&meeting);
    assert_eq!(engine.status(&id).await, "Stopping");
    engine.advance(30);
    assert_eq!(engine.events(), [("Deleted".to_owned(), id.clone())]);
    let keys = engine.keys("audio/");
    let last = engine.movie(keys.last().expect("two chunks"));
    assert_eq!((keys.len(), last.duration_us), (2, 3_000_000));
}

#[tokio::test]
async fn a_meeting_that_ends_by_itself_stops_its_capture_too() {
    let mut engine = engine();
    let (_, arn) = engine.meeting(false);
    let id = engine.capture(&good_capture(&arn)).await;
    engine.advance(900);
    assert_eq!(engine.status(&id).await, "NotFound", "it ended 10 minutes ago");
    let names: Vec<String> = engine.events().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["InProgress", "Deleted"]);
    assert_eq!(engine.keys("audio/").len(), 60, "5 minutes less the 2 s of the start");
}

#[tokio::test]
async fn the_recorder_is_an_attendee_of_the_meeting_and_no_person() {
    let mut engine = engine();
    let (meeting, arn) = engine.meeting(true);
    while engine.bus.try_recv().is_ok() {}
    let id = engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    let recorder = format!("aws:MediaPipeline-{id}");
    let listed = |engine: &Engine| {
        let call = crate::chime::Call::ListAttendees {
            meeting: meeting.clone(),
            max_results: None,
            next_token: None,
        };
        let list = engine.chime.perform(REGION, &call, b"").expect("it lives");
        let users =
            list["Attendees"].as_array().expect("a list").iter().map(|it| it["ExternalUserId"].clone());
        users.collect::<Vec<Value>>()
    };
    assert_eq!(listed(&engine), [json!("somebody"), json!(recorder)]);
    engine.stop(&id).await;
    engine.advance(2);
    assert_eq!(listed(&engine), [json!("somebody")]);
    let events: Vec<Value> = std::iter::from_fn(|| engine.bus.try_recv().ok()).collect();
    let of_recorder = events.iter().filter(|it| it["detail"]["externalUserId"] == recorder.as_str());
    let names: Vec<&str> = of_recorder.filter_map(|it| it["detail"]["eventType"].as_str()).collect();
    assert_eq!(names, ["chime:AttendeeJoined", "chime:AttendeeLeft"]);
}

#[tokio::test]
async fn an_event_of_a_pipeline_is_as_aws_sends_it() {
    let mut engine = engine();
    let (meeting, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    let mut events = std::iter::from_fn(|| engine.bus.try_recv().ok());
    let event =
        events.find(|it| it["detail"]["eventType"] == "chime:MediaPipelineInProgress").expect("it is sent");
    assert_eq!((&event["source"], &event["region"]), (&json!("aws.chime"), &json!(REGION)));
    let timestamp = event["detail"]["timestamp"].clone();
    assert!(timestamp.is_i64(), "{event}");
    let detail = json!({
        "version": "0",
        "eventType": "chime:MediaPipelineInProgress",
        "timestamp": timestamp,
        "meetingId": meeting,
        "externalMeetingId": "medzen-1",
        "mediaPipelineId": id,
        "mediaRegion": REGION,
    });
    assert_eq!(event["detail"], detail);
}

#[tokio::test]
async fn by_default_only_the_control_api_sends_events_and_the_clock_still_runs() {
    let mut engine = engine_with(EventDelivery::default());
    let (_, arn) = engine.meeting(true);
    let id = engine.capture(&good_capture(&arn)).await;
    engine.advance(2);
    assert_eq!((engine.status(&id).await, engine.events()), (json!("InProgress"), vec![]));
}
