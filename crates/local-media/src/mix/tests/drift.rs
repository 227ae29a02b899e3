//! Sources whose clock is not the ticks' clock, for ten minutes.

use super::*;

const TICKS: u64 = 10 * 60 * 50;

/// Runs ten minutes with a source that sends `per_1000_ticks` packets in the time of 1,000 ticks, and compares the frames that were
/// added or left out with the difference of the clocks.
fn ten_minutes(per_1000_ticks: u64) -> (Mix, u64) {
    let mut mix = Mix::default();
    mix.add(1, "a", false);
    let mut silence = vec![0; 100];
    let mut encoder = OpusEncoder::new(48_000, 1, Application::RestrictedLowDelay).expect("valid parameters");
    let length = encoder.encode_i16(&[0; FRAME_SAMPLES], FRAME_SAMPLES, &mut silence).expect("encodes");
    let mut sent = 0;
    let mut most_queued = 0;
    for tick in 0..TICKS {
        while sent * 1_000 <= tick * per_1000_ticks {
            mix.push(1, &silence[..length], sent * 960);
            sent += 1;
        }
        most_queued = most_queued.max(mix.queued(1));
        mix.tick(|_| false);
    }
    let counters = mix.counters(1).expect("is in the mix");
    assert_eq!(counters.packets, sent);
    assert_eq!(counters.decoded_packets + mix.queued(1), sent, "each packet was played once: {counters:?}");
    assert_eq!(counters.late_packets + counters.dropped_packets + counters.rejected_packets, 0);
    (mix, most_queued)
}

#[test]
fn a_clock_that_is_half_a_percent_fast_adds_no_delay() {
    let (mix, most_queued) = ten_minutes(1_005);
    let counters = mix.counters(1).expect("is in the mix");
    assert!(most_queued <= 4, "at most 80 ms wait: {most_queued} frames");
    assert!((145..=150).contains(&counters.shortened_frames), "150 frames too many came: {counters:?}");
    assert_eq!(counters.concealed_frames, 0);
}

#[test]
fn a_clock_that_is_half_a_percent_slow_is_waited_for() {
    let (mix, most_queued) = ten_minutes(995);
    let counters = mix.counters(1).expect("is in the mix");
    assert!(most_queued <= 3, "at most 60 ms wait: {most_queued} frames");
    assert!((145..=150).contains(&counters.concealed_frames), "150 frames are missing: {counters:?}");
    assert_eq!(counters.shortened_frames, 0);
}
