//! Connection quality: samples of a participant's client, aggregated in a summary of bounded size.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

use crate::call::View;
use crate::error::{Error, reason};
use crate::id::{SessionId, UserId};
use crate::state::ParticipantStatus;

/// Samples per request.
pub const MAX_SAMPLES_PER_REQUEST: usize = 60;

/// Samples that a summary counts per measure: one a second for longer than Chime lets a meeting last. It bounds the
/// summary's size, whatever a client sends.
pub const MAX_SAMPLES_PER_MEASURE: u64 = 100_000;

/// Relative error of a quantile. Below the documented 2 %, to leave room for rounding.
const ACCURACY: f64 = 0.0195;

/// Bins of a sketch: far more than the widest range needs, so that bins are never merged.
const MAX_BINS: u32 = 2048;

/// Smaller values count as zero. Values are rounded to much coarser steps before.
const MIN_NONZERO: f64 = 1e-9;

/// The latest time of a sample: the year 2100, in milliseconds since 1970.
const MAX_SAMPLE_TIME_MS: i64 = 4_102_444_800_000;

/// The measures of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Measure {
    PacketLossPercent,
    RoundTripMs,
    JitterMs,
    BitrateKbps,
}

impl Measure {
    pub const ALL: [Self; 4] =
        [Self::PacketLossPercent, Self::RoundTripMs, Self::JitterMs, Self::BitrateKbps];

    /// The name on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PacketLossPercent => "packetLossPercent",
            Self::RoundTripMs => "roundTripMs",
            Self::JitterMs => "jitterMs",
            Self::BitrateKbps => "bitrateKbps",
        }
    }

    /// The maximum and the step to which values are rounded.
    const fn bounds(self) -> (f64, f64) {
        match self {
            Self::PacketLossPercent => (100.0, 0.1),
            Self::RoundTripMs | Self::JitterMs => (60_000.0, 0.1),
            Self::BitrateKbps => (100_000.0, 1.0),
        }
    }

    /// Rounds a value to the measure's step.
    #[must_use]
    pub fn kept(self, value: f64) -> f64 {
        let (_, step) = self.bounds();
        // Not `(value / step).round() * step`, whose floating-point result differs slightly from the decimal number.
        let steps = (1.0 / step).round();
        (value * steps).round() / steps
    }
}

/// One sample of a connection, as the client measured it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// Milliseconds since 1970. Validated but not stored: a summary has no order.
    pub at: Option<i64>,
    pub packet_loss_percent: Option<f64>,
    pub round_trip_ms: Option<f64>,
    pub jitter_ms: Option<f64>,
    pub bitrate_kbps: Option<f64>,
}

impl Sample {
    fn value(&self, measure: Measure) -> Option<f64> {
        match measure {
            Measure::PacketLossPercent => self.packet_loss_percent,
            Measure::RoundTripMs => self.round_trip_ms,
            Measure::JitterMs => self.jitter_ms,
            Measure::BitrateKbps => self.bitrate_kbps,
        }
    }
}

/// Validates samples.
///
/// # Errors
/// 422, naming the first invalid field: `samples[3].jitterMs`.
pub fn check(samples: &[Sample]) -> Result<(), Error> {
    if samples.is_empty() || samples.len() > MAX_SAMPLES_PER_REQUEST {
        return Err(Error::invalid("samples", format!("must be 1 to {MAX_SAMPLES_PER_REQUEST} samples")));
    }
    for (at, sample) in samples.iter().enumerate() {
        if sample.at.is_some_and(|ms| !(0..=MAX_SAMPLE_TIME_MS).contains(&ms)) {
            return Err(Error::invalid(format!("samples[{at}].at"), "must be milliseconds since 1970"));
        }
        let mut measured = false;
        for measure in Measure::ALL {
            let Some(value) = sample.value(measure) else { continue };
            measured = true;
            let (most, _) = measure.bounds();
            if !(0.0..=most).contains(&value) {
                let field = format!("samples[{at}].{}", measure.as_str());
                return Err(Error::invalid(field, format!("must be from 0 to {most}")));
            }
        }
        if !measured {
            return Err(Error::invalid(format!("samples[{at}]"), "must have a measure"));
        }
    }
    Ok(())
}

