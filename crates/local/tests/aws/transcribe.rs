//! Transcription jobs by Transcribe's client.

use aws_sdk_transcribe::Client;
use aws_sdk_transcribe::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_transcribe::types::{
    LanguageCode, Media, MediaFormat, MedicalTranscriptionSetting, Settings, Specialty,
    TranscriptionJobStatus, Type,
};
use local::s3::ObjectHeaders;
use local_media::mp4::{BarsChunk, example};
use serde_json::{Value, json};

use crate::fixture::{BUCKET, Fixture, REGION};

const MEDIA: &str = "recordings/one.mp4";

fn code<T: ProvideErrorMetadata, R>(error: &SdkError<T, R>) -> &str {
    error.code().unwrap_or("no code")
}

/// A file of 5 s of sound, and so many seconds of silence after it.
fn sound(silence_seconds: u64) -> bytes::Bytes {
    let mut movie = example(BarsChunk { index: 0, pictures: false, tone: true });
    movie.append_silence(silence_seconds * 1_000_000);
    movie.write().expect("it has nothing but sound")
}

async fn fixture() -> (Fixture, Client) {
    let fixture = Fixture::start().await;
    fixture.s3.put(BUCKET, MEDIA, sound(0), ObjectHeaders::default()).expect("there is the bucket");
    let client = fixture.transcribe();
    (fixture, client)
}

fn media(key: &str) -> Media {
    Media::builder().media_file_uri(format!("s3://{BUCKET}/{key}")).build()
}

fn start(
    client: &Client,
    name: &str,
) -> aws_sdk_transcribe::operation::start_transcription_job::builders::StartTranscriptionJobFluentBuilder {
    client
        .start_transcription_job()
        .transcription_job_name(name)
        .media(media(MEDIA))
        .output_bucket_name(BUCKET)
        .output_key("transcripts/one/")
}

fn speech(words: &Value) -> local::transcribe::NewSpeech {
    let speech = json!({ "bucket": BUCKET, "key": MEDIA, "words": words });
    serde_json::from_value(speech).expect("a good script")
}

impl Fixture {
    fn job_events(&self) -> Vec<Value> {
        let events = std::mem::take(&mut *self.events.lock().expect("no test panics here"));
        events.into_iter().filter(|it| it["source"] == "aws.transcribe").collect()
    }

    fn pass(&self, seconds: u32) {
        self.clock.advance(seconds);
        self.transcribe.deliver_and_wake();
    }

    fn output(&self, key: &str) -> Value {
        let object = self.s3.object(BUCKET, key).expect("it is there");
        serde_json::from_slice(&object.bytes().expect("it is readable")).expect("JSON")
    }

    fn job_fault(&self, fault: Value) {
        self.transcribe.add_fault(serde_json::from_value(fault).expect("a good fault"));
    }
}

async fn job(client: &Client, name: &str) -> aws_sdk_transcribe::types::TranscriptionJob {
    let got = client.get_transcription_job().transcription_job_name(name).send().await;
    got.expect("it is there").transcription_job.expect("the job")
}

