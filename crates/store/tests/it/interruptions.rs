//! Chime's reports of an interruption come in any order, and each may come twice.

use std::fmt::Write as _;

use local_testing::{TestCloud, TestResult, workspace};

/// A call with a run that is transcribing.
const RUN: &str = "
WITH session AS (
  INSERT INTO video_call_sessions (
    id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at, activated_at)
  SELECT gen_random_uuid(), gen_random_uuid(), 'active', 'us-east-1', 'us-east-1', gen_random_uuid()::text, gen_random_uuid(), at, at, at
  FROM (SELECT timestamptz '2026-11-20T10:00:00Z' AS at) AS call RETURNING id, activated_at AS at
), transcript AS (
  INSERT INTO medzen.transcripts (id, session_id, created_at) SELECT gen_random_uuid(), id, at FROM session RETURNING id
)
INSERT INTO medzen.transcription_runs (
  id, transcript_id, session_id, number, mode, settings, status, requested_at, confirmed_at, started_at, budget_day, reserved_seconds)
SELECT gen_random_uuid(), transcript.id, session.id, 1, 'live', '{}', 'running', at, at, at, at::date, 0 FROM session, transcript
RETURNING session_id::text";

/// Begins at 10 and at 30, ends at 20 and at 40.
const REPORTS: [(u32, bool); 4] = [(10, false), (20, true), (30, false), (40, true)];

/// The orders of so many things.
fn orders(of: usize) -> Vec<Vec<usize>> {
    if of == 0 {
        return vec![Vec::new()];
    }
    let smaller = orders(of - 1);
    let with = |order: &Vec<usize>, place: usize| {
        let mut order = order.clone();
        order.insert(place, of - 1);
        order
    };
    smaller.iter().flat_map(|order| (0..of).map(move |place| with(order, place))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_interruptions_are_the_same_in_every_order_of_their_reports() -> TestResult {
    let cloud = TestCloud::new().await?;
    let statement = std::fs::read_to_string(workspace().join("crates/store/sql/mark_interruption.sql"))?;
    let orders = orders(REPORTS.len());
    assert_eq!(orders.len(), 24);
    for order in orders {
        let session = cloud.sql(RUN).await?;
        let mut reports = String::new();
        for place in order.iter().flat_map(|place| [*place; 2]) {
            let (second, ended) = REPORTS[place];
            write!(reports, "EXECUTE it ('{session}', '2026-11-20T10:00:{second}Z', {ended});")?;
        }
        let prepare = format!("PREPARE it (uuid, timestamptz, boolean) AS {statement}");
        cloud.sql(&format!("{prepare}; {reports} DEALLOCATE it")).await?;
        let gaps = cloud
            .sql(&format!(
                "SELECT string_agg(to_char(g.began_at, 'SS') || '-' || coalesce(to_char(g.ended_at, 'SS'), 'open'), ',' ORDER BY g.began_at)
                 FROM medzen.transcription_gaps g JOIN medzen.transcription_runs r ON r.id = g.run_id
                 WHERE r.session_id = '{session}' AND g.began_at IS DISTINCT FROM g.ended_at"
            ))
            .await?;
        assert_eq!(gaps, "10-20,30-40", "{order:?}");
    }
    Ok(())
}
