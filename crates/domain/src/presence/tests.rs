//! Tests of the fold with many kinds of histories, and against a slow reference that simulates each second.

use proptest::prelude::*;
use proptest::sample::Index;
use time::Duration;

use super::*;
use crate::state::ParticipantStatus;

/// The fold of events whose own times count.
fn fold(events: &[ChimeEvent], call_ended_ms: Option<i64>) -> Presence {
    let timed: Vec<TimedEvent<'_>> = events.iter().map(TimedEvent::unclamped).collect();
    super::fold(&timed, call_ended_ms)
}

fn user(n: u8) -> UserId {
    format!("7d9f1c5e-0000-4000-8000-0000000000{n:02x}").parse().expect("a UUID")
}

/// An event of user `n` on device `d`, at a second.
fn device(kind: ChimeEventKind, n: u8, d: u8, second: i64) -> ChimeEvent {
    ChimeEvent {
        id: format!("{kind:?}-{n}-{d}-{second}"),
        kind,
        at_ms: second * 1000,
        attendee_id: Some(format!("attendee-{n}-{d}")),
        external_user_id: Some(user(n).to_string()),
    }
}

fn event(kind: ChimeEventKind, n: u8, second: i64) -> ChimeEvent {
    device(kind, n, 0, second)
}

fn ended(second: i64) -> ChimeEvent {
    ChimeEvent {
        id: format!("ended-{second}"),
        kind: ChimeEventKind::MeetingEnded,
        at_ms: second * 1000,
        attendee_id: None,
        external_user_id: None,
    }
}

fn seconds(presence: &Presence, n: u8, now: i64) -> i64 {
    presence.participants.get(&user(n)).map_or(0, |person| person.connected_ms(now * 1000) / 1000)
}

use ChimeEventKind::{AttendeeDeleted, AttendeeDropped, AttendeeJoined, AttendeeLeft};

#[test]
fn a_reconnect_counts_as_two_connections_and_leaves_out_the_gap() {
    let presence = fold(
        &[
            event(AttendeeJoined, 1, 100),
            event(AttendeeDropped, 1, 200),
            event(AttendeeJoined, 1, 230),
            event(AttendeeLeft, 1, 300),
        ],
        None,
    );
    let person = &presence.participants[&user(1)];
    assert_eq!((person.connections, person.drops, person.since_ms()), (2, 1, None));
    assert_eq!(seconds(&presence, 1, 1_000), 170);
}

#[test]
fn reordered_and_duplicate_events_never_make_a_count_negative() {
    let history = [
        event(AttendeeLeft, 1, 160),
        event(AttendeeJoined, 1, 100),
        event(AttendeeLeft, 1, 160),
        event(AttendeeLeft, 2, 90),
        event(AttendeeJoined, 2, 120),
    ];
    let presence = fold(&history, None);
    assert_eq!(seconds(&presence, 1, 1_000), 60);
    assert_eq!(presence.participants[&user(1)].since_ms(), None);
    assert_eq!(presence.participants[&user(2)].since_ms(), Some(120_000), "who left before came back");
    assert_eq!(presence.max_at_once, 2);
}

#[test]
fn a_second_device_disconnects_the_first_one_and_the_participant_stays() {
    let history = [event(AttendeeJoined, 1, 100), event(AttendeeJoined, 1, 200), event(AttendeeLeft, 1, 202)];
    let presence = fold(&history, None);
    assert_eq!(presence.participants[&user(1)].since_ms(), Some(100_000), "the second device is still there");
    let then = [&history[..], &[event(AttendeeLeft, 1, 300)]].concat();
    assert_eq!(seconds(&fold(&then, None), 1, 1_000), 200, "until it leaves too");
}

#[test]
fn two_attendees_of_one_user_are_one_participant() {
    let history = [
        device(AttendeeJoined, 1, 0, 100),
        device(AttendeeJoined, 1, 1, 150),
        device(AttendeeLeft, 1, 0, 200),
        device(AttendeeLeft, 1, 1, 260),
    ];
    let presence = fold(&history, None);
    assert_eq!(seconds(&presence, 1, 1_000), 160, "the union, not the sum of 210");
    assert_eq!(presence.max_at_once, 1);
}