/// The session and the user that a caller's samples belong to: the caller must be or have been in the active call.
///
/// # Errors
/// 403 for strangers, 404 without an active call, 409 for a member who has not joined it.
pub fn may_report(view: &View) -> Result<(SessionId, UserId), Error> {
    let member = view.member()?;
    let session = view.session.as_ref().filter(|session| session.is_open());
    let session = session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let in_it = view.participant(member.user).is_some_and(|party| {
        party.has_joined && matches!(party.status, ParticipantStatus::Joined | ParticipantStatus::Left)
    });
    if in_it { Ok((session.id, member.user)) } else { Err(Error::conflict(reason::NOT_IN_CALL_NOW)) }
}

/// The summary of a participant's samples in a session. Merging in any order keeps medians and 95th percentiles
/// within 2 % of those of the samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// Requests in the summary; also its version for compare-and-set.
    pub posts: u32,
    /// The latest request's id, so that a repeated statement is recognized.
    pub by: String,
    /// The measures that have samples.
    pub measures: BTreeMap<Measure, Distribution>,
}

/// The distribution of a measure's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// Number of samples.
    pub n: u64,
    /// Exact minimum.
    pub min: f64,
    /// Estimated median.
    pub median: f64,
    /// Estimated 95th percentile.
    pub p95: f64,
    /// Exact maximum.
    pub max: f64,
    /// The sketch from which the quantiles are computed and into which further values are merged: a `DDSketch` in its
    /// documented binary form, in base64.
    sketch: String,
}

impl Summary {
    /// Summarizes samples.
    ///
    /// # Errors
    /// Never for samples that [`check`] accepts.
    pub fn of(samples: &[Sample], request: &str) -> Result<Self, Error> {
        let mut measures = BTreeMap::new();
        for measure in Measure::ALL {
            let mut sketch = empty();
            for value in samples.iter().filter_map(|sample| sample.value(measure)) {
                sketch.add(measure.kept(value));
            }
            if let Some(distribution) = Distribution::of(&sketch)? {
                measures.insert(measure, distribution);
            }
        }
        Ok(Self { posts: 1, by: request.to_owned(), measures })
    }

    /// Merges two summaries. A measure that has reached its limit of samples does not count more.
    ///
    /// # Errors
    /// When a sketch cannot be decoded, which means that other code wrote it.
    pub fn and(&self, other: &Self) -> Result<Self, Error> {
        let mut measures = self.measures.clone();
        for (measure, more) in &other.measures {
            let both = match measures.get(measure) {
                Some(so_far) if so_far.n >= MAX_SAMPLES_PER_MEASURE => continue,
                Some(so_far) => so_far.and(more)?,
                None => more.clone(),
            };
            measures.insert(*measure, both);
        }
        Ok(Self { posts: self.posts.saturating_add(other.posts), by: other.by.clone(), measures })
    }
}

impl Distribution {
    fn of(sketch: &DDSketch) -> Result<Option<Self>, Error> {
        let (Some(min), Some(max)) = (sketch.min(), sketch.max()) else { return Ok(None) };
        let quantile = |q| {
            let value = sketch.quantile(q).map_err(Error::internal)?.unwrap_or(min).clamp(min, max);
            // Removes digits that floating-point arithmetic added.
            Ok::<_, Error>((value * 1e5).round() / 1e5)
        };
        Ok(Some(Self {
            n: u64::try_from(sketch.count()).map_err(Error::internal)?,
            min,
            median: quantile(0.5)?,
            p95: quantile(0.95)?,
            max,
            sketch: STANDARD_NO_PAD.encode(sketch.to_java_bytes()),
        }))
    }

    fn and(&self, other: &Self) -> Result<Self, Error> {
        let mut sketch = self.read()?;
        sketch.merge(&other.read()?).map_err(Error::internal)?;
        Self::of(&sketch)?.ok_or_else(|| Error::internal("two distributions made none"))
    }

    fn read(&self) -> Result<DDSketch, Error> {
        let bytes = STANDARD_NO_PAD.decode(&self.sketch).map_err(Error::internal)?;
        DDSketch::from_java_bytes(&bytes).map_err(Error::internal)
    }
}

fn empty() -> DDSketch {
    DDSketch::new(Config::new(ACCURACY, MAX_BINS, MIN_NONZERO))
}

#[cfg(test)]
mod tests;
