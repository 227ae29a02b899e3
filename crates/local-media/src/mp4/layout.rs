//! The samples of a track, and their order in the file: pictures and sound of a second each are neighbours, so that a player that reads
//! from the start always has both.

use bytes::Bytes;

const GROUP_US: u64 = 1_000_000;

/// A picture or a packet in the file.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    pub(super) time_us: u64,
    pub(super) duration_ticks: u32,
    /// The sample entry, from 0.
    pub(super) entry: usize,
    pub(super) keyframe: bool,
    pub(super) data: Bytes,
}

/// Consecutive samples of one track and one entry, which are neighbours in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    /// From the start of the media.
    pub(super) offset: u64,
    pub(super) samples: usize,
    pub(super) entry: usize,
}

/// The order of all tracks' samples: the groups of each track, and the media.
pub(super) fn arrange(tracks: &[&[Sample]]) -> (Vec<Vec<Group>>, Vec<Bytes>) {
    let mut rests: Vec<&[Sample]> = tracks.to_vec();
    let mut groups = vec![Vec::new(); tracks.len()];
    let (mut media, mut offset) = (Vec::new(), 0);
    let mut until_us = GROUP_US;
    while rests.iter().any(|rest| !rest.is_empty()) {
        for (rest, groups) in rests.iter_mut().zip(&mut groups) {
            while let Some(first) = rest.first().filter(|first| first.time_us < until_us) {
                let same = |sample: &&Sample| sample.time_us < until_us && sample.entry == first.entry;
                let (group, after) = rest.split_at(rest.iter().take_while(same).count());
                groups.push(Group { offset, samples: group.len(), entry: first.entry });
                media.extend(group.iter().map(|sample| sample.data.clone()));
                offset += group.iter().map(|sample| sample.data.len() as u64).sum::<u64>();
                *rest = after;
            }
        }
        until_us += GROUP_US;
    }
    (groups, media)
}
