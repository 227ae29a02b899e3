//! The queries of dashboards and support: each is one plain query on the public tables.

use local_testing::TestResult;

use crate::database::{column, in_a_database};

/// Three sessions in the last seven days (two ended, one failed) on two days, and one before.
const CALLS: &str = "
INSERT INTO video_call_sessions (id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at,
  updated_at, activated_at, ended_at, end_reason, error_message, duration_seconds)
SELECT id::uuid, gen_random_uuid(), status, 'us-east-1', 'us-east-1', CASE status WHEN 'ended' THEN id END, gen_random_uuid(),
  at, at, CASE status WHEN 'ended' THEN at END, at, CASE status WHEN 'ended' THEN 'ended_by_provider' END,
  CASE status WHEN 'failed' THEN 'throttled' END, CASE status WHEN 'ended' THEN seconds END
FROM (VALUES
  ('00000000-0000-4000-8000-000000000001', 'ended', now() - interval '1 day', 600),
  ('00000000-0000-4000-8000-000000000002', 'ended', now() - interval '2 days', 1200),
  ('00000000-0000-4000-8000-000000000003', 'failed', now() - interval '2 days', NULL),
  ('00000000-0000-4000-8000-000000000004', 'failed', now() - interval '8 days', NULL)
) AS calls (id, status, at, seconds);
INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, duration_seconds)
SELECT s.id, ('10000000-0000-4000-8000-00000000000' || CASE role WHEN 'provider' THEN '9' ELSE right(s.id::text, 1) END)::uuid,
  role, 'left', s.activated_at, s.duration_seconds
FROM video_call_sessions s, (VALUES ('provider'), ('patient')) AS roles (role)
WHERE s.status = 'ended'";

#[tokio::test(flavor = "multi_thread")]
async fn each_report_is_one_plain_query() -> TestResult {
    in_a_database(async |database| {
        schema::run(&database.url(), None).await?;
        let client = database.superuser().await?;
        client.batch_execute(CALLS).await?;
        for (report, query, expected) in [
            (
                "average duration and active days",
                "SELECT round(avg(duration_seconds)) || ' ' || count(DISTINCT created_at::date)
                 FROM video_call_sessions WHERE duration_seconds IS NOT NULL",
                vec!["900 2"],
            ),
            (
                "participants by role with unique users",
                "SELECT role || ' ' || count(*) || ' ' || count(DISTINCT user_id)
                 FROM video_call_participants WHERE joined_at IS NOT NULL GROUP BY role ORDER BY role",
                vec!["patient 2 2", "provider 2 1"],
            ),
            (
                "success rate over seven days",
                "SELECT round(100.0 * count(*) FILTER (WHERE status <> 'failed') / count(*))::text
                 FROM video_call_sessions WHERE created_at > now() - interval '7 days'",
                vec!["67"],
            ),
            (
                "everything of a session",
                "SELECT concat_ws(' ', s.status, s.error_message, p.role, p.duration_seconds)
                 FROM video_call_sessions s LEFT JOIN video_call_participants p ON p.video_call_id = s.id
                 WHERE s.id = '00000000-0000-4000-8000-000000000001' ORDER BY p.role",
                vec!["ended patient 600", "ended provider 600"],
            ),
        ] {
            assert_eq!(column(&client, query).await?, expected, "{report}");
        }
        let reasons = "SELECT status || ' ' || (error_message IS NOT NULL) FROM video_call_sessions GROUP BY 1 ORDER BY 1";
        assert_eq!(column(&client, reasons).await?, ["ended false", "failed true"], "only failed sessions have one");
        Ok(())
    })
    .await
}
