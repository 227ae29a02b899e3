//! The search in the transcripts of one's own calls.

use std::collections::BTreeSet;

use local_testing::{Answer, Caller, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

/// Calls of a provider that are over, each with ten segments in English, the newest last, and one in another language.
async fn calls(cloud: &TestCloud, scenario: &Scenario, number: u32, word: &str) -> TestResult {
    let (provider, patient) = (&scenario.provider.id, &scenario.patient.id);
    let rows = format!(
        "WITH call AS (
           INSERT INTO appointments (id, provider_user_id, patient_user_id)
           SELECT gen_random_uuid(), '{provider}', '{patient}' FROM generate_series(1, {number}) RETURNING id
         ), session AS (
           INSERT INTO video_call_sessions (
             id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at, activated_at,
             ended_at, end_reason, duration_seconds)
           SELECT gen_random_uuid(), id, 'ended', 'us-east-1', 'us-east-1', 'm-' || id, '{provider}', at, at, at, at, 'meeting_ended', 60
           FROM (SELECT id, '2026-01-01T00:00:00Z'::timestamptz + row_number() OVER () * interval '1 hour' AS at FROM call) AS numbered
           RETURNING id, created_at
         ), transcript AS (
           INSERT INTO medzen.transcripts (id, session_id, created_at, finished_at, outcome, segment_count, sha256)
           SELECT gen_random_uuid(), id, created_at, created_at, 'ready', 11, '' FROM session RETURNING id
         ), said AS (
           INSERT INTO medzen.transcript_segments (
             transcript_id, result_id, place, rank, source, start_ms, end_ms, content, speaker, body, language, spans, unfinished, revoked,
             search)
           SELECT id, 'r-' || n, 0, '1', 'live', n * 1000, n * 1000 + 900, false, 's', body, language, '[]', false, false,
             to_tsvector(medzen.search_configuration(language), body)
           FROM transcript, generate_series(0, 10) AS n, LATERAL (SELECT
             CASE n WHEN 0 THEN 'de-DE' ELSE 'en-US' END AS language,
             CASE n WHEN 0 THEN 'Starke Kopfschmerzen' ELSE 'The {word} hurts since day ' || n END AS body) AS spoken
           RETURNING 1
         )
         SELECT count(*)::text FROM said"
    );
    assert_eq!(cloud.sql(&rows).await?, (number * 11).to_string());
    Ok(())
}

async fn search(by: &Caller, body: &Value) -> TestResult<Answer> {
    by.ask("POST", "/transcripts/search", body).await
}