#[tokio::test]
async fn a_job_ends_by_its_event_and_its_file_has_the_words_with_speakers_and_times() {
    let (fixture, client) = fixture().await;
    fixture.transcribe.set_speech(speech(&json!([
        { "speaker": "a", "text": "Good morning.", "startMs": 0, "endMs": 1_000 },
        { "speaker": "b", "text": "My head hurts.", "startMs": 1_500, "endMs": 3_000, "confidence": 0.5 },
        { "speaker": "a", "text": "Since when?", "startMs": 3_200, "endMs": 4_000 },
    ])));
    let settings = Settings::builder().show_speaker_labels(true).max_speaker_labels(4).build();
    let started = start(&client, "one")
        .language_code(LanguageCode::EnUs)
        .settings(settings)
        .send()
        .await
        .expect("it is good");
    let started = started.transcription_job.expect("the job");
    assert_eq!(started.transcription_job_status, Some(TranscriptionJobStatus::InProgress));
    assert!(
        started.start_time.is_some() && started.completion_time.is_none() && started.transcript.is_none()
    );
    fixture.pass(9);
    assert!(fixture.job_events().is_empty());
    fixture.pass(1);
    let events = fixture.job_events();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["detail-type"], "Transcribe Job State Change");
    assert_eq!(
        events[0]["detail"],
        json!({ "TranscriptionJobName": "one", "TranscriptionJobStatus": "COMPLETED" })
    );
    let done = job(&client, "one").await;
    assert_eq!(done.transcription_job_status, Some(TranscriptionJobStatus::Completed));
    assert_eq!(done.settings.and_then(|it| it.max_speaker_labels), Some(4));
    let uri = done.transcript.and_then(|it| it.transcript_file_uri).expect("its address");
    assert_eq!(uri, format!("https://s3.{REGION}.amazonaws.com/{BUCKET}/transcripts/one/one.json"));
    let output = fixture.output("transcripts/one/one.json");
    let results = &output["results"];
    assert_eq!((&output["jobName"], &output["status"]), (&json!("one"), &json!("COMPLETED")));
    assert_eq!(results["transcripts"][0]["transcript"], "Good morning. My head hurts. Since when?");
    assert_eq!(results["speaker_labels"]["speakers"], 2);
    let labels: Vec<_> =
        results["audio_segments"].as_array().into_iter().flatten().map(|it| &it["speaker_label"]).collect();
    assert_eq!(labels, ["spk_0", "spk_1", "spk_0"]);
    assert_eq!(
        results["items"][3],
        json!({
            "id": 3, "type": "pronunciation", "start_time": "1.50", "end_time": "2.00", "speaker_label": "spk_1",
            "alternatives": [{ "confidence": "0.5", "content": "My" }],
        })
    );
    assert_eq!(results["items"][2]["alternatives"][0], json!({ "confidence": "0.0", "content": "." }));
    assert_eq!(results["speaker_labels"]["segments"][1]["items"].as_array().map(Vec::len), Some(3));
    assert_eq!(results["audio_segments"][1]["items"], json!([3, 4, 5, 6]));
}

#[tokio::test]
async fn the_language_is_identified_among_the_options() {
    let (fixture, client) = fixture().await;
    fixture.transcribe.set_speech(speech(&json!([
        { "speaker": "a", "text": "Guten Tag.", "startMs": 0, "endMs": 3_000, "language": "de-DE" },
        { "speaker": "b", "text": "Hello.", "startMs": 3_000, "endMs": 4_000, "language": "en-US" },
    ])));
    let options =
        || [LanguageCode::EnUs, LanguageCode::DeDe].map(Some).into_iter().flatten().collect::<Vec<_>>();
    start(&client, "one")
        .identify_language(true)
        .set_language_options(Some(options()))
        .send()
        .await
        .expect("it is good");
    start(&client, "several")
        .identify_multiple_languages(true)
        .set_language_options(Some(options()))
        .send()
        .await
        .expect("it is good");
    fixture.pass(10);
    assert_eq!(job(&client, "one").await.language_code, Some(LanguageCode::DeDe));
    assert!(job(&client, "one").await.identified_language_score.is_some());
    assert_eq!(job(&client, "several").await.language_codes().len(), 2);
    let one = fixture.output("transcripts/one/one.json");
    assert_eq!(one["results"]["language_code"], "de-DE");
    assert_eq!(one["results"]["language_identification"][0], json!({ "score": "0.97", "code": "de-DE" }));
    let several = fixture.output("transcripts/one/several.json");
    assert_eq!(
        several["results"]["language_codes"][1],
        json!({ "language_code": "en-US", "duration_in_seconds": 1.0 })
    );
    assert_eq!(several["results"]["items"][0]["language_code"], "de-DE");
}

