//! The size of the pictures that begin with a key frame: an MP4 track has one size, so that a change of it begins a new chunk.

use crate::connection::VideoCodec;

/// Width and height in pixels, as encoded.
pub(super) type Size = (u32, u32);

/// `None` if the frame does not say it in a form that browsers send.
pub(super) fn size(codec: VideoCodec, keyframe: &[u8]) -> Option<Size> {
    match codec {
        VideoCodec::Vp8 => vp8(keyframe),
        VideoCodec::Vp9 => vp9(keyframe),
        VideoCodec::H264 => h264(keyframe),
        VideoCodec::Av1 => av1(keyframe),
    }
}

/// RFC 6386, section 9.1: after a tag of three bytes and the start code, 14 bits for each.
fn vp8(frame: &[u8]) -> Option<Size> {
    let &[tag, _, _, 0x9d, 0x01, 0x2a, width, scaled_width, height, scaled_height, ..] = frame else {
        return None;
    };
    let side = |low, high: u8| u32::from(u16::from_le_bytes([low, high & 0x3f]));
    (tag & 1 == 0).then(|| (side(width, scaled_width), side(height, scaled_height)))
}

/// VP9 bitstream, section 6.2, profile 0.
fn vp9(frame: &[u8]) -> Option<Size> {
    const PROFILE_0_KEYFRAME: u32 = 0b10_0000;
    const COLOR_SPACE_RGB: u32 = 7;
    let mut bits = Bits::new(frame);
    (bits.read(6)? == PROFILE_0_KEYFRAME).then_some(())?;
    bits.read(2)?;
    (bits.read(24)? == 0x49_8342).then_some(())?;
    (bits.read(3)? != COLOR_SPACE_RGB).then_some(())?;
    bits.read(1)?;
    Some((bits.read(16)? + 1, bits.read(16)? + 1))
}

/// H.264, section 7.3.2.1.1, with pictures in 4:2:0.
fn h264(frame: &[u8]) -> Option<Size> {
    const SEQUENCE_PARAMETER_SET: u8 = 7;
    let start = frame
        .windows(4)
        .position(|bytes| matches!(bytes, [0, 0, 1, header] if header & 0x1f == SEQUENCE_PARAMETER_SET))?;
    let unit = without_emulation_prevention(&frame[start + 4..]);
    let mut bits = Bits::new(&unit);
    let profile = bits.read(8)?;
    bits.read(16)?;
    bits.exp_golomb()?;
    // High profiles say how a sample is stored, and may carry scaling lists, which are not read.
    if matches!(profile, 100 | 110 | 122 | 244) {
        (bits.exp_golomb()? == 1).then_some(())?;
        bits.exp_golomb()?;
        bits.exp_golomb()?;
        bits.read(1)?;
        (bits.read(1)? == 0).then_some(())?;
    }
    bits.exp_golomb()?;
    match bits.exp_golomb()? {
        0 => {
            bits.exp_golomb()?;
        }
        1 => return None,
        _ => {}
    }
    bits.exp_golomb()?;
    bits.read(1)?;
    let width = bits.exp_golomb()?.checked_add(1)?.checked_mul(16)?;
    let map_units = bits.exp_golomb()?.checked_add(1)?;
    let fields = 2 - bits.read(1)?;
    if fields == 2 {
        bits.read(1)?;
    }
    let height = map_units.checked_mul(fields * 16)?;
    bits.read(1)?;
    if bits.read(1)? == 0 {
        return Some((width, height));
    }
    let cropped_width = bits.exp_golomb()?.checked_add(bits.exp_golomb()?)?.checked_mul(2)?;
    let cropped_height = bits.exp_golomb()?.checked_add(bits.exp_golomb()?)?.checked_mul(2 * fields)?;
    Some((width.checked_sub(cropped_width)?, height.checked_sub(cropped_height)?))
}

/// H.264, section 7.4.1: in `00 00 03` the 3 is not part of the data. Ends with the unit.
fn without_emulation_prevention(bytes: &[u8]) -> Vec<u8> {
    let mut unit = Vec::new();
    let mut zeros = 0;
    for &byte in bytes {
        match byte {
            1 if zeros >= 2 => break,
            3 if zeros >= 2 => zeros = 0,
            _ => {
                zeros = if byte == 0 { zeros + 1 } else { 0 };
                unit.push(byte);
            }
        }
    }
    unit
}

/// AV1 bitstream, section 5.5, without timing information.
fn av1(frame: &[u8]) -> Option<Size> {
    let header = sequence_header(frame)?;
    let mut bits = Bits::new(header);
    bits.read(4)?;
    if bits.read(1)? == 1 {
        bits.read(5)?;
    } else {
        (bits.read(1)? == 0).then_some(())?;
        let has_display_delay = bits.read(1)? == 1;
        for _ in 0..=bits.read(5)? {
            bits.read(12)?;
            if bits.read(5)? > 7 {
                bits.read(1)?;
            }
            if has_display_delay && bits.read(1)? == 1 {
                bits.read(4)?;
            }
        }
    }
    let width_bits = bits.read(4)? + 1;
    let height_bits = bits.read(4)? + 1;
    Some((bits.read(width_bits)? + 1, bits.read(height_bits)? + 1))
}

/// The first sequence header among the frame's units, which have size fields (section 5.3).
fn sequence_header(mut frame: &[u8]) -> Option<&[u8]> {
    const SEQUENCE_HEADER: u8 = 1;
    loop {
        let (&header, rest) = frame.split_first()?;
        let rest = if header & 0x04 == 0 { rest } else { rest.get(1..)? };
        let (size, rest) = if header & 0x02 == 0 { (rest.len(), rest) } else { leb128(rest)? };
        let (unit, following) = rest.split_at_checked(size)?;
        if (header >> 3) & 0x0f == SEQUENCE_HEADER {
            return Some(unit);
        }
        frame = following;
    }
}

fn leb128(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate().take(4) {
        value |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

struct Bits<'a> {
    bytes: &'a [u8],
    position: usize,
}

impl<'a> Bits<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, position: 0 }
    }

    /// Up to 32 bits, the most significant first.
    fn read(&mut self, count: u32) -> Option<u32> {
        let mut value = 0;
        for _ in 0..count {
            let byte = self.bytes.get(self.position / 8)?;
            value = value << 1 | u32::from(byte >> (7 - self.position % 8) & 1);
            self.position += 1;
        }
        Some(value)
    }

    /// Section 9.1 of H.264: as many zeros as bits follow the first one.
    fn exp_golomb(&mut self) -> Option<u32> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
        }
        (zeros < 32).then_some(())?;
        Some((1 << zeros) - 1 + self.read(zeros)?)
    }
}

#[cfg(test)]
mod tests;
