use proptest::collection::vec;
use proptest::prelude::*;

use super::*;

/// Writes fields of bits, the most significant first, filled up with zeros to whole bytes.
fn bits(fields: &[(u32, u32)]) -> Vec<u8> {
    let each = fields.iter().flat_map(|&(count, value)| (0..count).rev().map(move |bit| value >> bit & 1));
    let bits: Vec<u32> = each.collect();
    bits.chunks(8)
        .map(|byte| {
            byte.iter()
                .enumerate()
                .fold(0, |sum, (place, bit)| sum | u8::try_from(*bit).expect("one bit") << (7 - place))
        })
        .collect()
}

/// H.264's Exp-Golomb code of a number.
fn golomb(value: u32) -> (u32, u32) {
    let bits = 32 - (value + 1).leading_zeros();
    (2 * bits - 1, value + 1)
}

/// Constrained Baseline, level 3.1, as Chromium's encoder writes it: 640x360 is 40x23 macroblocks with 8 rows cropped.
fn sps(width_blocks: u32, height_blocks: u32, crop_bottom: u32) -> Vec<u8> {
    let mut unit = vec![0, 0, 0, 1, 0x67];
    let fields = [
        (8, 66),
        (16, 0xe01f),
        golomb(0),
        golomb(12),
        golomb(2),
        golomb(1),
        (1, 0),
        golomb(width_blocks - 1),
        golomb(height_blocks - 1),
        (1, 1),
        (1, 1),
        (1, 1),
        golomb(0),
        golomb(0),
        golomb(0),
        golomb(crop_bottom),
        (1, 0),
        (1, 1),
    ];
    unit.extend(bits(&fields));
    unit.extend([0, 0, 0, 1, 0x68, 0xce, 0x3c, 0x80, 0, 0, 0, 1, 0x65, 0xb8]);
    unit
}

#[test]
fn h264_says_its_size_in_the_parameter_set() {
    assert_eq!(size(VideoCodec::H264, &sps(40, 23, 4)), Some((640, 360)));
    assert_eq!(size(VideoCodec::H264, &sps(20, 15, 0)), Some((320, 240)));
    assert_eq!(size(VideoCodec::H264, &[0, 0, 0, 1, 0x65, 0xb8]), None, "no parameter set");
}

#[test]
fn h264_escapes_three_bytes_that_would_begin_a_unit() {
    assert_eq!(without_emulation_prevention(&[1, 0, 0, 3, 1, 0, 0, 3, 0, 0, 1, 7]), [1, 0, 0, 1, 0, 0, 0, 0]);
}

#[test]
fn vp8_says_its_size_after_the_start_code() {
    let frame = [0x10, 0x02, 0, 0x9d, 0x01, 0x2a, 0x80, 0x02, 0x68, 0x41, 0];
    assert_eq!(size(VideoCodec::Vp8, &frame), Some((640, 360)), "the scale's bits are not part of it");
    assert_eq!(size(VideoCodec::Vp8, &[0x11, 0x02, 0]), None);
}

#[test]
fn vp9_says_its_size_after_the_colours() {
    let fields = [
        (2, 2),
        (2, 0),
        (1, 0),
        (1, 0),
        (1, 1),
        (1, 0),
        (24, 0x49_8342),
        (3, 1),
        (1, 0),
        (16, 639),
        (16, 359),
    ];
    assert_eq!(size(VideoCodec::Vp9, &bits(&fields)), Some((640, 360)));
    let not_key = [(2, 2), (2, 0), (1, 0), (1, 1), (1, 1), (1, 0), (24, 0x49_8342), (32, 0), (32, 0)];
    assert_eq!(size(VideoCodec::Vp9, &bits(&not_key)), None);
}

#[test]
fn av1_says_its_size_in_the_sequence_header() {
    let header = bits(&[
        (3, 0),
        (1, 0),
        (1, 0),
        (1, 0),
        (1, 0),
        (5, 0),
        (12, 0),
        (5, 5),
        (4, 9),
        (4, 8),
        (10, 639),
        (9, 359),
        (8, 0),
    ]);
    // After a temporal delimiter.
    let mut frame = vec![0x12, 0, 0x0a, u8::try_from(header.len()).expect("some bytes")];
    frame.extend(header);
    assert_eq!(size(VideoCodec::Av1, &frame), Some((640, 360)));
    assert_eq!(size(VideoCodec::Av1, &[0x12, 0, 0x32, 1, 0]), None, "no sequence header");
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_a_panic(bytes in vec(any::<u8>(), 0..80), sps_tail in vec(any::<u8>(), 0..40)) {
        for codec in [VideoCodec::Vp8, VideoCodec::H264, VideoCodec::Vp9, VideoCodec::Av1] {
            let _ = size(codec, &bytes);
        }
        let unit = [&[0, 0, 1, 0x67, 66, 0xe0, 0x1f][..], &sps_tail].concat();
        let _ = size(VideoCodec::H264, &unit);
        let _ = size(VideoCodec::Av1, &[&[0x0a, 39][..], &sps_tail].concat());
    }
}
