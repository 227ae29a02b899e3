//! What holds for any frames at any times.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Picture { content: bool, keyframe: bool, contiguous: bool, wide: bool, ticks: u64, back: bool },
    Stop { content: bool },
    Pass { us: u64 },
}

fn step() -> impl Strategy<Value = Step> {
    let ticks = prop_oneof![8 => 1..20_000_u64, 1 => 0..2_000_000_u64, 1 => any::<u32>().prop_map(u64::from)];
    let odds = |chance| proptest::bool::weighted(chance);
    prop_oneof![
        12 => (any::<bool>(), odds(0.3), odds(0.9), odds(0.9), ticks, odds(0.1)).prop_map(
            |(content, keyframe, contiguous, wide, ticks, back)| Step::Picture { content, keyframe, contiguous, wide, ticks, back }
        ),
        1 => any::<bool>().prop_map(|content| Step::Stop { content }),
        2 => (0..3_000_000_u64).prop_map(|us| Step::Pass { us }),
    ]
}

proptest! {
    #[test]
    fn nothing_is_lost_or_doubled_and_times_grow_within_bounds(steps in vec(step(), 1..150)) {
        let mut capture = Capture::start(START_US);
        let (mut now_us, mut sounds) = (START_US, 0_u64);
        let mut rtp_times = [1_u64 << 31; 2];
        let mut all = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            match *step {
                Step::Picture { content, keyframe, contiguous, wide, ticks, back } => {
                    let rtp_time = &mut rtp_times[usize::from(content)];
                    *rtp_time = if back { rtp_time.saturating_sub(ticks) } else { *rtp_time + ticks };
                    let frame = picture(index as u64, keyframe, if wide { 640 } else { 320 });
                    let frame = VideoFrame { rtp_time: *rtp_time, contiguous, ..frame };
                    capture.video("a", content, &frame, now_us);
                    now_us += 33_000;
                }
                Step::Stop { content } => capture.stop("a", content),
                Step::Pass { us } => now_us += us,
            }
            while START_US + sounds * 20_000 <= now_us {
                capture.sound(sounds.to_be_bytes().to_vec().into(), &[], START_US + sounds * 20_000);
                sounds += 1;
            }
            capture.want_keyframes(now_us);
            all.extend(capture.chunks());
        }
        let counters = capture.counters();
        all.extend(capture.finish());

        // Each frame of the mix once, whatever the cameras do.
        let mixes: Vec<_> = all.iter().filter_map(|chunk| match chunk {
            TapChunk::Mix(chunk) => Some(chunk),
            TapChunk::Pictures(_) => None,
        }).collect();
        let frames = mixes.iter().flat_map(|chunk| chunk.sound.iter().map(|frame| (chunk.started_us + frame.time_us, frame.data.clone())));
        prop_assert!(frames.eq((0..sounds).map(|number| (number * 20_000, number.to_be_bytes().to_vec().into()))));
        for (index, chunk) in (0_u32..).zip(&mixes) {
            prop_assert_eq!((chunk.index, chunk.started_us), (index, u64::from(index) * CHUNK_US));
        }

        let chunks = super::pictures(all);
        let pictures: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.video).map(|frame| frame.data.clone()).collect();
        let left_out = counters.late_frames + counters.undecodable_frames;
        prop_assert_eq!(pictures.len() as u64 + left_out, counters.frames, "each is in a chunk or counted");
        prop_assert_eq!(pictures.iter().collect::<BTreeSet<_>>().len(), pictures.len(), "none is in two chunks");
        for content in [false, true] {
            let of_source: Vec<_> = chunks.iter().filter(|chunk| chunk.content == content).collect();
            let mut end_us = 0;
            let mut heard = BTreeSet::new();
            for (index, chunk) in (0_u32..).zip(of_source) {
                prop_assert_eq!(chunk.index, index);
                prop_assert!(chunk.started_us >= end_us, "chunks do not overlap");
                prop_assert!(chunk.duration_us <= MAX_CHUNK_US);
                prop_assert!(chunk.video[0].keyframe && chunk.video[0].time_us == 0);
                end_us = chunk.started_us + chunk.duration_us;
                for frames in [&chunk.video, &chunk.sound] {
                    prop_assert!(frames.is_sorted_by(|before, after| before.time_us < after.time_us));
                    prop_assert!(frames.last().is_none_or(|last| last.time_us < chunk.duration_us));
                }
                // Each frame of the mix that begins within the chunk, and no other one.
                let first = chunk.started_us.div_ceil(20_000);
                let expected = (first..sounds).take_while(|number| number * 20_000 < end_us);
                let numbers = chunk.sound.iter().map(|frame| frame.data.clone());
                prop_assert!(numbers.eq(expected.map(|number| number.to_be_bytes().to_vec())));
                prop_assert!(chunk.sound.iter().all(|frame| heard.insert(frame.data.clone())));
            }
        }
    }
}
