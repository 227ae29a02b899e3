//! Transcripts in figures (`make bench`): three hours of messages taken by the real function, and a search over a million segments.
#![expect(clippy::cast_precision_loss, reason = "counts are small, and figures are for people")]

use std::fs;
use std::time::Instant;

use local::chime::{EventDelivery, Options};
use local_testing::{TestCloud, TestResult};
use serde_json::{Value, json};

/// Three hours of two talkers: a file each 5 s, a line for each partial and each final result.
const FILES: usize = 2_160;
const LINES: usize = 100_000;
const BYTES: usize = 40_000_000;
/// One result in so many lines becomes final; the lines before it are its partial ones.
const LINES_PER_RESULT: usize = 10;
const MS_PER_LINE: i64 = 108;

const MOST_SECONDS: f64 = 10.0;
const MOST_MEMORY_KB: u64 = 64 * 1024;

const SEARCHES: usize = 25;
const MOST_SEARCH_MS: f64 = 100.0;

#[tokio::main]
async fn main() -> TestResult {
    let chime = Options { rate: None, event_delivery: EventDelivery::Immediate, ..Options::default() };
    let cloud = TestCloud::deployed(chime, &[]).await?;
    take(&cloud).await?;
    search(&cloud).await
}

/// A call that is over, with a capture of its speech whose text was not taken.
const CALL: &str = "
WITH session AS (
  INSERT INTO video_call_sessions (
    id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at,
    activated_at, ended_at, end_reason, duration_seconds)
  SELECT gen_random_uuid(), gen_random_uuid(), 'ended', 'us-east-1', 'us-east-1', gen_random_uuid()::text, gen_random_uuid(),
    at, at, at, at + interval '3 hours', 'meeting_ended', 10800
  FROM (SELECT to_timestamp({began}) AS at) AS call RETURNING id, activated_at AS at, ended_at
), transcript AS (
  INSERT INTO medzen.transcripts (id, session_id, created_at) SELECT gen_random_uuid(), id, at FROM session RETURNING id
), run AS (
  INSERT INTO medzen.transcription_runs (
    id, transcript_id, session_id, number, mode, settings, status, requested_at, confirmed_at, started_at, ended_at, end_reason,
    budget_day, reserved_seconds)
  SELECT gen_random_uuid(), transcript.id, session.id, 1, 'live', '{\"language\": \"en-US\", \"unconfirmed\": false}', 'stopped', at, at, at,
    ended_at, 'call_ended', at::date, 0
  FROM session, transcript RETURNING id
)
INSERT INTO medzen.media_captures (
  id, session_id, purposes, status, pipeline_id, opened_at, confirmed_at, began_at, stop_requested_at, stop_reason, ended_at)
SELECT gen_random_uuid(), session.id, '{transcription}', 'stopped', gen_random_uuid()::text, at, at, at, ended_at, 'call_ended', ended_at
FROM session, run RETURNING id::text || ' ' || pipeline_id";

/// Enqueues the taking of a capture's text.
const TAKE: &str =
    "SELECT medzen.enqueue_operation('take_text', id::text, session_id, '{}', ended_at, NULL)::text
  FROM medzen.media_captures WHERE id = '{capture}'";

/// A line with a result that has so many words.
fn line(number: usize, began_ms: i64, bytes: usize) -> String {
    let result = number / LINES_PER_RESULT;
    let partial = number % LINES_PER_RESULT + 1 < LINES_PER_RESULT;
    let start = began_ms + i64::try_from(result * LINES_PER_RESULT).unwrap_or(0) * MS_PER_LINE;
    let end = began_ms + i64::try_from(number + 1).unwrap_or(0) * MS_PER_LINE;
    let attendee = format!("00000000-0000-4000-8000-{:012}", result % 2);
    let text = "it hurts here ".repeat(1 + bytes / 120);
    json!({ "transcript": { "results": [{
        "resultId": format!("r-{result}"), "isPartial": partial, "startTimeMs": start, "endTimeMs": end, "languageCode": "en-US",
        "alternatives": [{ "transcript": text, "items": [{
            "type": "pronunciation", "startTimeMs": start, "endTimeMs": end, "confidence": 0.9, "stable": !partial,
            "attendee": { "attendeeId": attendee, "externalUserId": attendee }, "content": text }] }] }] } })
    .to_string()
}

/// The process of the function, which is a child of this one.
fn function() -> TestResult<u32> {
    for entry in fs::read_dir("/proc")?.flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let parent = format!("PPid:\t{}\n", std::process::id());
        if status.starts_with("Name:\ttranscript\n") && status.contains(&parent) {
            return Ok(pid);
        }
    }
    Err("the function has no process".into())
}

/// A value of a process in kB.
fn memory(pid: u32, name: &str) -> TestResult<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let value = status.lines().find_map(|line| line.strip_prefix(name)).ok_or("no such value")?;
    Ok(value.trim().trim_end_matches(" kB").parse()?)
}