#[tokio::test]
async fn what_contradicts_itself_or_cannot_be_read_is_refused() {
    let (fixture, client) = fixture().await;
    let good = |name: &str| start(&client, name).language_code(LanguageCode::EnUs);
    let settings = |it: aws_sdk_transcribe::types::builders::SettingsBuilder| good("x").settings(it.build());
    let requests = vec![
        (good("a b"), "TranscriptionJobName"),
        (start(&client, "x"), "exactly one of LanguageCode"),
        (good("x").identify_language(true), "exactly one of LanguageCode"),
        (start(&client, "x").language_code(LanguageCode::from("xx-YY")), "enum value set"),
        (start(&client, "x").identify_language(true).language_options(LanguageCode::EnUs), "at least two"),
        (
            start(&client, "x")
                .identify_language(true)
                .language_options(LanguageCode::EnUs)
                .language_options(LanguageCode::EnGb),
            "one dialect",
        ),
        (good("x").language_options(LanguageCode::EnUs), "LanguageOptions needs"),
        (settings(Settings::builder().show_speaker_labels(true)), "need each other"),
        (settings(Settings::builder().show_speaker_labels(true).max_speaker_labels(31)), "between 2 and 30"),
        (settings(Settings::builder().channel_identification(true)), "ChannelIdentification"),
        (good("x").media_sample_rate_hertz(4_000), "MediaSampleRateHertz"),
        (good("x").output_key("a b"), "OutputKey"),
        (good("x").media(Media::builder().media_file_uri("file:///x").build()), "MediaFileUri"),
        (good("x").media(media("nothing.mp4")), "can't be accessed"),
        (good("x").output_bucket_name("other-bucket"), "can't be accessed"),
    ];
    for (request, because) in requests {
        let refused = request.send().await.expect_err(because);
        assert_eq!(code(&refused), "BadRequestException", "{because}");
        assert!(refused.message().is_some_and(|it| it.contains(because)), "{because}: {refused:?}");
    }
    for action in ["s3:GetObject", "s3:PutObject"] {
        fixture.deny(action);
        let refused = good("x").send().await.expect_err("the role lacks it");
        assert_eq!(code(&refused), "BadRequestException", "{action}");
    }
}

#[tokio::test]
async fn a_name_is_taken_until_its_job_is_deleted_and_jobs_wait_beyond_the_quota() {
    let (fixture, client) = fixture().await;
    let good = |name: &str| start(&client, name).language_code(LanguageCode::EnUs);
    good("one").send().await.expect("it is good");
    assert_eq!(good("one").send().await.as_ref().map_err(code).map(drop), Err("ConflictException"));
    fixture.transcribe.set_quota(Some(1));
    assert_eq!(good("two").send().await.as_ref().map_err(code).map(drop), Err("LimitExceededException"));
    let queue = aws_sdk_transcribe::types::JobExecutionSettings::builder()
        .allow_deferred_execution(true)
        .data_access_role_arn("arn:aws:iam::111122223333:role/transcribe")
        .build();
    let waits = good("two").job_execution_settings(queue).send().await.expect("it may wait");
    let status = waits.transcription_job.and_then(|it| it.transcription_job_status);
    assert_eq!(status, Some(TranscriptionJobStatus::Queued));
    let list = |status| client.list_transcription_jobs().status(status).send();
    let names =
        |listed: aws_sdk_transcribe::operation::list_transcription_jobs::ListTranscriptionJobsOutput| {
            let summaries = listed.transcription_job_summaries().iter();
            summaries.filter_map(|it| it.transcription_job_name.clone()).collect::<Vec<_>>()
        };
    fixture.pass(10);
    assert_eq!(names(list(TranscriptionJobStatus::Completed).await.expect("a list")), ["one"]);
    assert_eq!(names(list(TranscriptionJobStatus::InProgress).await.expect("a list")), ["two"]);
    let page = client.list_transcription_jobs().max_results(1).send().await.expect("a list");
    let token = page.next_token.clone().expect("there is another page");
    assert_eq!(names(page), ["two"], "the newest first");
    let page =
        client.list_transcription_jobs().max_results(1).next_token(token).send().await.expect("a list");
    assert!(page.next_token.is_none());
    assert_eq!(names(page), ["one"]);
    client.delete_transcription_job().transcription_job_name("one").send().await.expect("it is there");
    let arn = format!("arn:aws:transcribe:{REGION}:111122223333:transcription-job/one");
    assert_eq!(fixture.last_asked(), ("transcribe:DeleteTranscriptionJob".to_owned(), Some(arn)));
    let gone = client.get_transcription_job().transcription_job_name("one").send().await;
    assert_eq!(gone.as_ref().map_err(code).map(drop), Err("BadRequestException"));
    let again = client.delete_transcription_job().transcription_job_name("one").send().await;
    assert_eq!(again.as_ref().map_err(code).map(drop), Err("BadRequestException"));
}

