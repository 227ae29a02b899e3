use super::*;
use crate::mix::{Hears, level};

const A_HZ: f64 = 400.0;
const B_HZ: f64 = 1_000.0;
const C_HZ: f64 = 1_700.0;

fn three() -> (Mix, [Voice; 3]) {
    let mut mix = Mix::default();
    for (key, group) in [(1, "a"), (2, "b"), (3, "c")] {
        mix.add(key, group, false);
    }
    (mix, [Voice::new(1, A_HZ), Voice::new(2, B_HZ), Voice::new(3, C_HZ)])
}

#[test]
fn each_hears_the_others_and_not_itself() {
    let (mut mix, mut voices) = three();
    let listeners = second_of(&mut mix, &[1, 2, 3], &mut voices);
    for (index, listener) in listeners.iter().enumerate() {
        for (speaker, hz) in [A_HZ, B_HZ, C_HZ].into_iter().enumerate() {
            if speaker == index { listener.assert_does_not_hear(hz) } else { listener.assert_hears(hz) }
        }
    }
}

#[test]
fn a_sharer_does_not_hear_the_shared_content_nor_the_content_its_sharer() {
    let mut mix = Mix::default();
    for (key, group, content) in [(1, "a", false), (2, "a", true), (3, "c", false)] {
        mix.add(key, group, content);
    }
    let mut voices = [Voice::new(1, A_HZ), Voice::new(2, B_HZ), Voice::new(3, C_HZ)];
    let listeners = second_of(&mut mix, &[1, 2, 3], &mut voices);
    for of_sharer in &listeners[..2] {
        of_sharer.assert_does_not_hear(A_HZ);
        of_sharer.assert_does_not_hear(B_HZ);
        of_sharer.assert_hears(C_HZ);
    }
    listeners[2].assert_hears(A_HZ);
    listeners[2].assert_hears(B_HZ);
    listeners[2].assert_does_not_hear(C_HZ);
}

#[test]
fn a_participant_without_the_right_to_content_hears_the_people_only() {
    let mut mix = Mix::default();
    for (key, group, content) in [(1, "a", false), (2, "a", true), (3, "c", false)] {
        mix.add(key, group, content);
    }
    let mut voices = [Voice::new(1, A_HZ), Voice::new(2, B_HZ)];
    let mut listener = Listener::new();
    for tick in 0..50 {
        for voice in &mut voices {
            voice.send(&mut mix, tick);
        }
        let packets = mix.tick(|key| if key == 3 { Hears::People } else { Hears::Nothing });
        assert_eq!(packets.len(), 1, "tick {tick}");
        listener.hear(&packets[0].packet);
    }
    listener.assert_hears(A_HZ);
    listener.assert_does_not_hear(B_HZ);
}

#[test]
fn the_energy_of_each_person_is_that_of_the_last_tick() {
    let mut mix = Mix::default();
    for (key, group, content) in [(1, "a", false), (2, "b", false), (3, "b", true)] {
        mix.add(key, group, content);
    }
    second_of(&mut mix, &[1, 2, 3], &mut [Voice::new(1, A_HZ), Voice::new(3, C_HZ)]);
    let energies: Vec<_> = mix.energies().collect();
    assert_eq!(energies.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [1, 2], "a screen does not speak");
    let expected = AMPLITUDE * AMPLITUDE / 2.0;
    assert!((0.8 * expected..1.2 * expected).contains(&energies[0].1), "{energies:?} and {expected}");
    assert!(energies[1].1 < 1e-12, "{energies:?}");
    mix.silence(1);
    mix.tick(|_| true);
    assert!(mix.energies().all(|(_, energy)| energy < 1e-12), "a muted one has none at once");
}

