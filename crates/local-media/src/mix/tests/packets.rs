//! Packets of each kind, lost, late and repeated ones.

use super::*;
use crate::mix::SourceCounters;

const HZ: f64 = 600.0;

fn two() -> Mix {
    let mut mix = Mix::default();
    mix.add(1, "a", false);
    mix.add(2, "b", false);
    mix
}

fn counters(mix: &Mix) -> SourceCounters {
    mix.counters(1).expect("is in the mix")
}

#[test]
fn packets_of_each_length_and_mode_are_heard_in_mono_and_stereo() {
    for mode in [Application::RestrictedLowDelay, Application::Voip] {
        for channels in [1, 2] {
            for packet_ms in [10, 20, 40, 60] {
                let mut mix = two();
                let mut voices = [Voice::with(1, HZ, mode, channels, packet_ms)];
                let listeners = second_of(&mut mix, &[1, 2], &mut voices);
                let db = listeners[1].tone_db(HZ);
                assert!(db > HEARD_DB, "{mode:?}, {channels} channels, {packet_ms} ms: {db} dB");
                let counters = counters(&mix);
                assert_eq!(counters.concealed_frames + counters.rejected_packets, 0, "{packet_ms} ms");
                assert!(mix.queued(1) <= 4, "{packet_ms} ms: {} frames wait", mix.queued(1));
            }
        }
    }
}

#[test]
fn a_source_that_pauses_in_silence_is_silent_and_goes_on() {
    let mut mix = two();
    let mut voice = Voice::new(1, HZ);
    let mut listener = Listener::new();
    for tick in 0..200 {
        // One packet in 400 ms for 2 s, as a browser's encoder with DTX sends them.
        let (packet, rtp_time) = voice.packet();
        if !(50..150).contains(&tick) || tick % 20 == 0 {
            mix.push(1, &packet, rtp_time);
        }
        listener.hear(&mix.tick(|_| true)[1].packet);
        assert!(mix.queued(1) <= 3, "{} frames wait at tick {tick}", mix.queued(1));
    }
    listener.assert_hears(HZ);
    assert_eq!(counters(&mix).dropped_packets + counters(&mix).late_packets, 0);
}

#[test]
fn lost_packets_are_concealed_each_once() {
    let mut mix = two();
    let mut voice = Voice::new(1, HZ);
    let mut listener = Listener::new();
    for tick in 0..100 {
        let (packet, rtp_time) = voice.packet();
        if tick % 10 != 5 {
            mix.push(1, &packet, rtp_time);
        }
        listener.hear(&mix.tick(|_| true)[1].packet);
    }
    let counters = counters(&mix);
    assert_eq!((counters.concealed_frames, counters.late_packets, counters.shortened_frames), (10, 0, 0));
    assert_eq!(mix.queued(1), 1, "the delay is as before");
    listener.assert_hears(HZ);
}

#[test]
fn packets_lost_in_a_row_are_concealed_each_once_and_add_no_delay() {
    let mut mix = two();
    let mut voice = Voice::new(1, HZ);
    for tick in 0..100 {
        let (packet, rtp_time) = voice.packet();
        if !(10..14).contains(&(tick % 25)) {
            mix.push(1, &packet, rtp_time);
        }
        mix.tick(|_| false);
        assert!(mix.queued(1) <= 1, "{} frames wait at tick {tick}", mix.queued(1));
    }
    let counters = counters(&mix);
    assert_eq!((counters.concealed_frames, counters.late_packets, counters.shortened_frames), (16, 0, 0));
}

#[test]
fn packets_out_of_order_find_their_place_and_repeated_ones_are_dropped() {
    let mut mix = two();
    let mut voice = Voice::new(1, HZ);
    for _ in 0..50 {
        let [first, second] = [voice.packet(), voice.packet()];
        for (packet, rtp_time) in [&second, &first, &first] {
            mix.push(1, packet, *rtp_time);
        }
        mix.tick(|_| false);
        mix.tick(|_| false);
    }
    let counters = counters(&mix);
    assert_eq!((counters.concealed_frames, counters.dropped_packets), (0, 0));
    assert_eq!((counters.decoded_packets + mix.queued(1), counters.late_packets), (100, 50));
}

#[test]
fn packets_that_come_all_at_once_do_not_delay_what_follows_for_ever() {
    let mut mix = two();
    let mut voice = Voice::new(1, HZ);
    for tick in 0..50 {
        voice.send(&mut mix, tick);
        mix.tick(|_| false);
    }
    for _ in 0..50 {
        mix.tick(|_| false);
    }
    voice.send(&mut mix, 99);
    assert_eq!(mix.queued(1), 8, "the rest of a stall of 1 s is dropped");
    for tick in 100..500 {
        voice.send(&mut mix, tick);
        mix.tick(|_| false);
    }
    assert!(mix.queued(1) <= 2, "{} frames wait", mix.queued(1));
    assert_eq!(counters(&mix).dropped_packets, 50 + 1 - 8);
}

#[test]
fn a_source_that_begins_a_new_timeline_is_heard() {
    for start in [0, u64::from(u32::MAX) - 48_000, u64::MAX / 2] {
        let mut mix = two();
        let mut listener = Listener::new();
        for first_time in [48_000 * 3_600, start] {
            let mut voice = Voice::new(1, HZ);
            for _ in 0..50 {
                let (packet, rtp_time) = voice.packet();
                mix.push(1, &packet, first_time + rtp_time);
                listener.hear(&mix.tick(|_| true)[1].packet);
            }
        }
        listener.assert_hears(HZ);
    }
}

#[test]
fn what_is_no_opus_is_counted() {
    let mut mix = two();
    // Nothing; no frames; 50 frames of 20 ms; a length beyond the packet's end.
    for (packet, rtp_time) in
        [&[][..], &[0xfb, 0], &[0xfb, 50], &[0xfa, 200, 1]].into_iter().zip([0, 960, 1_920, 2_880])
    {
        mix.push(1, packet, rtp_time);
    }
    for _ in 0..10 {
        mix.tick(|_| false);
    }
    assert_eq!((counters(&mix).packets, counters(&mix).rejected_packets), (4, 4));
}
