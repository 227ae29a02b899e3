use proptest::prelude::*;

use super::*;

fn all(value: f64) -> Sample {
    Sample {
        at: None,
        packet_loss_percent: Some(value),
        round_trip_ms: Some(value),
        jitter_ms: Some(value),
        bitrate_kbps: Some(value),
    }
}

fn checked(samples: &[Sample]) -> Result<(), String> {
    check(samples).map_err(|error| match error {
        Error::Invalid { field, .. } => field,
        other => other.to_string(),
    })
}

#[test]
fn an_invalid_sample_is_named() {
    let good = all(1.0);
    assert_eq!(checked(&[good; 60]), Ok(()));
    assert_eq!(checked(&[]), Err("samples".to_owned()));
    assert_eq!(checked(&[good; 61]), Err("samples".to_owned()));
    assert_eq!(checked(&[good, Sample::default()]), Err("samples[1]".to_owned()));
    assert_eq!(checked(&[Sample { at: Some(1), ..Sample::default() }]), Err("samples[0]".to_owned()));
    for (measure, most) in [
        (Measure::PacketLossPercent, 100.0),
        (Measure::RoundTripMs, 60_000.0),
        (Measure::JitterMs, 60_000.0),
        (Measure::BitrateKbps, 100_000.0),
    ] {
        let with = |value| {
            let mut sample = Sample::default();
            *match measure {
                Measure::PacketLossPercent => &mut sample.packet_loss_percent,
                Measure::RoundTripMs => &mut sample.round_trip_ms,
                Measure::JitterMs => &mut sample.jitter_ms,
                Measure::BitrateKbps => &mut sample.bitrate_kbps,
            } = Some(value);
            checked(&[good, good, good, sample])
        };
        for value in [0.0, -0.0, 0.1, most] {
            assert_eq!(with(value), Ok(()), "{measure:?} {value}");
        }
        let just_over = f64::from_bits(most.to_bits() + 1);
        for value in [-0.1, just_over, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, f64::MAX] {
            assert_eq!(with(value), Err(format!("samples[3].{}", measure.as_str())), "{measure:?} {value}");
        }
    }
    for at in [-1, i64::MAX, i64::MIN] {
        assert_eq!(checked(&[Sample { at: Some(at), ..good }]), Err("samples[0].at".to_owned()));
    }
}

/// The exact quantile of the samples, by nearest rank.
fn exact(values: &[f64], q: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "a rank"
    )]
    let rank = (q * (sorted.len() - 1) as f64) as usize;
    sorted[rank]
}

fn summed(batches: &[Vec<Sample>]) -> Result<Summary, Error> {
    let mut all = Summary::default();
    for (n, batch) in batches.iter().enumerate() {
        all = all.and(&Summary::of(batch, &format!("request {n}"))?)?;
    }
    Ok(all)
}

/// Values over a measure's whole range, uniform over orders of magnitude, with zeros among them.
fn values(most: f64) -> impl Strategy<Value = f64> {
    prop_oneof![1 => Just(0.0), 9 => (-3.0..most.log10()).prop_map(|power| 10_f64.powf(power)), 1 => 0.0..=most]
}

fn sample() -> impl Strategy<Value = Sample> {
    let maybe = prop::option::weighted::<BoxedStrategy<f64>>;
    (
        values(100.0),
        maybe(0.7, values(60_000.0).boxed()),
        maybe(0.7, values(60_000.0).boxed()),
        maybe(0.7, values(100_000.0).boxed()),
    )
        .prop_map(|(loss, round_trip, jitter, bitrate)| Sample {
            at: None,
            packet_loss_percent: Some(loss.min(100.0)),
            round_trip_ms: round_trip.map(|ms| ms.min(60_000.0)),
            jitter_ms: jitter.map(|ms| ms.min(60_000.0)),
            bitrate_kbps: bitrate.map(|kbps| kbps.min(100_000.0)),
        })
}

