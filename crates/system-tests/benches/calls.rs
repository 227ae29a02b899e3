//! How fast it is, in figures (`make bench`): events processed by one environment, and requests in relation to a bare turn of
//! the database. Through the real binaries; cold starts are left out.
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "counts are small, and figures are for people"
)]

use std::time::{Duration, Instant};

use local::chime::Options;
use local_testing::{MeetingEvents, Scenario, TestCloud, TestResult};
use serde_json::Value;

const MEETINGS: usize = 500;
const EVENTS: usize = 10_000;
const BATCH: usize = 10;
const OLD_CALLS: usize = 5_000;
const OLD_EVENTS: usize = 100_000;

/// The required rate.
const LEAST_PER_SECOND: f64 = 500.0;

/// How often each request is measured.
const REQUESTS: usize = 200;

/// The tables that must be read by index, however full they are.
const TABLES: &str = "('chime_events', 'chime_meetings', 'video_call_sessions', 'video_call_participants')";

/// A backend publishes its statistics at most once a second, and the rest when it has been idle for 10 seconds or ends. So this
/// session's are published on request, and the functions' by the end of their connections.
/// <https://www.postgresql.org/docs/15/monitoring-stats.html>
const FLUSH_OWN: &str = "SELECT pg_stat_force_next_flush()";
const FLUSH_OTHERS: &str =
    "SELECT coalesce(bool_and(pg_terminate_backend(pid, 10000)), false) FROM pg_stat_activity
  WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

#[tokio::main]
async fn main() -> TestResult {
    let cloud =
        TestCloud::with(Options { rate: None, active_meetings: 10_000, ..Options::default() }).await?;
    history(&cloud).await?;
    requests(&cloud).await?;
    let per_second = events(&cloud).await?;
    if per_second < LEAST_PER_SECOND {
        return Err(format!("{per_second:.0} events a second are fewer than {LEAST_PER_SECOND}").into());
    }
    Ok(())
}

/// Calls that are over, with their events: what a system has after weeks.
async fn history(cloud: &TestCloud) -> TestResult {
    let per_call = OLD_EVENTS / OLD_CALLS;
    cloud
        .sql(&format!(
            "INSERT INTO video_call_sessions (
               id, appointment_id, status, control_region, media_region, meeting_id, created_by, created_at, updated_at,
               activated_at, ended_at, end_reason, duration_seconds)
             SELECT gen_random_uuid(), gen_random_uuid(), 'ended', 'us-east-1', 'us-east-1', 'old-' || n, gen_random_uuid(),
               at, at, at, at, 'meeting_ended', 60
             FROM generate_series(1, {OLD_CALLS}) AS n, LATERAL (SELECT now() - n * interval '1 minute' AS at) AS day;
             INSERT INTO video_call_participants (video_call_id, user_id, role, status, joined_at, left_at)
             SELECT id, gen_random_uuid(), role, 'left', ended_at, ended_at
             FROM video_call_sessions, (VALUES ('provider'), ('patient')) AS part (role);
             INSERT INTO medzen.chime_events (event_id, meeting_id, kind, at_ms, received_at, session_id)
             SELECT gen_random_uuid()::text, meeting_id, 'AttendeeJoined', n, ended_at, id
             FROM video_call_sessions, generate_series(1, {per_call}) AS n;
             INSERT INTO medzen.chime_meetings (meeting_id, external_meeting_id, control_region, first_seen_at, ended_at)
             SELECT meeting_id, meeting_id, 'us-east-1', ended_at, ended_at FROM video_call_sessions;
             ANALYZE; SELECT ''"
        ))
        .await?;
    Ok(())
}

/// Start, join and status of warm functions, in relation to a bare turn.
async fn requests(cloud: &TestCloud) -> TestResult {
    let mut scenarios = Vec::new();
    for _ in 0..REQUESTS {
        scenarios.push(cloud.scenario().await?);
    }
    let warm = cloud.scenario().await?;
    tokio::try_join!(warm.provider.status(), warm.provider.roster())?;
    let mut bare = Vec::new();
    for _ in 0..REQUESTS {
        let began = Instant::now();
        cloud.sql("SELECT 1").await?;
        bare.push(began.elapsed());
    }
    let turn = median(&mut bare);
    println!("a turn of the database (SELECT 1): {:.2} ms", ms(turn));
    println!("{:<8} {:>10} {:>10} {:>16}", "request", "median ms", "p95 ms", "turns' worth");
    // Without health, whose route allows no 200 requests at once.
    for request in ["start", "join", "status", "end"] {
        let mut took = Vec::new();
        for scenario in &scenarios {
            let began = Instant::now();
            let answer = match request {
                "start" => scenario.provider.start().await?,
                "join" => scenario.patient.join().await?,
                "status" => scenario.patient.status().await?,
                _ => scenario.provider.end().await?,
            };
            took.push(began.elapsed());
            if answer.status >= 300 {
                return Err(format!("{request}: {:?}", answer.body).into());
            }
        }
        let middle = median(&mut took);
        let late = took[took.len() * 95 / 100];
        let worth = middle.as_secs_f64() / turn.as_secs_f64();
        println!("{request:<8} {:>10.2} {:>10.2} {worth:>16.1}", ms(middle), ms(late));
    }
    Ok(())
}

