//! Loudness as RTP's audio level has it: -dBov, 0 the loudest and 127 silence (RFC 6464).

use super::opus::Frame;

pub(super) const SILENT: u8 = 127;
const SAMPLES_PER_FRAME: f64 = 960.0;
const OVERLOAD: f64 = 32_768.0;

/// The mean square of what was added, as a level.
#[derive(Default)]
pub(super) struct Meter {
    energy: f64,
    frames: u32,
}

impl Meter {
    pub(super) fn add(&mut self, frame: &Frame) {
        self.energy += energy(frame);
        self.add_silence();
    }

    pub(super) fn add_silence(&mut self) {
        self.frames = self.frames.saturating_add(1);
    }

    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to 0..=127")]
    pub(super) fn level(&self) -> u8 {
        if self.energy == 0.0 || self.frames == 0 {
            return SILENT;
        }
        let mean = self.energy / f64::from(self.frames);
        (-10.0 * mean.log10()).round().clamp(0.0, f64::from(SILENT)) as u8
    }
}

/// The mean square of one frame; 1.0 is the loudest.
pub(super) fn energy(frame: &Frame) -> f64 {
    let squares = frame.iter().map(|&sample| f64::from(sample).powi(2)).sum::<f64>();
    squares / SAMPLES_PER_FRAME / OVERLOAD.powi(2)
}

/// The level of one frame.
pub(super) fn of(frame: &Frame) -> u8 {
    let mut meter = Meter::default();
    meter.add(frame);
    meter.level()
}
