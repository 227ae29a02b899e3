//! How good a person's connection is: samples from their client, kept as a summary of bounded size and not as a pile.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use serde::{Deserialize, Serialize};
use sketches_ddsketch::{Config, DDSketch};

use crate::call::View;
use crate::error::{Error, reason};
use crate::id::{SessionId, UserId};
use crate::state::ParticipantStatus;

/// As many samples as one request may bring.
pub const MOST: usize = 60;

/// A summary takes no more of a measure than so many samples: one a second for longer than Chime lets a meeting last. It
/// keeps whoever sends without end from making it grow without end.
pub const FULL: u64 = 100_000;

/// How far a quantile may be from the sample that it stands for, relatively. Under the 2 % that are promised, for rounding.
const ACCURACY: f64 = 0.0195;

/// Bins of a sketch, far more than the widest range fills, so that none is ever folded into another.
const BINS: u32 = 2048;

/// Values under this would count as zero. They are rounded to far more before.
const LEAST: f64 = 1e-9;

/// The latest moment that a sample may be of: the year 2100, in milliseconds since 1970.
const LATEST_MS: i64 = 4_102_444_800_000;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Measure {
    /// Lost packets, in percent.
    PacketLossPercent,
    /// There and back, in milliseconds.
    RoundTripMs,
    /// How unevenly packets come, in milliseconds.
    JitterMs,
    /// How much flows, in kilobits a second.
    BitrateKbps,
}

impl Measure {
    /// All of them.
    pub const ALL: [Self; 4] =
        [Self::PacketLossPercent, Self::RoundTripMs, Self::JitterMs, Self::BitrateKbps];

    /// As the wire spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PacketLossPercent => "packetLossPercent",
            Self::RoundTripMs => "roundTripMs",
            Self::JitterMs => "jitterMs",
            Self::BitrateKbps => "bitrateKbps",
        }
    }

    /// The greatest value that can be, and in which steps values are kept.
    const fn bounds(self) -> (f64, f64) {
        match self {
            Self::PacketLossPercent => (100.0, 0.1),
            Self::RoundTripMs | Self::JitterMs => (60_000.0, 0.1),
            Self::BitrateKbps => (100_000.0, 1.0),
        }
    }

    /// A value as it is kept: in the measure's steps, which a finer value is rounded to.
    #[must_use]
    pub fn kept(self, value: f64) -> f64 {
        let (_, step) = self.bounds();
        // Not `(value / step).round() * step`, whose result is a hair off the decimal number.
        let steps = (1.0 / step).round();
        (value * steps).round() / steps
    }
}

/// One look of a client at its connection.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Sample {
    /// When, in milliseconds since 1970. Looked at for being possible, and not kept: a summary knows no order.
    pub at: Option<i64>,
    /// Lost packets, in percent.
    pub packet_loss_percent: Option<f64>,
    /// There and back, in milliseconds.
    pub round_trip_ms: Option<f64>,
    /// How unevenly packets come, in milliseconds.
    pub jitter_ms: Option<f64>,
    /// How much flows, in kilobits a second.
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

/// Looks whether samples can be.
///
/// # Errors
/// 422, naming the first field that cannot: `samples[3].jitterMs`.
pub fn check(samples: &[Sample]) -> Result<(), Error> {
    if samples.is_empty() || samples.len() > MOST {
        return Err(Error::invalid("samples", format!("must be 1 to {MOST} samples")));
    }
    for (at, sample) in samples.iter().enumerate() {
        if sample.at.is_some_and(|ms| !(0..=LATEST_MS).contains(&ms)) {
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

/// Whose samples of which session a caller's are: those of someone who is or was in the call that is on.
///
/// # Errors
/// 403 for strangers, 404 where no call is on, 409 for who has not been in it.
pub fn may_tell(view: &View) -> Result<(SessionId, UserId), Error> {
    let member = view.member()?;
    let session = view.session.as_ref().filter(|session| session.status.is_open());
    let session = session.ok_or(Error::NotFound(reason::NO_ACTIVE_CALL))?;
    let in_it = view.participant(member.user).is_some_and(|party| {
        party.has_joined && matches!(party.status, ParticipantStatus::Joined | ParticipantStatus::Left)
    });
    if in_it { Ok((session.id, member.user)) } else { Err(Error::conflict(reason::NOT_IN_CALL_NOW)) }
}

/// What is kept of a person's samples in a session. Merging keeps medians and 95th percentiles within 2 % of what the
/// samples themselves would say, in whatever order they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    /// How many requests are in it: what a change of it is compared by.
    pub posts: u32,
    /// The last of them, so that a statement that was sent twice is known.
    pub by: String,
    /// Each measure of which there was a sample.
    pub measures: BTreeMap<Measure, Distribution>,
}

/// How the values of a measure are distributed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many.
    pub n: u64,
    /// The least, exactly.
    pub min: f64,
    /// Half of them are at most this.
    pub median: f64,
    /// Nineteen of twenty are at most this.
    pub p95: f64,
    /// The greatest, exactly.
    pub max: f64,
    /// From which the others are told, and into which more values go: a `DDSketch` in its documented binary form, in
    /// base64.
    sketch: String,
}

impl Summary {
    /// What samples come to.
    ///
    /// # Errors
    /// Never for samples that [`check`] has let through.
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

    /// This with another's samples too. Of a measure that has as many as are kept, no more are taken.
    ///
    /// # Errors
    /// When a sketch cannot be read: somebody else wrote it.
    pub fn and(&self, other: &Self) -> Result<Self, Error> {
        let mut measures = self.measures.clone();
        for (measure, more) in &other.measures {
            let both = match measures.get(measure) {
                Some(so_far) if so_far.n >= FULL => continue,
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
            // Without the digits that only the arithmetic has brought in.
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
    DDSketch::new(Config::new(ACCURACY, BINS, LEAST))
}

#[cfg(test)]
mod tests;