/// Events in batches, one after the other: one environment takes them all.
async fn events(cloud: &TestCloud) -> TestResult<f64> {
    let mut all_events = Vec::new();
    for _ in 0..MEETINGS {
        let scenario = cloud.scenario().await?;
        let (started, joined) = (scenario.provider.start().await?, scenario.patient.join().await?);
        let attendees = [started.text("attendeeToken"), joined.text("attendeeToken")];
        all_events.extend(of_a_meeting(cloud, &scenario, &MeetingEvents::of(cloud, &started), &attendees)?);
    }
    all_events.truncate(EVENTS);
    fastrand::Rng::with_seed(1).shuffle(&mut all_events);
    cloud.deliver("attendee", &[]).await?;

    let scans =
        format!("SELECT coalesce(sum(seq_scan), 0) FROM pg_stat_user_tables WHERE relname IN {TABLES}");
    let busy = "SELECT active_time FROM pg_stat_database WHERE datname = current_database()";
    cloud.sql(FLUSH_OWN).await?;
    let (scans_before, busy_before) = (number(cloud, &scans).await?, number(cloud, busy).await?);
    let watch = cloud.watch();
    let (began, mut took) = (Instant::now(), Vec::new());
    for batch in all_events.chunks(BATCH) {
        let batch_began = Instant::now();
        let given_back = cloud.deliver("attendee", batch).await?;
        took.push(batch_began.elapsed());
        if !given_back.is_empty() {
            return Err(format!("given back: {given_back:?}").into());
        }
    }
    let whole = began.elapsed();
    let turns = watch.calls().iter().filter(|call| call.service == "postgres").count();
    if cloud.sql(FLUSH_OTHERS).await? != "t" {
        return Err("the functions' connections have not ended".into());
    }
    let scans = number(cloud, &scans).await? - scans_before;
    let busy_ms = number(cloud, busy).await? - busy_before;
    let kept = "SELECT count(*) FROM medzen.chime_events WHERE session_id IS NOT NULL";
    let kept = number(cloud, kept).await?;
    let environments = cloud.parts().lambda.environments();
    let environments = environments.iter().filter(|it| it.function == "attendee").count();

    let per_second = all_events.len() as f64 / whole.as_secs_f64();
    let batches = took.len();
    let middle = median(&mut took);
    println!(
        "{} events of {MEETINGS} meetings beside {OLD_EVENTS} old ones, by {environments} environment(s): {per_second:.0} a second",
        all_events.len()
    );
    println!(
        "a batch of {BATCH}: median {:.2} ms, p95 {:.2} ms, {:.2} round trips; PostgreSQL busy {:.0} % of the time; {scans} sequential scans",
        ms(middle),
        ms(took[batches * 95 / 100]),
        turns as f64 / batches as f64,
        busy_ms / (whole.as_secs_f64() * 10.0),
    );
    if kept as usize != all_events.len() + OLD_EVENTS || environments != 1 || scans > 0.0 {
        return Err(format!("kept {kept}, environments {environments}, sequential scans {scans}").into());
    }
    Ok(per_second)
}

/// Twenty events: both people come and go four times.
fn of_a_meeting(
    cloud: &TestCloud,
    scenario: &Scenario,
    meeting_events: &MeetingEvents,
    attendees: &[String; 2],
) -> TestResult<Vec<Value>> {
    let began = cloud.parts().clock.now();
    let kinds = ["AttendeeAdded", "AttendeeAuthorized"].into_iter();
    let kinds: Vec<&str> = kinds.chain(["AttendeeJoined", "AttendeeLeft"].repeat(4)).collect();
    let mut events = Vec::new();
    for (person, attendee) in [&scenario.provider, &scenario.patient].into_iter().zip(attendees) {
        for (second, kind) in (1..).zip(&kinds) {
            events.push(meeting_events.attendee(
                kind,
                began + Duration::from_secs(second),
                attendee,
                &person.id,
            )?);
        }
    }
    Ok(events)
}

async fn number(cloud: &TestCloud, query: &str) -> TestResult<f64> {
    Ok(cloud.sql(query).await?.parse()?)
}

fn median(all: &mut [Duration]) -> Duration {
    all.sort_unstable();
    all[all.len() / 2]
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}
