use proptest::prelude::*;

use super::*;

fn at(start_s: i64, end_s: i64) -> Interval {
    Interval { start_ms: start_s * 1_000, end_ms: end_s * 1_000 }
}

/// A call of ten minutes that is transcribed and captured all the time.
fn whole() -> Evidence {
    Evidence {
        call_end_ms: 600_000,
        transcribing: vec![at(0, 600)],
        captured: vec![at(0, 600)],
        ..Evidence::default()
    }
}

/// `start-end reason` of each gap, in seconds.
fn brief(evidence: &Evidence) -> Vec<String> {
    let line = |gap: &Gap| format!("{}-{} {}", gap.start_ms / 1_000, gap.end_ms / 1_000, gap.reason.as_str());
    gaps(evidence).iter().map(line).collect()
}

#[test]
fn a_call_that_is_transcribed_all_the_time_has_no_gap() {
    assert_eq!(brief(&whole()), [""; 0]);
    assert_eq!(brief(&Evidence::default()), [""; 0], "a call of no length");
}

#[test]
fn each_reason_has_its_times() {
    let evidence = Evidence {
        transcribing: vec![at(60, 500)],
        captured: vec![at(60, 200), at(205, 500)],
        interrupted: vec![at(100, 110), at(105, 120)],
        revoked: vec![at(450, 600)],
        ..whole()
    };
    let expected = [
        "0-60 not_transcribed",
        "100-120 interrupted",
        "200-205 capture_switched",
        "450-600 consent_revoked",
    ];
    assert_eq!(brief(&evidence), expected);
}

#[test]
fn overlapping_gaps_are_divided_by_precedence() {
    let evidence = Evidence {
        transcribing: vec![at(0, 300)],
        failed: vec![at(300, 600)],
        revoked: vec![at(400, 500)],
        interrupted: vec![at(290, 310)],
        ..whole()
    };
    let expected = ["290-300 interrupted", "300-400 failed", "400-500 consent_revoked", "500-600 failed"];
    assert_eq!(brief(&evidence), expected);
}

#[test]
fn text_inside_a_gap_divides_it() {
    let evidence =
        Evidence { interrupted: vec![at(100, 200)], text: vec![at(120, 130), at(195, 210)], ..whole() };
    assert_eq!(brief(&evidence), ["100-120 interrupted", "130-195 interrupted"]);
}

#[test]
fn speech_without_text_is_a_silent_service() {
    let speaking = vec![at(0, 20), at(100, 104), at(108, 115), at(300, 305), at(400, 460)];
    let silent = Evidence { speaking, text: vec![at(1, 18), at(420, 430)], ..whole() };
    // 4 s and 7 s that are 4 s apart make a gap of 15 s; 5 s alone make none; text divides the last.
    assert_eq!(
        brief(&silent),
        ["100-115 silent_service", "400-417 silent_service", "433-460 silent_service"]
    );
    let explained = Evidence { interrupted: vec![at(90, 120), at(395, 460)], ..silent };
    assert_eq!(brief(&explained), ["90-120 interrupted", "395-420 interrupted", "430-460 interrupted"]);
}

#[test]
fn changes_give_states_even_if_some_are_lost_or_doubled() {
    use StatusChange::{Failed, Interrupted, Resumed, Started, Stopped};
    let all = vec![
        (90, Stopped),
        (10, Started),
        (20, Interrupted),
        (30, Resumed),
        (20, Interrupted),
        (10, Started),
    ];
    let interval = |start_ms, end_ms| Interval { start_ms, end_ms };
    let expected =
        States { transcribing: vec![interval(10, 90)], interrupted: vec![interval(20, 30)], failed: vec![] };
    assert_eq!(states(all, 100), expected);
    // The resumption and the stop are lost; a failure lasts to the next start.
    let lost = vec![(10, Started), (20, Interrupted), (40, Failed), (60, Started)];
    let expected = States {
        transcribing: vec![interval(10, 40), interval(60, 100)],
        interrupted: vec![interval(20, 40)],
        failed: vec![interval(40, 60)],
    };
    assert_eq!(states(lost, 100), expected);
}

fn some() -> impl Strategy<Value = Vec<Interval>> {
    let interval = (-20..120_i64, -5..60_i64).prop_map(|(start, length)| at(start, start + length));
    proptest::collection::vec(interval, 0..6)
}

proptest! {
    #[test]
    fn gaps_are_ordered_positive_inside_the_call_and_without_text(
        (transcribing, interrupted, failed, captured) in (some(), some(), some(), some()),
        (revoked, speaking, text) in (some(), some(), some()),
        call_end_s in 0..100_i64,
    ) {
        let evidence = Evidence {
            call_end_ms: call_end_s * 1_000, transcribing, interrupted, failed, captured, revoked, speaking, text,
        };
        let gaps = gaps(&evidence);
        for gap in &gaps {
            prop_assert!(0 <= gap.start_ms && gap.start_ms < gap.end_ms && gap.end_ms <= evidence.call_end_ms);
            for text in &evidence.text {
                let text = Interval::new(text.start_ms, text.end_ms);
                let gap = Interval { start_ms: gap.start_ms, end_ms: gap.end_ms };
                prop_assert_eq!(text.and_then(|text| text.intersection(gap)), None);
            }
        }
        prop_assert!(gaps.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms));
        let touching = |pair: &[Gap]| pair[0].end_ms == pair[1].start_ms && pair[0].reason == pair[1].reason;
        prop_assert!(!gaps.windows(2).any(touching), "gaps of one reason that touch are one: {:?}", gaps);
        // Every moment of the call without text is explained, or it was transcribed and captured.
        for second in 0..call_end_s {
            let moment = second * 1_000 + 500;
            let within = |intervals: &[Interval]| intervals.iter().any(|interval| interval.contains(moment));
            let gap = gaps.iter().any(|gap| gap.start_ms <= moment && moment < gap.end_ms);
            prop_assert!(gap || within(&evidence.text) || (within(&evidence.transcribing) && within(&evidence.captured)));
        }
    }
}