#[test]
fn a_lost_departure_does_not_hide_the_next_one() {
    // The first departure was lost: the second join follows a join.
    let history = [event(AttendeeJoined, 1, 100), event(AttendeeJoined, 1, 400), event(AttendeeLeft, 1, 500)];
    assert_eq!(fold(&history, None).participants[&user(1)].since_ms(), None);
}

#[test]
fn a_missing_departure_is_closed_by_the_end_of_the_meeting() {
    let history = [event(AttendeeJoined, 1, 100), ended(700)];
    assert_eq!(seconds(&fold(&history, None), 1, 10_000), 600);
    assert_eq!(seconds(&fold(&history, Some(650_000)), 1, 10_000), 550, "or of the call, if that was before");
    assert_eq!(seconds(&fold(&history[..1], Some(650_000)), 1, 10_000), 550);
}

#[test]
fn joins_after_the_end_or_with_a_deleted_attendee_are_ignored() {
    let late = [ended(100), event(AttendeeJoined, 1, 100), event(AttendeeJoined, 2, 150)];
    assert!(fold(&late, None).participants.values().all(|person| person.intervals.is_empty()));
    let deleted =
        [event(AttendeeJoined, 1, 100), event(AttendeeDeleted, 1, 150), event(AttendeeJoined, 1, 160)];
    assert_eq!(seconds(&fold(&deleted, None), 1, 1_000), 50);
}

#[test]
fn a_departure_whose_arrival_was_lost_ends_a_connection_that_began_with_the_authorization() {
    let authorized = |second| event(ChimeEventKind::AttendeeAuthorized, 1, second);
    let history = [authorized(90), event(AttendeeLeft, 1, 160)];
    let presence = fold(&history, None);
    assert_eq!((seconds(&presence, 1, 1_000), presence.participants[&user(1)].connections), (70, 1));
    let known = [authorized(90), event(AttendeeJoined, 1, 100), event(AttendeeLeft, 1, 160)];
    assert_eq!(seconds(&fold(&known, None), 1, 1_000), 60, "an arrival that is known counts");
    let twice = [&known[..], &[authorized(200), event(AttendeeDropped, 1, 230)]].concat();
    assert_eq!(seconds(&fold(&twice, None), 1, 1_000), 90, "of a second connection too");
    let late = [&known[..], &[event(AttendeeDropped, 1, 175)]].concat();
    assert_eq!(seconds(&fold(&late, None), 1, 1_000), 60, "the late report of an older connection does not");
    let never = [authorized(90)];
    assert!(fold(&never, None).participants.is_empty(), "an authorization alone is no connection");
}

#[test]
fn recorders_and_screen_shares_are_not_participants() {
    let mut share = event(AttendeeJoined, 1, 100);
    share.attendee_id = Some("attendee-1-0#content".to_owned());
    let mut recorder = event(AttendeeJoined, 2, 100);
    recorder.external_user_id = Some("aws:MediaPipeline-7d9f1c5e".to_owned());
    assert_eq!(fold(&[share, recorder], None).participants.len(), 0);
}

#[test]
fn leaving_in_the_millisecond_of_another_join_does_not_overlap() {
    let history = [event(AttendeeJoined, 1, 100), event(AttendeeLeft, 1, 200), event(AttendeeJoined, 2, 200)];
    assert_eq!(fold(&history, None).max_at_once, 1);
}

mod rows {
    use time::OffsetDateTime;

    use super::*;

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    fn row(status: ParticipantStatus, joined: i64, left: Option<i64>, duration_seconds: i32) -> Attendance {
        Attendance { status, joined_at: Some(at(joined)), left_at: left.map(at), duration_seconds }
    }

    fn applied(row: &Attendance, history: &[ChimeEvent]) -> Attendance {
        apply_presence(row, &fold(history, None).participants[&user(1)], None)
    }

