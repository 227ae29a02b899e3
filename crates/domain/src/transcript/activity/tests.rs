use super::*;
use crate::id::UserId;
use crate::state::Role;

/// 2026-01-15T10:00:00Z.
const BEGAN_AT_MS: i64 = 1_768_471_200_000;

fn attendees() -> Attendees {
    let user: UserId = "7d9f1c5e-0000-4000-8000-000000000001".parse().expect("a UUID");
    [("p", user), ("p2", user)].map(|(id, user)| (id.to_owned(), user, Role::Provider)).into_iter().collect()
}

fn event(timestamp: &str, kind: &str, attendee: &str) -> String {
    format!(
        r#"{{"Timestamp":"{timestamp}","EventType":"{kind}","EventParameters":{{"AttendeeId":"{attendee}"}}}}"#
    )
}

/// `voice [start-end]` of each interval.
fn brief(lines: &[String]) -> Vec<String> {
    let mut activity = Activity::default();
    for line in lines {
        activity.push(line.as_bytes());
    }
    let line = |(voice, at): &(Voice, Interval)| {
        let voice = match voice {
            Voice::Participant { role, .. } => role.as_str(),
            Voice::Content { .. } => "content",
            Voice::Unknown(id) => id,
        };
        format!("{voice} [{}-{}]", at.start_ms, at.end_ms)
    };
    activity.intervals(BEGAN_AT_MS, &attendees()).iter().map(line).collect()
}

#[test]
fn an_active_speaker_speaks_until_the_next_one_or_for_five_seconds() {
    let lines = [
        event("2026-01-15T10:00:20.000Z", "ActiveSpeaker", "p2"),
        event("2026-01-15T10:00:01.500Z", "ActiveSpeaker", "p"),
        event("2026-01-15T10:00:03.000Z", "ActiveSpeaker", "guest"),
        event("2026-01-15T10:00:03.000Z", "ActiveSpeaker", "guest"),
        event("1768471230000", "ActiveSpeaker", "p#content"),
        event("2026-01-15T09:59:57.000Z", "ActiveSpeaker", "p"),
    ];
    let expected = [
        "provider [0-1500]",
        "provider [1500-3000]",
        "guest [3000-8000]",
        "provider [20000-25000]",
        "content [30000-35000]",
    ];
    assert_eq!(brief(&lines), expected);
}

#[test]
fn other_lines_say_nothing() {
    let lines = [
        event("2026-01-15T10:00:01Z", "AttendeeJoined", "p"),
        event("2026-01-15T10:00:01Z", "ActiveSpeaker", ""),
        event("yesterday", "ActiveSpeaker", "p"),
        event("-1", "ActiveSpeaker", "p"),
        event("99999999999999999", "ActiveSpeaker", "p"),
        r#"{"Timestamp":"2026-01-15T10:00:01Z","EventType":"ActiveSpeaker","EventParameters":{}}"#.to_owned(),
        r#"{"Timestamp":7}"#.to_owned(),
        "[".repeat(10_000),
        String::new(),
    ];
    assert_eq!(brief(&lines), [""; 0]);
}
