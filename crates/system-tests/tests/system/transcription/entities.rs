//! Medical entities of finished transcripts.

use local::chime::{EventDelivery, Options};
use local::faults::FaultKind;
use local_testing::{TestCloud, TestResult};
use serde_json::json;

use super::Transcribed;

async fn spoken(parameters: &[(&str, &str)]) -> TestResult<Transcribed> {
    let chime = Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() };
    let cloud = TestCloud::deployed(chime, parameters).await?;
    let call = Transcribed::with_consent_on(cloud, json!({ "transcription": true })).await?;
    call.transcribing().await?;
    call.say(&call.scenario.provider, "r-1", "Größe 🩺 how are you").await?;
    call.say(&call.scenario.patient, "r-2", "I have a headache, no fever").await?;
    assert_eq!(call.scenario.provider.end().await?.brief(), "200");
    Ok(call)
}

/// Of each kind the words in the text, with negations and codes.
const FOUND: &str = "
    WITH segments AS (
      SELECT row_number() OVER (ORDER BY start_ms, end_ms, result_id, place) AS number, body FROM medzen.transcript_segments
    )
    SELECT coalesce(string_agg(concat_ws(' ', e.kind, substr(s.body, (f ->> 'start')::int + 1, (f ->> 'end')::int - (f ->> 'start')::int),
      (SELECT string_agg(t, '+' ORDER BY t) FROM jsonb_array_elements_text(f -> 'traits') AS t), f -> 'concepts' -> 0 ->> 'code'), ', ' ORDER BY e.kind, (f ->> 'start')::int), '')
    FROM medzen.transcript_entities e, jsonb_array_elements(e.entities) AS f JOIN segments s ON s.number = (f ->> 'segment')::int";

#[tokio::test(flavor = "multi_thread")]
async fn entities_point_at_the_words_of_segments_and_are_deleted_with_them() -> TestResult {
    let call = spoken(&[("MedicalEntities", "on"), ("ComprehendMedicalRegion", "eu-west-1")]).await?;
    let watch = call.cloud.watch();
    for _ in 0..4 {
        call.minute().await?;
    }
    assert_eq!(call.outcome().await?, "ready");
    let found = call.cloud.sql(FOUND).await?;
    assert_eq!(
        found,
        "entities headache SYMPTOM, entities fever NEGATION+SIGN, icd10_cm headache SYMPTOM R51.9, icd10_cm fever NEGATION+SIGN R50.9"
    );
    assert_eq!((watch.count("DetectEntitiesV2"), watch.count("InferICD10CM")), (1, 1));
    let path = "/appointments/{a}/transcript";
    let read = call.scenario.provider.ask("GET", path, &serde_json::Value::Null).await?;
    let listed = read.body["entities"].as_array().ok_or("no entities")?;
    assert_eq!(listed.len(), 4, "{listed:?}");
    assert_eq!(listed[0]["type"], "DX_NAME", "{listed:?}");
    assert!(listed.iter().any(|one| one["concepts"][0]["code"] == "R51.9"), "{listed:?}");
    let redacted = format!("{path}?view=redacted");
    let hidden = call.scenario.provider.ask("GET", &redacted, &serde_json::Value::Null).await?;
    assert!(!hidden.body.to_string().contains("R51.9"), "{:?}", hidden.body);

    call.cloud
        .sql("UPDATE medzen.transcripts SET finished_at = finished_at - interval '8 years' RETURNING ''")
        .await?;
    for _ in 0..2 {
        call.minute().await?;
    }
    assert_eq!(call.cloud.sql("SELECT count(*) FROM medzen.transcript_entities").await?, "0");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_piece_that_is_throttled_is_repeated_and_one_that_is_done_is_not() -> TestResult {
    let call = spoken(&[("MedicalEntities", "on")]).await?;
    call.cloud.fault("comprehendmedical", Some("InferICD10CM"), FaultKind::Throttle, None);
    let watch = call.cloud.watch();
    for _ in 0..4 {
        call.minute().await?;
    }
    let kinds = "SELECT string_agg(kind, ',' ORDER BY kind) FROM medzen.transcript_entities";
    assert_eq!(call.cloud.sql(kinds).await?, "entities");
    call.cloud.parts().faults.clear();
    for _ in 0..4 {
        call.minute().await?;
    }
    assert_eq!(call.cloud.sql(kinds).await?, "entities,icd10_cm");
    assert_eq!(watch.count("DetectEntitiesV2"), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_unless_the_operator_wants_it() -> TestResult {
    let call = spoken(&[]).await?;
    let watch = call.cloud.watch();
    for _ in 0..4 {
        call.minute().await?;
    }
    assert_eq!(call.outcome().await?, "ready");
    assert_eq!(watch.count("DetectEntitiesV2") + watch.count("InferICD10CM"), 0);
    Ok(())
}