async fn capture(cloud: &TestCloud, lines: usize, files: usize) -> TestResult<(String, usize)> {
    let began = cloud.parts().clock.now().unix_timestamp() - 4 * 3_600;
    let made = cloud.sql(&CALL.replace("{began}", &began.to_string())).await?;
    let (id, pipeline) = made.split_once(' ').ok_or("no capture")?;
    let (parts, per_file) = (cloud.parts(), lines.div_ceil(files));
    let mut bytes = 0;
    for file in 0..files {
        let of_file = (file * per_file..lines.min((file + 1) * per_file))
            .map(|number| line(number, began * 1_000, BYTES / LINES))
            .collect::<Vec<_>>()
            .join("\n");
        bytes += of_file.len();
        let key = format!("speech/{id}/{pipeline}/transcription-messages/{file:06}.txt");
        let bucket = &parts.plan.outputs["RecordingsBucketName"];
        parts.s3.put(bucket, &key, of_file.into_bytes().into(), local::s3::ObjectHeaders::default())?;
    }
    Ok((id.to_owned(), bytes))
}

async fn take(cloud: &TestCloud) -> TestResult {
    // A small one first: what is loaded once is not counted.
    let (small, _) = capture(cloud, 100, 2).await?;
    cloud.sql(&TAKE.replace("{capture}", &small)).await?;
    cloud.run_schedule("transcript").await?;
    let (id, bytes) = capture(cloud, LINES, FILES).await?;
    cloud.sql(&TAKE.replace("{capture}", &id)).await?;
    let began = Instant::now();
    cloud.run_schedule("transcript").await?;
    let seconds = began.elapsed().as_secs_f64();
    let peak = memory(function()?, "VmHWM:")?;
    let query = format!(
        "SELECT count(*) FROM medzen.transcript_segments g JOIN medzen.transcripts t ON t.id = g.transcript_id
         JOIN medzen.media_captures c ON c.session_id = t.session_id WHERE c.id = '{id}' AND c.text_taken_at IS NOT NULL"
    );
    let segments = cloud.sql(&query).await?;
    println!(
        "text of a call: {LINES} lines, {:.0} MB in {FILES} files: {seconds:.1} s, {} MiB at most, {segments} segments",
        bytes as f64 / 1e6,
        peak / 1024
    );
    if segments != (LINES / LINES_PER_RESULT).to_string() {
        return Err(format!("{segments} segments").into());
    }
    if seconds > MOST_SECONDS || peak > MOST_MEMORY_KB {
        return Err("the text of a call takes too long, or too much memory".into());
    }
    Ok(())
}

/// `{calls}` calls, `{prefix}` with numbers, of 200 segments.
const SEGMENTS: &str = "
INSERT INTO video_call_sessions (
  id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at, activated_at, ended_at,
  end_reason, duration_seconds)
SELECT gen_random_uuid(), gen_random_uuid(), 'ended', 'us-east-1', 'us-east-1', '{prefix}-' || n, gen_random_uuid(), now(), now(), now(),
  now(), 'meeting_ended', 60
FROM generate_series(1, {calls}) AS n;
INSERT INTO medzen.transcripts (id, session_id, created_at, finished_at, outcome, segment_count, sha256)
SELECT gen_random_uuid(), id, now(), now(), 'ready', 200, '' FROM video_call_sessions WHERE meeting_id LIKE '{prefix}-%';
INSERT INTO medzen.transcript_segments (
  transcript_id, result_id, place, rank, source, start_ms, end_ms, content, speaker, body, language, spans, unfinished, revoked, search)
SELECT t.id, 'r-' || n, 0, '1', 'live', n, n, false, 's', body, 'en-US', '[]', false, false, to_tsvector('english', body)
FROM medzen.transcripts t JOIN video_call_sessions s ON s.id = t.session_id, generate_series(1, 200) AS n,
  LATERAL (SELECT concat_ws(' ', 'pain on day', n, CASE WHEN random() < 0.001 THEN 'porphyria' END) AS body) AS said
WHERE s.meeting_id LIKE '{prefix}-%';
SELECT ''";

async fn search(cloud: &TestCloud) -> TestResult {
    for (prefix, calls) in [("mine", 1_000), ("theirs", 4_000)] {
        cloud.sql(&SEGMENTS.replace("{prefix}", prefix).replace("{calls}", &calls.to_string())).await?;
    }
    cloud
        .sql("SELECT gin_clean_pending_list('medzen.transcript_segments_search')::text; ANALYZE; SELECT ''")
        .await?;
    let role = cloud.parts().database.functions_role();
    let mine = "SELECT array_agg(t.id ORDER BY t.id)::text
        FROM medzen.transcripts t JOIN video_call_sessions s ON s.id = t.session_id WHERE s.meeting_id LIKE 'mine-%'";
    let mine = cloud.sql(mine).await?;
    let mut slowest = 0.0_f64;
    for (name, word) in [("in every segment", "pain"), ("in 1 of 1,000", "porphyria"), ("nowhere", "quartz")]
    {
        let mut times = Vec::new();
        for _ in 0..SEARCHES {
            let explained = cloud
                .sql(&format!(
                    "BEGIN; SET LOCAL ROLE {role};
                     EXPLAIN (ANALYZE, FORMAT JSON)
                     SELECT * FROM medzen.search_segments('{mine}', '{word}', NULL, NULL, NULL, NULL, 21); ROLLBACK"
                ))
                .await?;
            let explained: Value = serde_json::from_str(&explained)?;
            times.push(explained[0]["Execution Time"].as_f64().ok_or("no time")?);
        }
        times.sort_by(f64::total_cmp);
        let median = times[SEARCHES / 2];
        println!("search over 1,000,000 segments, 1,000 calls of the caller, a word {name}: {median:.1} ms");
        slowest = slowest.max(median);
    }
    if slowest > MOST_SEARCH_MS {
        return Err(format!("a search takes {slowest:.0} ms").into());
    }
    Ok(())
}