fn results(answer: &Answer) -> TestResult<Vec<(String, u64)>> {
    assert_eq!(answer.brief(), "200", "{:?}", answer.body);
    let results = answer.body["results"].as_array().ok_or("no results")?;
    Ok(results
        .iter()
        .map(|one| {
            (
                one["transcriptId"].as_str().unwrap_or_default().to_owned(),
                one["segment"].as_u64().unwrap_or_default(),
            )
        })
        .collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_result_is_on_one_page_the_newest_call_first_and_no_call_is_of_others() -> TestResult {
    let cloud = TestCloud::new().await?;
    let (mine, theirs) = (cloud.scenario().await?, cloud.scenario().await?);
    // More than the transcripts that are read without the index.
    calls(&cloud, &mine, 25, "knee").await?;
    calls(&cloud, &theirs, 3, "knee").await?;
    let order = "SELECT string_agg(t.id::text, ' ' ORDER BY t.created_at DESC)
        FROM medzen.transcripts t JOIN video_call_sessions s ON s.id = t.session_id WHERE s.created_by = '";
    let newest_first = cloud.sql(&format!("{order}{}'", mine.provider.id)).await?;

    let (mut all, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let body = json!({ "query": "KNEES", "limit": 37, "cursor": cursor });
        let page = search(&mine.provider, &body).await?;
        all.extend(results(&page)?);
        pages += 1;
        cursor = page.body["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
    }
    let expected: Vec<_> = newest_first
        .split(' ')
        .flat_map(|id| (2..=11).map(move |segment| (id.to_owned(), segment)))
        .collect();
    assert_eq!(all, expected, "each once, in the order of the calls");
    assert_eq!(pages, 7);

    assert_eq!(results(&search(&mine.patient, &json!({ "query": "knee" })).await?)?, [], "without the right");
    assert_eq!(results(&search(&mine.stranger, &json!({ "query": "knee" })).await?)?, []);
    cloud.run_schedule("audit").await?;
    let entries = cloud.audit_chain(&format!("ACTOR#{}", mine.provider.id))?;
    assert_eq!(entries.len(), 7, "one for each page");
    assert_eq!((&entries[0]["event"], &entries[0]["results"]), (&json!("transcript.read"), &json!(37)));
    let audited: BTreeSet<_> =
        entries[0]["transcriptIds"].as_array().ok_or("no ids")?.iter().map(Value::to_string).collect();
    assert_eq!(audited.len(), 4, "of the page's results");
    assert!(!format!("{entries:?}").to_lowercase().contains("knee"), "the query is in no entry");

    // Of a transcript that is being deleted nothing is shown any more.
    let first = &all[0].0;
    cloud
        .sql(&format!(
            "UPDATE medzen.transcripts SET deletion_requested_at = now() WHERE id = '{first}' RETURNING ''"
        ))
        .await?;
    let left = results(&search(&mine.provider, &json!({ "query": "knee", "limit": 50 })).await?)?;
    assert!(left.iter().all(|(id, _)| id != first), "{left:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_read_in_the_language_of_each_segment() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    calls(&cloud, &scenario, 1, "running").await?;
    for (query, language, found) in [
        // The singular, which German's stemmer alone takes for the same word.
        ("kopfschmerz", None, 1),
        ("kopfschmerz", Some("de-AT"), 1),
        ("kopfschmerz", Some("en-US"), 0),
        ("run", None, 10),
        ("run", Some("en-GB"), 10),
        ("run", Some("de-DE"), 0),
        ("running -hurts", None, 0),
        ("\"day 7\"", None, 1),
        ("kopfschmerzen or \"day 7\"", None, 2),
        // A word that English does not index.
        ("the", Some("de-DE"), 0),
    ] {
        let body = json!({ "query": query, "language": language });
        let answer = search(&scenario.provider, &body).await?;
        assert_eq!(results(&answer)?.len(), found, "{query} {language:?}: {:?}", answer.body);
    }
    let answer = search(&scenario.provider, &json!({ "query": "day 7 \"hurts\"" })).await?;
    assert_eq!(
        answer.body["results"][0]["snippet"],
        "The running <mark>hurts</mark> since <mark>day</mark> <mark>7</mark>",
        "{:?}",
        answer.body
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_query_is_rejected_by_field_or_finds_nothing() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    calls(&cloud, &scenario, 1, "knee").await?;
    let long = "knee ".repeat(2_000);
    for (body, field) in [
        (json!({}), "query"),
        (json!({ "query": 7 }), "query"),
        (json!({ "query": "" }), "query"),
        (json!({ "query": long }), "query"),
        (json!({ "query": "knee\u{0}" }), "query"),
        (json!({ "query": "-knee" }), "query"),
        (json!({ "query": "the", "language": "en-US" }), "query"),
        (json!({ "query": "\"\"" }), "query"),
        (json!({ "query": "knee", "limit": 0 }), "limit"),
        (json!({ "query": "knee", "limit": 51 }), "limit"),
        (json!({ "query": "knee", "limit": -1 }), "limit"),
        (json!({ "query": "knee", "language": "' OR 1" }), "language"),
        (json!({ "query": "knee", "cursor": "0" }), "cursor"),
        (json!({ "query": "knee", "cursor": "\u{0}" }), "cursor"),
    ] {
        let refused = search(&scenario.provider, &body).await?;
        assert_eq!(refused.brief(), "422 INVALID_FIELD", "{body}");
        assert_eq!(refused.text("field"), field, "{body}");
    }
    for query in [
        "'; DROP TABLE medzen.transcripts; --",
        "\"unclosed",
        "a & | ! <-> :* ( )",
        "\\",
        "\u{202e}\u{feff}x",
        "😀 x",
        "%_",
        "$nothing",
    ] {
        let answer = search(&scenario.provider, &json!({ "query": query })).await?;
        assert!(matches!(answer.status, 200 | 422), "{query}: {:?}", answer.body);
        if answer.status == 200 {
            assert_eq!(answer.body["results"], json!([]), "{query}");
        }
    }
    let unknown =
        cloud.parts().token(&json!({ "sub": "an-account-nobody-knows" }), 60, local::tokens::Key::Good)?;
    let body = json!({ "query": "knee" }).to_string();
    let refused = cloud.request("POST", "/transcripts/search", Some(&unknown), body).await?;
    assert_eq!(refused.brief(), "403 UNKNOWN_USER");
    Ok(())
}
