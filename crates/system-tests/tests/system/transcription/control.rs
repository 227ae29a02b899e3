//! The provider's requests, consent, the budget, and what Chime reports.

use local::chime::{EventDelivery, Options};
use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{ROUTE, Transcribed};
use crate::outbox;
use crate::requests::consent;

fn text_only() -> Value {
    json!({ "transcription": true })
}

async fn deployed(parameters: &[(&str, &str)]) -> TestResult<TestCloud> {
    let chime = Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() };
    TestCloud::deployed(chime, parameters).await
}

#[tokio::test(flavor = "multi_thread")]
async fn chime_is_asked_only_once_the_speech_is_captured_and_started_means_that_it_said_so() -> TestResult {
    let call = Transcribed::with_consent(text_only()).await?;
    let watch = call.cloud.watch();
    let started = call.start(json!({ "language": "de-DE" })).await?;
    assert_eq!((started.brief().as_str(), started.text("state").as_str()), ("201", "starting"));
    assert_eq!(watch.count("StartMeetingTranscription"), 0, "nothing is captured yet");
    call.pass(0).await?;
    assert_eq!(watch.count("CreateMediaCapturePipeline"), 1);
    assert_eq!(watch.count("StartMeetingTranscription"), 0, "the capture does not run yet");
    call.pass(3).await?;
    assert_eq!(watch.count("StartMeetingTranscription"), 1);
    assert_eq!(call.feature().await?["state"], "starting", "accepted is not started");
    call.pass(2).await?;
    assert_eq!(call.feature().await?["state"], "active");
    let again = call.start(json!({})).await?;
    assert_eq!((again.brief().as_str(), again.text("language").as_str()), ("200", "de-DE"));
    assert_eq!(
        call.scenario.patient.status().await?.body["recording"]["state"],
        "off",
        "nothing is recorded"
    );

    let stopped = call.stop().await?;
    assert_eq!(
        (stopped.brief().as_str(), stopped.text("reason").as_str()),
        ("200", "requested"),
        "{:?}",
        stopped.body
    );
    assert_eq!(watch.count("StopMeetingTranscription"), 1, "before the answer");
    assert_eq!(call.stop().await?.brief(), "200", "again");
    call.pass(5).await?;
    call.pass(5).await?;
    assert_eq!(call.runs().await?, "stopped requested");
    assert_eq!(call.cloud.sql("SELECT string_agg(status, ',') FROM medzen.media_captures").await?, "stopped");
    let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
    for event in [
        "transcription.requested",
        "transcription.started",
        "transcription.stop_requested",
        "transcription.ended",
    ] {
        assert!(events.contains(event), "{event}: {events}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_needs_everybody_s_consent_and_a_revocation_stops_it_before_the_answer() -> TestResult {
    let call = Transcribed::in_call_on(deployed(&[]).await?).await?;
    let (provider, patient) = (&call.scenario.provider, &call.scenario.patient);
    assert_eq!(consent(provider, text_only()).await?.brief(), "200");
    let refused = call.start(json!({})).await?;
    assert_eq!(refused.brief(), "409 CONSENT_REQUIRED");
    assert_eq!(refused.body["missing"], json!([patient.id]));
    assert_eq!(patient.ask("POST", ROUTE, &json!({})).await?.brief(), "403 PROVIDER_ONLY");
    assert_eq!(consent(patient, text_only()).await?.brief(), "200");
    call.transcribing().await?;
    let watch = call.cloud.watch();
    assert_eq!(consent(patient, json!({ "transcription": false })).await?.brief(), "200");
    assert_eq!(
        (watch.count("StopMeetingTranscription"), watch.count("DeleteMediaCapturePipeline")),
        (1, 1),
        "before the answer"
    );
    call.pass(5).await?;
    call.pass(5).await?;
    assert_eq!(call.runs().await?, "stopped consent_revoked");
    assert_eq!(call.start(json!({})).await?.brief(), "409 CONSENT_REQUIRED");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_of_the_stop_after_a_revocation_is_replaced_by_asking_chime_again() -> TestResult {
    let call = Transcribed::with_consent(text_only()).await?;
    call.transcribing().await?;
    let lost = json!({ "service": "events", "operation": "chime:TranscriptionStopped", "kind": "lose" });
    assert!(call.cloud.control_api("POST", "faults", &lost).await?.status < 300);
    assert_eq!(consent(&call.scenario.patient, json!({ "transcription": false })).await?.brief(), "200");
    call.pass(5).await?;
    assert_eq!(call.runs().await?, "stopping consent_revoked");
    call.minute().await?;
    assert_eq!(call.runs().await?, "stopped consent_revoked");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_chime_says_of_a_failure_is_kept_and_shown_and_nothing_is_captured_any_more() -> TestResult {
    let call = Transcribed::with_consent(text_only()).await?;
    let fault = json!({ "kind": "fails", "message": "Unsupported language in this region" });
    assert!(call.cloud.control_api("POST", "chime/transcriptions/faults", &fault).await?.status < 300);
    assert_eq!(call.start(json!({})).await?.brief(), "201");
    for _ in 0..4 {
        call.pass(3).await?;
    }
    let feature = call.feature().await?;
    assert_eq!(
        (&feature["state"], &feature["reason"], &feature["message"]),
        (&json!("failed"), &json!("chime_failed"), &json!("Unsupported language in this region"))
    );
    call.pass(10).await?;
    let open = "SELECT count(*) FROM medzen.media_captures WHERE ended_at IS NULL";
    assert_eq!(call.cloud.sql(open).await?, "0", "it served the text alone");
    assert_eq!(call.start(json!({})).await?.brief(), "201", "it can be started again");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_nothing_confirms_is_repeated_once_and_fails() -> TestResult {
    let call = Transcribed::with_consent(text_only()).await?;
    let fault = json!({ "kind": "neverStarts", "times": 2 });
    assert!(call.cloud.control_api("POST", "chime/transcriptions/faults", &fault).await?.status < 300);
    let watch = call.cloud.watch();
    assert_eq!(call.start(json!({})).await?.brief(), "201");
    for _ in 0..2 {
        call.pass(3).await?;
    }
    assert_eq!(watch.count("StartMeetingTranscription"), 1);
    for _ in 0..6 {
        call.minute().await?;
    }
    assert_eq!(watch.count("StartMeetingTranscription"), 2, "once more, and no third time");
    assert_eq!(call.runs().await?, "failed no_confirmation");
    assert_eq!(
        call.cloud.sql("SELECT sum(reserved_seconds)::text FROM medzen.transcription_budgets").await?,
        "0"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_event_of_the_start_is_replaced_by_the_lines_of_the_capture() -> TestResult {
    let call = Transcribed::with_consent(text_only()).await?;
    let lost = json!({ "service": "events", "operation": "chime:TranscriptionStarted", "kind": "lose" });
    assert!(call.cloud.control_api("POST", "faults", &lost).await?.status < 300);
    assert_eq!(call.start(json!({})).await?.brief(), "201");
    call.pass(3).await?;
    call.pass(3).await?;
    assert_eq!(call.feature().await?["state"], "starting");
    call.say(&call.scenario.provider, "r-1", "Good morning").await?;
    call.pass(5).await?;
    call.minute().await?;
    assert_eq!(call.feature().await?["state"], "active");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_language_that_no_allowed_region_has_is_refused_and_never_another_one_taken() -> TestResult {
    let call = Transcribed::with_consent_on(
        deployed(&[("TranscriptionRegions", "eu-central-1")]).await?,
        text_only(),
    )
    .await?;
    let watch = call.cloud.watch();
    let started = call.start(json!({ "language": "en-US" })).await?;
    assert_eq!((started.brief().as_str(), started.text("region").as_str()), ("201", "eu-central-1"));
    assert_eq!(call.stop().await?.brief(), "200");
    for (body, field) in [
        (json!({ "language": "xx-YY" }), "language"),
        (json!({ "language": "en-US", "specialty": "CARDIOLOGY" }), "language"),
        (json!({ "language": "en-US", "specialty": "MAGIC" }), "specialty"),
        (json!({ "language": "identify", "languageOptions": ["en-US", "en-GB"] }), "languageOptions"),
    ] {
        let refused = call.start(body.clone()).await?;
        assert_eq!(
            (refused.brief().as_str(), refused.text("field").as_str()),
            ("422 INVALID_FIELD", field),
            "{body}"
        );
    }
    assert_eq!(watch.count("StartMeetingTranscription"), 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_calls_that_start_at_once_never_exceed_the_budget() -> TestResult {
    let parameters = [("TranscriptionMinutesPerCall", "10"), ("TranscriptionMinutesPerDay", "75")];
    let cloud = deployed(&parameters).await?;
    let mut calls = Vec::new();
    for _ in 0..20 {
        let scenario = cloud.scenario().await?;
        let meeting = scenario.provider.start().await?.text("meetingId");
        crate::recording::connect(&cloud, &meeting, &scenario.provider)?;
        assert_eq!(consent(&scenario.provider, text_only()).await?.brief(), "200");
        calls.push(scenario);
    }
    cloud.drain_queues().await?;
    let mut starts = JoinSet::new();
    for call in calls {
        starts.spawn(async move { call.provider.ask("POST", ROUTE, &json!({})).await });
    }
    let mut answers = Vec::new();
    while let Some(answer) = starts.join_next().await {
        answers.push(answer??);
    }
    let started = answers.iter().filter(|answer| answer.brief() == "201").count();
    let refused: Vec<_> =
        answers.iter().filter(|answer| answer.brief() == "429 TRANSCRIPTION_BUDGET").collect();
    assert_eq!((started, refused.len()), (8, 12), "7 of 10 minutes, and one of 5");
    for answer in refused {
        assert_eq!(answer.body["secondsLeft"], 0, "{:?}", answer.body);
        assert!(answer.headers.contains_key("retry-after"));
    }
    assert_eq!(cloud.sql("SELECT reserved_seconds::text FROM medzen.transcription_budgets").await?, "4500");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcription_ends_at_the_limit_of_its_call_and_returns_what_it_did_not_use() -> TestResult {
    let parameters = [("TranscriptionMinutesPerCall", "3"), ("TranscriptionMinutesPerDay", "60")];
    let call = Transcribed::with_consent_on(deployed(&parameters).await?, text_only()).await?;
    call.transcribing().await?;
    assert_eq!(
        call.cloud.sql("SELECT reserved_seconds::text FROM medzen.transcription_budgets").await?,
        "180"
    );
    for _ in 0..4 {
        call.minute().await?;
    }
    assert_eq!(call.runs().await?, "stopped limit_reached");
    let used = "SELECT (SELECT reserved_seconds FROM medzen.transcription_budgets) =
      (SELECT quantity FROM medzen.usage_ledger WHERE kind = 'transcription_seconds')";
    assert_eq!(call.cloud.sql(used).await?, "t");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_was_to_be_transcribed_and_may_not_shows_why_and_is_not_tried_each_minute() -> TestResult
{
    let spent = [("TranscriptionMinutesPerDay", "60")];
    for (parameters, language, reason) in
        [(&spent[..], "en-US", "budget_used"), (&[][..], "tlh", "language_unsupported")]
    {
        let cloud = deployed(parameters).await?;
        cloud
            .sql(
                "INSERT INTO medzen.transcription_budgets (day, reserved_seconds)
                 SELECT day::date, 3600 FROM generate_series(now() - interval '2 years', now() + interval '2 years', '1 day') AS day
                 RETURNING 'used'",
            )
            .await?;
        let scenario = cloud.scenario().await?;
        let wanted = json!({ "enableTranscription": true, "transcriptionLanguage": language });
        let started = scenario.provider.ask("POST", "/appointments/{a}/call", &wanted).await?;
        assert_eq!(started.brief(), "201", "{:?}", started.body);
        let meeting = started.text("meetingId");
        crate::recording::connect(&cloud, &meeting, &scenario.provider)?;
        cloud.drain_queues().await?;
        let call = Transcribed { cloud, scenario, meeting };
        assert_eq!(consent(&call.scenario.provider, text_only()).await?.brief(), "200");
        call.pass(3).await?;
        let feature = call.scenario.provider.status().await?.body["transcription"].clone();
        assert_eq!((&feature["state"], &feature["reason"]), (&json!("failed"), &json!(reason)), "{feature}");
        call.minute().await?;
        call.minute().await?;
        assert_eq!(call.runs().await?, format!("failed {reason}"), "once");
        assert_eq!(call.outcome().await?, "failed");
        let events = outbox::events(&call.cloud, &call.scenario.appointment).await?;
        assert!(events.contains("transcription.requested"), "{events}");
        let by_hand = call.start(json!({ "language": "en-US" })).await?;
        let expected = if reason == "budget_used" { "429 TRANSCRIPTION_BUDGET" } else { "201" };
        assert_eq!(by_hand.brief(), expected, "{:?}", by_hand.body);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcription_that_was_wanted_begins_by_itself_when_everyone_has_consented_and_once() -> TestResult
{
    let cloud = deployed(&[]).await?;
    let scenario = cloud.scenario().await?;
    let wanted = json!({ "enableTranscription": true, "transcriptionLanguage": "fr-FR" });
    let started = scenario.provider.ask("POST", "/appointments/{a}/call", &wanted).await?;
    assert_eq!((started.brief().as_str(), scenario.patient.join().await?.brief().as_str()), ("201", "200"));
    let meeting = started.text("meetingId");
    for person in [&scenario.provider, &scenario.patient] {
        crate::recording::connect(&cloud, &meeting, person)?;
    }
    cloud.drain_queues().await?;
    let call = Transcribed { cloud, scenario, meeting };
    assert_eq!(call.feature().await?["state"], "requested");
    for person in [&call.scenario.provider, &call.scenario.patient] {
        assert_eq!(consent(person, text_only()).await?.brief(), "200");
    }
    for _ in 0..3 {
        call.pass(3).await?;
    }
    assert_eq!(call.feature().await?["state"], "active");
    assert_eq!(
        call.cloud.sql("SELECT settings ->> 'language' FROM medzen.transcription_runs").await?,
        "fr-FR"
    );
    assert_eq!(call.stop().await?.brief(), "200");
    call.pass(5).await?;
    call.minute().await?;
    assert_eq!(call.runs().await?, "stopped requested", "afterwards only by hand");
    Ok(())
}