    #[test]
    fn joined_at_is_the_time_of_the_connection() {
        let asked = row(ParticipantStatus::Joined, 98, None, 0);
        let there = applied(&asked, &[event(AttendeeJoined, 1, 100)]);
        assert_eq!(there, row(ParticipantStatus::Joined, 100, None, 0));
        let left = applied(&there, &[event(AttendeeJoined, 1, 100), event(AttendeeDropped, 1, 160)]);
        assert_eq!(left, row(ParticipantStatus::Left, 100, Some(160), 60));
    }

    #[test]
    fn a_rejoin_survives_the_late_end_of_the_old_connection() {
        let back = row(ParticipantStatus::Joined, 170, Some(150), 50);
        let history = [event(AttendeeJoined, 1, 100), event(AttendeeDropped, 1, 165)];
        assert_eq!(applied(&back, &history), row(ParticipantStatus::Joined, 170, Some(150), 65));
    }

    #[test]
    fn a_rejoin_survives_a_projection_before_the_old_connection_s_end() {
        let back = row(ParticipantStatus::Joined, 170, Some(150), 50);
        let lasting = [event(AttendeeJoined, 1, 100)];
        let between = applied(&back, &lasting);
        assert_eq!(between, row(ParticipantStatus::Joined, 170, Some(150), 70));
        let history = [event(AttendeeJoined, 1, 100), event(AttendeeDropped, 1, 165)];
        assert_eq!(applied(&between, &history), applied(&back, &history));
    }

    #[test]
    fn a_leave_request_counts_even_if_the_connection_lasts() {
        let left = row(ParticipantStatus::Left, 98, Some(160), 62);
        let lasting = [event(AttendeeJoined, 1, 100)];
        assert_eq!(applied(&left, &lasting), row(ParticipantStatus::Left, 100, Some(160), 60));
        let again = [event(AttendeeJoined, 1, 100), event(AttendeeJoined, 1, 200)];
        assert_eq!(applied(&left, &again).status, ParticipantStatus::Joined, "a join on any device counts");
    }

    #[test]
    fn a_departure_alone_ends_the_stay_that_began_with_the_request() {
        let asked = row(ParticipantStatus::Joined, 98, None, 0);
        let gone = [event(AttendeeLeft, 1, 160)];
        let left = applied(&asked, &gone);
        assert_eq!(left, row(ParticipantStatus::Left, 98, Some(160), 62));
        assert_eq!(applied(&left, &gone), left);
        let late = [event(AttendeeJoined, 1, 100), event(AttendeeLeft, 1, 160)];
        assert_eq!(
            applied(&left, &late),
            row(ParticipantStatus::Left, 100, Some(160), 60),
            "its arrival was late"
        );
        let back = row(ParticipantStatus::Joined, 170, Some(160), 62);
        assert_eq!(applied(&back, &gone).status, ParticipantStatus::Joined, "a later rejoin counts");
    }

    #[test]
    fn removed_participants_stay_removed() {
        let removed = row(ParticipantStatus::Removed, 100, Some(150), 50);
        let attendance = applied(&removed, &[event(AttendeeJoined, 1, 100), event(AttendeeDropped, 1, 151)]);
        assert_eq!(attendance.status, ParticipantStatus::Removed);
        assert_eq!(attendance.duration_seconds, 51);
    }

    #[test]
    fn a_second_projection_changes_nothing() {
        let history = [event(AttendeeJoined, 1, 100), event(AttendeeDropped, 1, 160)];
        for before in [
            row(ParticipantStatus::Joined, 98, None, 0),
            row(ParticipantStatus::Joined, 300, None, 0),
            row(ParticipantStatus::Left, 98, Some(300), 0),
            row(ParticipantStatus::Removed, 98, Some(120), 0),
            row(ParticipantStatus::Waiting, 98, None, 0),
        ] {
            let once = applied(&before, &history);
            assert_eq!(applied(&once, &history), once, "{before:?}");
        }
    }
}

/// A slow reference: simulates a history second by second, with a list of connected devices.
mod reference {
    use super::*;

    struct Device {
        /// When a newer connection superseded it.
        replaced: Option<i64>,
    }