#[test]
fn a_muted_participant_is_gone_at_the_next_tick() {
    let mut mix = Mix::default();
    mix.add(1, "a", false);
    mix.add(2, "b", false);
    let mut voices = [Voice::new(1, A_HZ)];
    let mut listeners = second_of(&mut mix, &[1, 2], &mut voices);
    listeners[1].assert_hears(A_HZ);
    voices[0].send(&mut mix, 50);
    assert_ne!(mix.queued(1), 0, "sound that waits");
    mix.silence(1);
    assert_eq!(mix.queued(1), 0);
    for tick in 0..25 {
        let packets = mix.tick(|_| true);
        assert_eq!(packets[1].level, level::SILENT, "tick {tick} after muting");
        listeners[1].hear(&packets[1].packet);
    }
    listeners[1].assert_does_not_hear(A_HZ);
}

#[test]
fn one_who_unmutes_is_heard_again() {
    let mut mix = Mix::default();
    mix.add(1, "a", false);
    mix.add(2, "b", false);
    let mut voices = [Voice::new(1, A_HZ)];
    second_of(&mut mix, &[1, 2], &mut voices);
    mix.silence(1);
    for _ in 0..100 {
        mix.tick(|_| true);
    }
    // The client's clock went on by 2 s, and so did its encoder.
    voices[0].position = 150 * FRAME_SAMPLES;
    let mut listener = Listener::new();
    for tick in 150..200 {
        voices[0].send(&mut mix, tick);
        listener.hear(&mix.tick(|_| true)[1].packet);
    }
    listener.assert_hears(A_HZ);
}

#[test]
fn one_who_left_is_not_heard_and_gets_nothing() {
    let (mut mix, mut voices) = three();
    second_of(&mut mix, &[1, 2, 3], &mut voices);
    mix.remove(1);
    voices[0].send(&mut mix, 50);
    let listeners = second_of(&mut mix, &[2, 3], &mut []);
    listeners[0].assert_does_not_hear(A_HZ);
}

#[test]
fn only_those_who_receive_get_a_packet_and_times_go_on_for_all() {
    let (mut mix, _) = three();
    let times = |mix: &mut Mix, receiver| {
        let packets = mix.tick(|key| key == receiver);
        packets.iter().map(|mixed| (mixed.participant, mixed.rtp_time)).collect::<Vec<_>>()
    };
    assert_eq!(times(&mut mix, 2), [(2, 0)]);
    assert_eq!(times(&mut mix, 3), [(3, 960)]);
    assert_eq!(times(&mut mix, 4), []);
    assert_eq!(times(&mut mix, 2), [(2, 2_880)]);
}

#[test]
fn the_mix_of_all_has_everybody() {
    let (mut mix, mut voices) = three();
    let mut recorder = Listener::new();
    for tick in 0..50 {
        for voice in &mut voices {
            voice.send(&mut mix, tick);
        }
        mix.tick(|_| false);
        recorder.hear(&mix.mix_of_all().expect("encodes"));
    }
    for hz in [A_HZ, B_HZ, C_HZ] {
        recorder.assert_hears(hz);
    }
}

#[test]
fn levels_are_of_each_source_since_the_last_call() {
    let (mut mix, mut voices) = three();
    assert_eq!(mix.levels(), [(1, level::SILENT), (2, level::SILENT), (3, level::SILENT)]);
    second_of(&mut mix, &[1, 2, 3], &mut voices[..1]);
    let levels = mix.levels();
    // -13.5 dBov, and a little less for the silence before the first packet.
    assert!((13..=15).contains(&levels[0].1), "{levels:?}");
    assert_eq!(levels[1..], [(2, level::SILENT), (3, level::SILENT)]);
    mix.silence(1);
    mix.tick(|_| false);
    assert_eq!(mix.levels()[0], (1, level::SILENT));
}

#[test]
fn a_sum_that_is_too_loud_is_clipped_and_one_group_is_taken_out_exactly() {
    let [loud, low] = [[i16::MAX; FRAME_SAMPLES], [-5; FRAME_SAMPLES]];
    let [mut total, mut own] = [crate::mix::Sum::default(), crate::mix::Sum::default()];
    for frame in [&loud, &loud, &low] {
        total.add(frame);
    }
    own.add(&loud);
    own.add(&loud);
    assert_eq!(total.frame(), [i16::MAX; FRAME_SAMPLES]);
    total.subtract(&own);
    assert_eq!(total.frame(), low);
    assert_eq!(level::of(&loud), 0);
}