#[tokio::test]
async fn a_job_fails_by_its_media_or_by_a_fault_and_a_fault_spoils_its_output() {
    let (fixture, client) = fixture().await;
    fixture
        .s3
        .put(BUCKET, "text.mp4", "no file of sound".into(), ObjectHeaders::default())
        .expect("the bucket");
    let huge = tempfile::tempfile().expect("a file");
    huge.set_len(2 * 1024 * 1024 * 1024 + 1).expect("it may have holes");
    fixture.s3.put_file(BUCKET, "huge.mp4", huge, ObjectHeaders::default()).expect("the bucket");
    fixture.s3.put(BUCKET, "long.mp4", sound(4 * 60 * 60), ObjectHeaders::default()).expect("the bucket");
    let good = |name: &str| start(&client, name).language_code(LanguageCode::EnUs);
    for (name, request) in [
        ("text", good("text").media(media("text.mp4"))),
        ("huge", good("huge").media(media("huge.mp4"))),
        ("long", good("long").media(media("long.mp4"))),
        ("format", good("format").media_format(MediaFormat::Flac)),
    ] {
        request.send().await.unwrap_or_else(|error| unreachable!("{name}: {error:?}"));
    }
    for fault in [
        json!({ "kind": "fails", "reason": "Internal error" }),
        json!({ "kind": "outputMalformed" }),
        json!({ "kind": "outputMissing" }),
        json!({ "kind": "neverEnds" }),
    ] {
        let name = fault["kind"].as_str().expect("a text").to_owned();
        fixture.job_fault(fault);
        good(&name).send().await.expect("it is good");
    }
    fixture.pass(60);
    for (name, because) in [
        ("text", "Unsupported media format."),
        ("huge", "Invalid file size: file size too large."),
        ("long", "4 hours"),
        ("format", "does not match the detected media format"),
        ("fails", "Internal error"),
    ] {
        let failed = job(&client, name).await;
        assert_eq!(failed.transcription_job_status, Some(TranscriptionJobStatus::Failed), "{name}");
        assert!(failed.failure_reason.as_ref().is_some_and(|it| it.contains(because)), "{name}: {failed:?}");
    }
    let status = |name: &'static str| async { job(&client, name).await.transcription_job_status };
    assert_eq!(status("neverEnds").await, Some(TranscriptionJobStatus::InProgress));
    assert_eq!(status("outputMissing").await, Some(TranscriptionJobStatus::Completed));
    assert!(fixture.s3.object(BUCKET, "transcripts/one/outputMissing.json").is_none());
    let half = fixture.s3.object(BUCKET, "transcripts/one/outputMalformed.json").expect("half of it");
    assert!(serde_json::from_slice::<Value>(&half.bytes().expect("it is readable")).is_err());
    assert_eq!(fixture.job_events().len(), 7, "all but one have ended");
}

#[tokio::test]
async fn a_medical_job_has_a_region_and_a_specialty_of_its_own_and_no_event() {
    let (fixture, client) = fixture().await;
    let start = |specialty: Specialty| {
        client
            .start_medical_transcription_job()
            .medical_transcription_job_name("one")
            .language_code(LanguageCode::EnUs)
            .media(media(MEDIA))
            .output_bucket_name(BUCKET)
            .specialty(specialty)
            .r#type(Type::Conversation)
            .settings(
                MedicalTranscriptionSetting::builder()
                    .show_speaker_labels(true)
                    .max_speaker_labels(2)
                    .build(),
            )
    };
    let elsewhere =
        start(Specialty::Primarycare).send().await.expect_err("eu-central-1 has no Transcribe Medical");
    assert!(elsewhere.message().is_some_and(|it| it.contains(REGION)), "{elsewhere:?}");
    assert!(fixture.job_events().is_empty());
}
