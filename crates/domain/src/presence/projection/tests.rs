//! Tests of the projection: times that cannot be true, ends that must be verified, and durations.

use proptest::prelude::*;
use time::Duration;

use super::*;

const BEGAN: OffsetDateTime = time::macros::datetime!(2026-11-20 12:00:00 UTC);

fn user(n: u8) -> UserId {
    format!("7d9f1c5e-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
}

fn second(second: i64) -> OffsetDateTime {
    BEGAN + Duration::seconds(second)
}

/// An event that claims one second and is received at another, both since the session became active.
fn stored(kind: ChimeEventKind, n: u8, claimed: i64, received: i64) -> StoredEvent {
    let whose = (kind != ChimeEventKind::MeetingEnded).then_some(n);
    StoredEvent {
        event: ChimeEvent {
            id: format!("{kind:?}-{n}-{claimed}-{received}"),
            kind,
            at_ms: ms(second(claimed)),
            attendee_id: whose.map(|n| format!("attendee-{n}")),
            external_user_id: whose.map(|n| user(n).to_string()),
        },
        received_ms: ms(second(received)),
        applied: false,
    }
}

fn row(n: u8, status: ParticipantStatus, joined: i64) -> AttendanceRow {
    AttendanceRow {
        user_id: user(n),
        attendance: Attendance {
            status,
            joined_at: Some(second(joined)),
            left_at: None,
            duration_seconds: 0,
        },
        connected: false,
        connections: 0,
        drops: 0,
        has_attendee: true,
    }
}

fn history(events: Vec<StoredEvent>, participants: Vec<AttendanceRow>) -> SessionHistory {
    SessionHistory {
        id: "7d9f1c5e-0000-4000-8000-000000000001".parse().expect("a UUID"),
        status: SessionStatus::Active,
        version: 0,
        stale: false,
        activated_at: BEGAN,
        checked_at: None,
        end_requested_at: None,
        ended_at: None,
        events,
        participants,
    }
}

/// The row of user `n` after the projection: status and seconds.
fn after(history: &SessionHistory, n: u8) -> (ParticipantStatus, i32) {
    let projection = project(history);
    let updated = projection.participants.iter().find(|update| update.user_id == user(n));
    let row = history.participants.iter().find(|row| row.user_id == user(n)).expect("a row");
    updated.map_or((row.attendance.status, row.attendance.duration_seconds), |update| {
        (update.attendance.status, update.attendance.duration_seconds)
    })
}

use ChimeEventKind::{AttendeeDropped, AttendeeJoined, AttendeeLeft, MeetingEnded};
use ParticipantStatus::{Joined, Left};

#[test]
fn an_arrival_that_lies_ahead_does_not_hide_the_departure() {
    let events = vec![stored(AttendeeJoined, 1, 610, 11), stored(AttendeeLeft, 1, 70, 71)];
    assert_eq!(after(&history(events, vec![row(1, Joined, 5)]), 1), (Left, 59));
}

#[test]
fn a_connection_does_not_begin_before_the_call() {
    let mut ancient = stored(AttendeeJoined, 1, 0, 11);
    ancient.event.at_ms = 0;
    let events = vec![ancient, stored(AttendeeLeft, 1, 70, 71)];
    let projection = project(&history(events.clone(), vec![row(1, Joined, 5)]));
    assert_eq!(after(&history(events, vec![row(1, Joined, 5)]), 1), (Left, 70));
    let entry =
        projection.entries.iter().find(|entry| entry.name == "participant.connected").expect("an entry");
    assert_eq!(entry.happened_at, "2026-11-20T12:00:00.000Z");
    assert_eq!(entry.reported_at.as_deref(), Some("1970-01-01T00:00:00.000Z"), "the claim is kept");
}

#[test]
fn an_end_that_lies_ahead_ends_the_call_when_it_was_received() {
    let events = vec![
        stored(AttendeeJoined, 1, 10, 11),
        stored(AttendeeLeft, 1, 60, 61),
        stored(MeetingEnded, 0, 3_660, 370),
    ];
    let projection = project(&history(events, vec![row(1, Joined, 5)]));
    assert_eq!(projection.closes_at, Some(second(370)));
    assert_eq!(projection.last_event_at, Some(second(60)));
}

#[test]
fn an_end_with_a_participant_present_is_verified_and_changes_nothing_until_then() {
    let events = vec![stored(AttendeeJoined, 1, 10, 11), stored(MeetingEnded, 0, 400, 401)];
    let projection = project(&history(events, vec![row(1, Joined, 5)]));
    assert_eq!((projection.closes_at, projection.end_to_verify), (None, Some(second(400))));
    assert_eq!(projection.connected_count, 1);
    assert_eq!(projection.participants[0].attendance.status, Joined);
}

#[test]
fn an_end_is_verified_where_someone_has_just_joined_or_left() {
    let joined_by_request = history(vec![stored(MeetingEnded, 0, 400, 401)], vec![row(1, Joined, 5)]);
    assert_eq!(project(&joined_by_request).end_to_verify, Some(second(400)));
    let just_left = vec![
        stored(AttendeeJoined, 1, 10, 11),
        stored(AttendeeLeft, 1, 390, 391),
        stored(MeetingEnded, 0, 400, 401),
    ];
    assert_eq!(project(&history(just_left, vec![row(1, Joined, 5)])).end_to_verify, Some(second(400)));
    let at_once = history(vec![stored(MeetingEnded, 0, 10, 11)], Vec::new());
    assert_eq!(project(&at_once).end_to_verify, Some(second(10)), "Chime ends no meeting so soon");
}

#[test]
fn an_end_of_an_empty_meeting_is_believed_and_none_of_a_call_that_is_being_ended() {
    let empty = vec![
        stored(AttendeeJoined, 1, 10, 11),
        stored(AttendeeLeft, 1, 60, 61),
        stored(MeetingEnded, 0, 361, 362),
    ];
    let closed = project(&history(empty, vec![row(1, Joined, 5)]));
    assert_eq!((closed.closes_at, closed.end_to_verify), (Some(second(361)), None));
    let ending = SessionHistory {
        status: SessionStatus::Ending,
        end_requested_at: Some(second(50)),
        ..history(
            vec![stored(AttendeeJoined, 1, 10, 11), stored(MeetingEnded, 0, 52, 53)],
            vec![row(1, Joined, 5)],
        )
    };
    let projection = project(&ending);
    assert_eq!((projection.closes_at, projection.end_to_verify), (None, None), "its deletion ends it");
    assert_eq!(projection.connected_count, 0, "by then nobody is in the call");
}

#[test]
fn an_end_that_chime_denied_afterwards_is_ignored() {
    let events = vec![stored(AttendeeJoined, 1, 10, 11), stored(MeetingEnded, 0, 400, 401)];
    let denied = |checked| {
        let history = SessionHistory {
            checked_at: Some(second(checked)),
            ..history(events.clone(), vec![row(1, Joined, 5)])
        };
        let projection = project(&history);
        (projection.closes_at, projection.end_to_verify)
    };
    assert_eq!(denied(401), (None, None));
    assert_eq!(denied(400), (None, Some(second(400))), "Chime was asked before the event came");
}

#[test]
fn a_connection_with_a_revoked_attendee_brings_nobody_back() {
    let left = || {
        let mut row = row(1, Left, 5);
        row.attendance.left_at = Some(second(130));
        row
    };
    let events = || vec![stored(AttendeeJoined, 1, 140, 141)];
    for (has_attendee, expected) in [(false, Left), (true, Joined)] {
        let history = history(events(), vec![AttendanceRow { has_attendee, ..left() }]);
        assert_eq!(after(&history, 1).0, expected);
        let projection = project(&history);
        assert!(
            projection.participants[0].connected,
            "the connection is there until Chime deletes the attendee"
        );
        assert_eq!(projection.connected_count, 1);
    }
}

fn any_stored() -> impl Strategy<Value = StoredEvent> {
    let kind = prop_oneof![
        4 => Just(AttendeeJoined),
        4 => Just(AttendeeLeft),
        2 => Just(AttendeeDropped),
        1 => Just(ChimeEventKind::AttendeeAuthorized),
        1 => Just(MeetingEnded),
    ];
    let claimed = prop_oneof![4 => 0_i64..500, 1 => -2_000_000_000_i64..100_000];
    (kind, 1_u8..4, claimed, 0_i64..500)
        .prop_map(|(kind, n, claimed, received)| stored(kind, n, claimed, received))
}

fn any_row(n: u8) -> impl Strategy<Value = AttendanceRow> {
    let status = prop_oneof![Just(Joined), Just(Left), Just(ParticipantStatus::Removed)];
    (status, 0_i64..500, 0_i64..100, any::<bool>()).prop_map(move |(status, joined, stay, has_attendee)| {
        let mut row = row(n, status, joined);
        row.attendance.left_at = (status != Joined).then(|| second(joined + stay));
        row.attendance.duration_seconds = i32::try_from(stay).unwrap_or(0);
        row.has_attendee = has_attendee || status == Joined;
        row
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5_000))]

    /// Events may claim any times: no duration is negative or longer than the session, and no time lies after what is known.
    #[test]
    fn durations_stay_within_the_session(
        events in prop::collection::vec(any_stored(), 0..16),
        rows in (any_row(1), any_row(2), any_row(3)),
        ended in 500_i64..600,
        requested in prop::option::of(0_i64..500),
        status in prop_oneof![Just(SessionStatus::Active), Just(SessionStatus::Ending), Just(SessionStatus::Ended)],
    ) {
        let is = |wanted| status == wanted;
        let history = SessionHistory {
            status,
            ended_at: is(SessionStatus::Ended).then(|| second(requested.unwrap_or(ended))),
            end_requested_at: is(SessionStatus::Ending).then(|| second(requested.unwrap_or(ended))),
            ..history(events, vec![rows.0, rows.1, rows.2])
        };
        let projection = project(&history);
        let over = history.ended_at.or(projection.closes_at);
        if let Some(closes) = projection.closes_at {
            prop_assert!((BEGAN..=second(600)).contains(&closes), "closes at {closes}");
        }
        prop_assert!(projection.last_event_at.is_none_or(|last| (BEGAN..=second(500)).contains(&last)));
        for update in &projection.participants {
            let seconds = i64::from(update.attendance.duration_seconds);
            let longest = over.map_or(600, |over| (over - BEGAN).whole_seconds());
            prop_assert!((0..=longest).contains(&seconds), "{seconds} s of {longest} s");
        }
        prop_assert!(projection.closes_at.is_none() || projection.end_to_verify.is_none());
    }

    /// An event closes a session only if the session is active, Chime has not denied the end, and everyone left four minutes before.
    /// `apply_projection` writes an end only where the projection has one.
    #[test]
    fn an_event_closes_no_session_but_an_active_one_that_was_empty(
        events in prop::collection::vec(any_stored(), 0..16),
        rows in (any_row(1), any_row(2), any_row(3)),
        requested in 0_i64..500,
        checked in prop::option::of(0_i64..500),
        status in prop_oneof![
            2 => Just(SessionStatus::Active),
            2 => Just(SessionStatus::Ending),
            1 => Just(SessionStatus::Ended),
        ],
    ) {
        let history = SessionHistory {
            status,
            checked_at: checked.map(second),
            ended_at: (status == SessionStatus::Ended).then(|| second(requested)),
            end_requested_at: (status == SessionStatus::Ending).then(|| second(requested)),
            ..history(events, vec![rows.0, rows.1, rows.2])
        };
        let projection = project(&history);
        prop_assert!(projection.end_to_verify.is_none() || status == SessionStatus::Active);
        let Some(closes) = projection.closes_at else { return Ok(()) };
        prop_assert_eq!(status, SessionStatus::Active);
        prop_assert!(history.events.iter().any(|stored| stored.event.kind == MeetingEnded
            && checked.is_none_or(|checked| ms(second(checked)) < stored.received_ms)));
        let before: Vec<_> = history.timed_events().into_iter()
            .filter(|timed| timed.event.kind != MeetingEnded && timed.at_ms < ms(closes)).collect();
        let presence = fold(&before, None);
        prop_assert_eq!(presence.connected_count(), 0);
        let last_left = presence.last_left_ms().and_then(at).unwrap_or(BEGAN);
        prop_assert!(closes - last_left >= Duration::minutes(4));
        for update in &projection.participants {
            prop_assert!(update.attendance.status != Joined && !update.connected);
        }
    }
}