proptest! {
    #[test]
    fn median_and_p95_are_within_two_percent_and_min_and_max_are_exact(
        batches in prop::collection::vec(prop::collection::vec(sample(), 1..60), 1..20),
    ) {
        let summary = summed(&batches)?;
        for measure in Measure::ALL {
            let kept: Vec<f64> =
                batches.iter().flatten().filter_map(|it| it.value(measure)).map(|it| measure.kept(it)).collect();
            let Some(distribution) = summary.measures.get(&measure) else {
                prop_assert!(kept.is_empty());
                continue;
            };
            prop_assert_eq!(distribution.n, kept.len() as u64);
            prop_assert_eq!((distribution.min, distribution.max), (exact(&kept, 0.0), exact(&kept, 1.0)));
            for (q, estimate) in [(0.5, distribution.median), (0.95, distribution.p95)] {
                let exact = exact(&kept, q);
                prop_assert!((estimate - exact).abs() <= 0.02 * exact, "{measure:?} at {q}: {estimate}, not {exact}");
            }
        }
    }

    #[test]
    fn the_order_of_merging_does_not_matter(
        batches in prop::collection::vec(prop::collection::vec(sample(), 1..20), 1..10),
        seed in any::<u64>(),
    ) {
        let mut shuffled = batches.clone();
        let mut state = seed;
        for at in (1..shuffled.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            shuffled.swap(at, usize::try_from(state >> 33).unwrap_or(0) % (at + 1));
        }
        let numbers = |summary: &Summary| -> Vec<_> {
            summary.measures.values().map(|it| (it.n, it.min, it.median, it.p95, it.max)).collect()
        };
        // Merges pairs, then pairs of pairs: a different tree with the same leaves.
        let mut pairs = Vec::new();
        for two in shuffled.chunks(2) {
            pairs.push(summed(two)?);
        }
        let mut tree = Summary::default();
        for pair in &pairs {
            tree = tree.and(pair)?;
        }
        let line = summed(&batches)?;
        prop_assert_eq!(numbers(&line), numbers(&summed(&shuffled)?));
        prop_assert_eq!(numbers(&line), numbers(&tree));
        prop_assert_eq!(line.posts, tree.posts);
    }

    #[test]
    fn a_summary_survives_serialization(samples in prop::collection::vec(sample(), 1..60)) {
        let summary = Summary::of(&samples, "request")?;
        let stored = serde_json::to_string(&summary).expect("JSON");
        prop_assert_eq!(serde_json::from_str::<Summary>(&stored).ok(), Some(summary));
    }
}

/// One sample for each bin of every sketch, repeatedly: the largest possible summary.
#[test]
fn a_summary_has_a_maximum_size() -> Result<(), Error> {
    let spread: Vec<Sample> = (0..2000)
        .map(|n| {
            let part = f64::from(n) / 2000.0;
            let scaled = |min: f64, max: f64| Some(min * (max / min).powf(part));
            Sample {
                at: None,
                packet_loss_percent: scaled(0.1, 100.0),
                round_trip_ms: scaled(0.1, 60_000.0),
                jitter_ms: scaled(0.1, 60_000.0),
                bitrate_kbps: scaled(1.0, 100_000.0),
            }
        })
        .collect();
    let size = |summary: &Summary| serde_json::to_string(summary).map_or(0, |text| text.len());
    let first = Summary::of(&spread, "00000000-0000-4000-8000-000000000000")?;
    let mut summary = first.clone();
    // Doubles 26 times: more than 100,000,000 samples, if there were no limit.
    for _ in 0..26 {
        summary = summary.and(&summary.clone())?;
    }
    let full = summary.measures.values().map(|it| it.n).max().unwrap_or(0);
    assert!((MAX_SAMPLES_PER_MEASURE..2 * MAX_SAMPLES_PER_MEASURE).contains(&full), "{full} samples");
    assert!(size(&summary) < 5 * 1024, "{} bytes of {full} samples of all sizes", size(&summary));

    // One hour of a good connection, a sample every 5 s.
    let hour: Vec<Sample> = (0..720)
        .map(|n| {
            let wave = f64::from(n % 37);
            Sample {
                at: None,
                packet_loss_percent: Some(if n % 50 == 0 { 1.5 } else { 0.0 }),
                round_trip_ms: Some(40.0 + wave),
                jitter_ms: Some(2.0 + wave / 10.0),
                bitrate_kbps: Some(900.0 + 20.0 * wave),
            }
        })
        .collect();
    let usual = Summary::of(&hour, "00000000-0000-4000-8000-000000000000")?;
    assert!(size(&usual) < 1024, "{} bytes of an hour", size(&usual));
    Ok(())
}