    #[derive(Default)]
    pub(super) struct Played {
        pub(super) seconds: BTreeMap<UserId, i64>,
        /// The last second in which the user was connected, and the connected time up to then.
        pub(super) last: BTreeMap<UserId, (i64, i64)>,
        pub(super) connections: BTreeMap<UserId, u32>,
        pub(super) drops: BTreeMap<UserId, u32>,
        pub(super) max_participants: usize,
    }

    pub(super) fn play(history: &[ChimeEvent], call_ended: Option<i64>, until: i64) -> Played {
        let end =
            history.iter().filter(|e| e.kind == ChimeEventKind::MeetingEnded).map(|e| e.at_ms / 1000).min();
        let end = [end, call_ended].into_iter().flatten().min().unwrap_or(i64::MAX);
        let mut devices: BTreeMap<(UserId, String), (Vec<Device>, bool)> = BTreeMap::new();
        let mut played = Played::default();
        for second in 0..until.min(end) {
            for kind in [AttendeeJoined, AttendeeLeft, AttendeeDropped, AttendeeDeleted] {
                let mut whose: Vec<(UserId, String)> = history
                    .iter()
                    .filter(|event| event.kind == kind && event.at_ms == second * 1000)
                    .filter_map(|event| Some((event.person()?, event.attendee_id.clone()?)))
                    .collect();
                whose.sort();
                whose.dedup();
                for key in whose {
                    let user = key.0;
                    let (connected, deleted) = devices.entry(key).or_default();
                    match kind {
                        AttendeeJoined if !*deleted => {
                            if let Some(newest) = connected.last_mut() {
                                newest.replaced = Some(second);
                            }
                            connected.push(Device { replaced: None });
                            *played.connections.entry(user).or_default() += 1;
                        }
                        AttendeeJoined => {}
                        AttendeeDeleted => {
                            connected.clear();
                            *deleted = true;
                        }
                        _ => {
                            *played.drops.entry(user).or_default() += u32::from(kind == AttendeeDropped);
                            let fresh = |device: &Device| {
                                device.replaced.is_none_or(|at| (second - at) * 1000 <= MAX_SUPERSEDED_MS)
                            };
                            connected.retain(fresh);
                            if connected.len() == 1 {
                                connected.clear();
                            } else if !connected.is_empty() {
                                connected.remove(0);
                            }
                        }
                    }
                }
            }
            let here: BTreeSet<UserId> = devices
                .iter()
                .filter(|(_, (connected, _))| connected.iter().any(|device| device.replaced.is_none()))
                .map(|((user, _), _)| *user)
                .collect();
            played.max_participants = played.max_participants.max(here.len());
            for user in here {
                *played.seconds.entry(user).or_default() += 1;
                let (last, since) = played.last.entry(user).or_insert((second, second));
                *since = if second - *last <= 1 { *since } else { second };
                *last = second;
            }
        }
        played
    }
}

const UNTIL: i64 = 400;

fn any_event() -> impl Strategy<Value = ChimeEvent> {
    let kind = prop_oneof![
        6 => Just(AttendeeJoined),
        3 => Just(AttendeeLeft),
        3 => Just(AttendeeDropped),
        1 => Just(AttendeeDeleted),
        1 => Just(ChimeEventKind::AttendeeVideoStarted),
        1 => Just(ChimeEventKind::MeetingEnded),
    ];
    (kind, 0_u8..4, 0_u8..2, 0_i64..UNTIL).prop_map(|(kind, n, d, second)| match kind {
        ChimeEventKind::MeetingEnded => ended(200 + second / 2),
        kind => device(kind, n, d, second),
    })
}

