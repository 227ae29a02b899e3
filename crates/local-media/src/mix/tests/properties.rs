//! What holds for any packets at any times: the network and the clients are not ours.

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Push { participant: ParticipantKey, packet: Vec<u8>, rtp_time: u64 },
    Tick { ticks: u8 },
    Silence { participant: ParticipantKey },
    Add { participant: ParticipantKey },
    Remove { participant: ParticipantKey },
}

fn step() -> impl Strategy<Value = Step> {
    let participant = 0..3_u64;
    // Any bytes of up to a datagram's length; and a packet of each kind that decodes, some bytes of which are changed.
    let kinds = [
        (Application::Voip, 1, 20),
        (Application::Voip, 2, 60),
        (Application::Audio, 1, 40),
        (Application::Audio, 2, 20),
        (Application::RestrictedLowDelay, 1, 20),
        (Application::RestrictedLowDelay, 2, 10),
    ];
    let packets = kinds.map(|(mode, channels, ms)| {
        let mut voice = Voice::with(0, 500.0, mode, channels, ms);
        // The second one: the encoder has a past.
        let _first = voice.packet();
        voice.packet().0
    });
    let changes = vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4);
    let real = (proptest::sample::select(packets.to_vec()), changes).prop_map(|(mut packet, changes)| {
        for (index, byte) in changes {
            let position = index.index(packet.len());
            if let Some(changed) = packet.get_mut(position) {
                *changed = byte;
            }
        }
        packet
    });
    let packet = prop_oneof![vec(any::<u8>(), 0..1_400), real];
    let rtp_time =
        prop_oneof![4 => (0..40_u64).prop_map(|frame| frame * 960), 1 => any::<u64>(), 1 => 0..100_000_u64];
    prop_oneof![
        8 => (participant.clone(), packet, rtp_time)
            .prop_map(|(participant, packet, rtp_time)| Step::Push { participant, packet, rtp_time }),
        4 => (1..4_u8).prop_map(|ticks| Step::Tick { ticks }),
        1 => participant.clone().prop_map(|participant| Step::Silence { participant }),
        1 => participant.clone().prop_map(|participant| Step::Add { participant }),
        1 => participant.prop_map(|participant| Step::Remove { participant }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn any_packets_leave_bounded_queues_and_a_packet_for_each(steps in vec(step(), 1..60)) {
        let mut mix = Mix::default();
        let mut listeners: std::collections::BTreeMap<ParticipantKey, Listener> = [0, 1].map(|key| (key, Listener::new())).into();
        mix.add(0, "a", false);
        mix.add(1, "b", false);
        for step in steps {
            match step {
                Step::Push { participant, packet, rtp_time } => mix.push(participant, &packet, rtp_time),
                Step::Tick { ticks } => for _ in 0..ticks {
                    let packets = mix.tick(|_| true);
                    prop_assert!(packets.iter().map(|mixed| &mixed.participant).eq(listeners.keys()));
                    for (listener, mixed) in listeners.values_mut().zip(&packets) {
                        listener.hear(&mixed.packet);
                    }
                },
                Step::Silence { participant } => mix.silence(participant),
                Step::Add { participant } => {
                    mix.add(participant, "c", false);
                    listeners.insert(participant, Listener::new());
                }
                Step::Remove { participant } => {
                    mix.remove(participant);
                    listeners.remove(&participant);
                }
            }
            for &participant in listeners.keys() {
                prop_assert!(mix.queued(participant) <= 8, "{} frames wait", mix.queued(participant));
            }
        }
        for &participant in listeners.keys() {
            mix.silence(participant);
            let counters = mix.counters(participant).expect("is in the mix");
            let counted = counters.decoded_packets + counters.rejected_packets + counters.late_packets + counters.dropped_packets;
            prop_assert_eq!(counters.packets, counted, "each packet is counted once: {:?}", counters);
        }
    }

    /// A packet may come one tick late, before its predecessor, or twice: nothing of it is heard.
    #[test]
    fn jitter_within_the_buffer_loses_nothing(delays in vec((0..2_usize, any::<bool>()), 40)) {
        let mut mix = Mix::default();
        mix.add(0, "a", false);
        let mut arrivals = vec![Vec::new(); delays.len() + 2];
        let mut repeated = 0;
        let mut voice = Voice::new(0, 500.0);
        for (tick, (delay, twice)) in delays.into_iter().enumerate() {
            let packet = voice.packet();
            arrivals[tick + delay].push(packet.clone());
            if twice {
                repeated += 1;
                arrivals[tick + 1].push(packet);
            }
        }
        for packets in arrivals {
            for (packet, rtp_time) in packets {
                mix.push(0, &packet, rtp_time);
            }
            mix.tick(|_| false);
        }
        let counters = mix.counters(0).expect("is in the mix");
        prop_assert_eq!(counters.decoded_packets, 40);
        prop_assert_eq!(counters.late_packets, repeated);
        // The last tick, after the last packet.
        prop_assert!(counters.concealed_frames <= 1, "{:?}", counters);
    }
}
