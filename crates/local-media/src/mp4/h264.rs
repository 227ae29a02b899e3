//! H.264 as far as a file needs it: units, parameter sets, and pictures that are made without an encoder.

use bytes::Bytes;

use super::Mp4Error;
use super::coded::{self, Frame};
use crate::capture::h264_size;

const START_CODE: [u8; 4] = [0, 0, 0, 1];
const SEQUENCE_PARAMETER_SET: u8 = 7;
const PICTURE_PARAMETER_SET: u8 = 8;

/// The parameters that a decoder needs before a key frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ParameterSets {
    pub(super) sequence: Vec<u8>,
    pub(super) picture: Vec<u8>,
    pub(super) width: u16,
    pub(super) height: u16,
}

/// The units of a picture in the form of Annex B.
pub(super) fn units(picture: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = after_start_code(picture).unwrap_or_default();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let end = rest.windows(3).position(|bytes| bytes == [0, 0, 1]).unwrap_or(rest.len());
        let unit = &rest[..end];
        rest = after_start_code(&rest[end..]).unwrap_or_default();
        // The zero of a longer start code.
        let length = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&unit[..length])
    })
    .filter(|unit| !unit.is_empty())
}

fn after_start_code(bytes: &[u8]) -> Option<&[u8]> {
    let start = bytes.windows(3).position(|bytes| bytes == [0, 0, 1])?;
    bytes.get(start + 3..)
}

/// A key frame's parameter sets, which browsers send before each.
pub(super) fn parameter_sets(keyframe: &[u8]) -> Result<ParameterSets, Mp4Error> {
    let of_kind = |kind: u8| units(keyframe).find(|unit| unit[0] & 0x1f == kind).map(<[u8]>::to_vec);
    let sets = of_kind(SEQUENCE_PARAMETER_SET).zip(of_kind(PICTURE_PARAMETER_SET));
    let (sequence, picture) = sets.ok_or(Mp4Error::NoParameterSets)?;
    let (width, height) = h264_size(keyframe).ok_or(Mp4Error::NoParameterSets)?;
    Ok(ParameterSets { sequence, picture, width: width.try_into()?, height: height.try_into()? })
}

/// Units with their lengths before them, as a file has them.
pub(super) fn to_file(picture: &[u8]) -> Result<Bytes, Mp4Error> {
    let mut out = Vec::with_capacity(picture.len() + 8);
    for unit in units(picture) {
        out.extend(u32::try_from(unit.len())?.to_be_bytes());
        out.extend(unit);
    }
    Ok(out.into())
}

/// The form of Annex B of what a file has.
pub(super) fn from_file(sample: &[u8]) -> Result<Bytes, Mp4Error> {
    let (mut out, mut rest) = (Vec::with_capacity(sample.len()), sample);
    while let Some((length, after)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length))?;
        let (unit, after) = after
            .split_at_checked(length)
            .ok_or(Mp4Error::Inconsistent("a unit is longer than its sample"))?;
        out.extend(START_CODE);
        out.extend(unit);
        rest = after;
    }
    if rest.is_empty() {
        Ok(out.into())
    } else {
        Err(Mp4Error::Inconsistent("a sample ends within a length"))
    }
}

/// Units in the form of Annex B.
pub(super) fn annex_b<const N: usize>(units: [Vec<u8>; N]) -> Bytes {
    units.into_iter().flat_map(|unit| START_CODE.into_iter().chain(unit)).collect()
}

/// A grey key frame of this size in pixels, for a time without any picture.
#[must_use]
pub fn blank_picture(width: u32, height: u32) -> Bytes {
    let frame = Frame { width, height, number: 0 };
    annex_b([frame.sequence_parameter_set(), coded::picture_parameter_set(), frame.blank()])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_found_between_short_and_long_start_codes() {
        let picture = [0, 0, 0, 1, 0x67, 1, 2, 0, 0, 1, 0x68, 3, 0, 0, 0, 1, 0x65, 0, 4];
        let found: Vec<&[u8]> = units(&picture).collect();
        assert_eq!(found, [&[0x67, 1, 2][..], &[0x68, 3], &[0x65, 0, 4]]);
        assert_eq!(units(&[1, 2, 3]).count(), 0);
    }

    #[test]
    fn a_picture_is_the_same_after_its_way_through_a_file() {
        let picture = blank_picture(64, 48);
        let file = to_file(&picture).expect("it is short");
        assert_ne!(file, picture);
        assert_eq!(from_file(&file).expect("it was written here"), picture);
        assert!(from_file(&file[..file.len() - 1]).is_err());
    }

    #[test]
    fn a_made_picture_says_its_size_also_when_it_ends_within_a_block() {
        for size in [(96, 64), (320, 180), (641, 479)] {
            let sets = parameter_sets(&blank_picture(size.0, size.1)).expect("it carries them");
            // Sizes of 4:2:0 are even.
            let even = |side: u32| side.next_multiple_of(2);
            assert_eq!((u32::from(sets.width), u32::from(sets.height)), (even(size.0), even(size.1)));
        }
    }
}