/// Authorizations too, which begin a connection in the past where its arrival was lost: the reference cannot do that.
fn any_event_or_authorization() -> impl Strategy<Value = ChimeEvent> {
    let authorization = (0_u8..4, 0_u8..2, 0_i64..UNTIL)
        .prop_map(|(n, d, second)| device(ChimeEventKind::AttendeeAuthorized, n, d, second));
    prop_oneof![6 => any_event(), 1 => authorization]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    #[test]
    fn order_and_duplicates_do_not_matter(
        history in prop::collection::vec(any_event_or_authorization(), 0..24),
        shuffled in Just(()).prop_perturb(|(), mut random| {
            std::array::from_fn::<u64, 40, _>(|_| random.random())
        }),
        again in prop::collection::vec(any::<Index>(), 0..12),
        call_ended in prop::option::of(0_i64..UNTIL),
    ) {
        let call_ended_ms = call_ended.map(|second| second * 1000);
        let expected = fold(&history, call_ended_ms);
        let mut disturbed = history.clone();
        if !history.is_empty() {
            disturbed.extend(again.iter().map(|index| index.get(&history).clone()));
        }
        let mut keyed: Vec<(u64, ChimeEvent)> = disturbed
            .into_iter()
            .enumerate()
            .map(|(i, event)| (shuffled[i % shuffled.len()].rotate_left(u32::try_from(i).unwrap_or(0)), event))
            .collect();
        keyed.sort_by_key(|(key, _)| *key);
        let disturbed: Vec<ChimeEvent> = keyed.into_iter().map(|(_, event)| event).collect();
        prop_assert_eq!(fold(&disturbed, call_ended_ms), expected.clone());
        let mut backwards = disturbed;
        backwards.reverse();
        prop_assert_eq!(fold(&backwards, call_ended_ms), expected);
    }

    #[test]
    fn the_fold_equals_the_slow_reference(
        history in prop::collection::vec(any_event(), 0..24),
        call_ended in prop::option::of(0_i64..UNTIL),
    ) {
        let fast = fold(&history, call_ended.map(|second| second * 1000));
        let slow = reference::play(&history, call_ended, UNTIL);
        for n in 0..4 {
            let expected = slow.seconds.get(&user(n)).copied().unwrap_or(0);
            prop_assert_eq!(seconds(&fast, n, UNTIL), expected, "person {}", n);
            let nobody = Person::default();
            let person = fast.participants.get(&user(n)).unwrap_or(&nobody);
            let applied = |counts: &BTreeMap<UserId, u32>| counts.get(&user(n)).copied().unwrap_or(0);
            prop_assert_eq!(person.connections, applied(&slow.connections), "connections of {}", n);
            prop_assert_eq!(person.drops, applied(&slow.drops), "drops of {}", n);
            let last = person.intervals.last().map(|last| (last.to_ms.unwrap_or(UNTIL * 1000) / 1000 - 1, last.from_ms / 1000));
            prop_assert_eq!(last.map(|(last, since)| (last.min(UNTIL - 1), since)), slow.last.get(&user(n)).copied(), "since when {}", n);
        }
        prop_assert_eq!(fast.max_at_once, slow.max_participants);
    }

    /// Events are projected batch by batch, in any order. The histories contain no join after the end or with a
    /// deleted attendee: nothing reverts what the rows say until that is known.
    #[test]
    fn a_row_projected_batch_by_batch_equals_one_projected_once(
        order in prop::collection::vec(any_event_or_authorization(), 1..24),
        cuts in prop::collection::vec(any::<Index>(), 0..6),
    ) {
        let end = order.iter().filter(|event| event.kind == ChimeEventKind::MeetingEnded).map(|event| event.at_ms).min();
        let before = |event: &ChimeEvent| {
            event.kind == ChimeEventKind::MeetingEnded
                || event.kind != AttendeeDeleted && end.is_none_or(|end| event.at_ms < end)
        };
        let order: Vec<ChimeEvent> = order.into_iter().filter(before).collect();
        let asked = Attendance {
            status: ParticipantStatus::Joined, joined_at: attendance::at(-1), left_at: None, duration_seconds: 0,
        };
        let project = |row: Attendance, known: &[ChimeEvent]| {
            let presence = fold(known, None);
            let call_ended = presence.ended_ms.and_then(attendance::at);
            presence.participants.get(&user(1)).map_or(row, |person| attendance::apply_presence(&row, person, call_ended))
        };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(order.len() + 1)).collect();
        cuts.sort_unstable();
        let so_far = cuts.iter().fold(asked, |row, cut| project(row, &order[..*cut]));
        prop_assert_eq!(project(so_far, &order), project(asked, &order));
    }
}
