//! H.264 units without an encoder (ITU-T H.264, sections 7.3 and 7.4): plain blocks of samples, grey blocks, and skipped ones, in the
//! constrained baseline profile, which every browser decodes.

/// Pixels of a macroblock's side.
pub(super) const BLOCK: u32 = 16;

/// A picture's size, and its number since the key frame.
#[derive(Clone, Copy, Debug)]
pub(super) struct Frame {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) number: u32,
}

/// A colour in 4:2:0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Color {
    pub(super) luma: u8,
    pub(super) blue: u8,
    pub(super) red: u8,
}

impl Frame {
    fn columns(self) -> u32 {
        self.width.div_ceil(BLOCK)
    }

    fn blocks(self) -> u32 {
        self.columns() * self.height.div_ceil(BLOCK)
    }

    pub(super) fn sequence_parameter_set(self) -> Vec<u8> {
        const CONSTRAINED_BASELINE: [u8; 2] = [66, 0b1100_0000];
        const LEVEL_3_1: u8 = 31;
        let (columns, rows) = (self.columns(), self.height.div_ceil(BLOCK));
        let mut bits = Bits::unit(0x67);
        bits.bytes(&CONSTRAINED_BASELINE);
        bits.bytes(&[LEVEL_3_1]);
        bits.exp_golomb(0);
        // 4 bits for the number of a frame; pictures are shown in the order of decoding.
        bits.exp_golomb(0);
        bits.exp_golomb(2);
        // One reference picture, no gaps.
        bits.exp_golomb(1);
        bits.put(0, 1);
        bits.exp_golomb(columns - 1);
        bits.exp_golomb(rows - 1);
        // Whole frames.
        bits.put(1, 1);
        bits.put(1, 1);
        // Units of cropping are 2 pixels.
        let crop = (columns * BLOCK - self.width, rows * BLOCK - self.height);
        let cropped = crop.0 / 2 + crop.1 / 2 > 0;
        bits.put(u32::from(cropped), 1);
        if cropped {
            for side in [0, crop.0 / 2, 0, crop.1 / 2] {
                bits.exp_golomb(side);
            }
        }
        bits.put(0, 1);
        bits.end()
    }

    /// A key frame, each block of one colour.
    pub(super) fn plain(self, color: impl Fn(u32, u32) -> Color) -> Vec<u8> {
        const I_PCM: u32 = 25;
        let mut bits = self.key_slice(0);
        for block in 0..self.blocks() {
            let color = color(block % self.columns(), block / self.columns());
            bits.exp_golomb(I_PCM);
            bits.align();
            bits.bytes(&[color.luma; 256]);
            bits.bytes(&[color.blue; 64]);
            bits.bytes(&[color.red; 64]);
        }
        bits.end()
    }

    /// A grey key frame: each block is predicted from its neighbours, and without them it is grey.
    pub(super) fn blank(self) -> Vec<u8> {
        const I_16X16_MEAN: u32 = 3;
        let mut bits = self.key_slice(1);
        for _ in 0..self.blocks() {
            bits.exp_golomb(I_16X16_MEAN);
            // Chroma by the mean, no change of the quantizer, no coefficients.
            bits.exp_golomb(0);
            bits.exp_golomb(0);
            bits.put(1, 1);
        }
        bits.end()
    }

    /// The picture before it once more.
    pub(super) fn repeated(self) -> Vec<u8> {
        const ALL_PREDICTED: u32 = 5;
        let mut bits = self.slice(0x41, ALL_PREDICTED);
        // The reference as it is, in its order; kept by the sliding window.
        bits.put(0, 3);
        self.quantizer_and_filter(&mut bits);
        bits.exp_golomb(self.blocks());
        bits.end()
    }

    /// Key frames that follow each other differ in their id.
    fn key_slice(self, id: u32) -> Bits {
        const ALL_INTRA: u32 = 7;
        let mut bits = self.slice(0x65, ALL_INTRA);
        bits.exp_golomb(id);
        bits.put(0, 2);
        self.quantizer_and_filter(&mut bits);
        bits
    }

    fn slice(self, unit: u8, kind: u32) -> Bits {
        let mut bits = Bits::unit(unit);
        bits.exp_golomb(0);
        bits.exp_golomb(kind);
        bits.exp_golomb(0);
        bits.put(self.number % 16, 4);
        bits
    }

    #[expect(clippy::unused_self, reason = "it is a part of a slice's header")]
    fn quantizer_and_filter(self, bits: &mut Bits) {
        bits.exp_golomb(0);
        // No deblocking.
        bits.exp_golomb(1);
    }
}

pub(super) fn picture_parameter_set() -> Vec<u8> {
    let mut bits = Bits::unit(0x68);
    bits.exp_golomb(0);
    bits.exp_golomb(0);
    // CAVLC, one slice group, one reference, no weights, the quantizer 26.
    bits.put(0, 2);
    for _ in 0..3 {
        bits.exp_golomb(0);
    }
    bits.put(0, 3);
    for _ in 0..3 {
        bits.exp_golomb(0);
    }
    // A slice says whether it is deblocked.
    bits.put(1, 1);
    bits.put(0, 2);
    bits.end()
}

/// A unit that is being written.
struct Bits {
    header: u8,
    bytes: Vec<u8>,
    /// Bits of the last byte that are taken; 0: none is open.
    taken: u8,
}

impl Bits {
    fn unit(header: u8) -> Self {
        Self { header, bytes: Vec::new(), taken: 0 }
    }

    /// The lowest bits of a value, the highest first.
    fn put(&mut self, value: u32, count: u8) {
        for place in (0..count).rev() {
            let bit = u8::from(value >> place & 1 == 1);
            match self.bytes.last_mut().filter(|_| self.taken > 0) {
                Some(last) => *last |= bit << (7 - self.taken),
                None => self.bytes.push(bit << 7),
            }
            self.taken = (self.taken + 1) % 8;
        }
    }

    /// An unsigned number as Exp-Golomb, section 9.1. A signed 0 is the same.
    fn exp_golomb(&mut self, value: u32) {
        let length = u8::try_from((value + 1).ilog2()).unwrap_or(u8::MAX);
        self.put(0, length);
        self.put(value + 1, length + 1);
    }

    fn align(&mut self) {
        self.taken = 0;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        if self.taken == 0 {
            self.bytes.extend(bytes);
        } else {
            for byte in bytes {
                self.put(u32::from(*byte), 8);
            }
        }
    }

    /// The unit with its trailing bits, section 7.3.2.11, and the bytes that keep start codes out of it, section 7.4.1.
    fn end(mut self) -> Vec<u8> {
        self.put(1, 1);
        let mut unit = vec![self.header];
        let mut zeros = 0;
        for byte in self.bytes {
            if zeros == 2 && byte <= 3 {
                unit.push(3);
                zeros = 0;
            }
            zeros = if byte == 0 { zeros + 1 } else { 0 };
            unit.push(byte);
        }
        unit
    }
}
