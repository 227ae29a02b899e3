//! Samples of the quality of a client's connection.

use domain::quality::Sample;
use serde::{Deserialize, Serialize};

use crate::fields::{Number, Object};

/// Samples of a client's connection.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct QualityRequest {
    samples: Vec<Object<QualitySample>>,
}

/// One sample. At least one measure is required.
#[derive(Clone, Copy, Debug, Deserialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
struct QualitySample {
    /// When, in milliseconds since 1970.
    at: Option<i64>,
    /// Lost packets, in per cent.
    packet_loss_percent: Option<Number>,
    /// Round trip, in milliseconds.
    round_trip_ms: Option<Number>,
    /// Jitter, in milliseconds.
    jitter_ms: Option<Number>,
    /// Bitrate, in kilobits per second.
    bitrate_kbps: Option<Number>,
}

impl From<QualityRequest> for Vec<Sample> {
    fn from(request: QualityRequest) -> Self {
        let value = |number: Option<Number>| number.map(|number| number.0);
        let sample = |sample: QualitySample| Sample {
            at: sample.at,
            packet_loss_percent: value(sample.packet_loss_percent),
            round_trip_ms: value(sample.round_trip_ms),
            jitter_ms: value(sample.jitter_ms),
            bitrate_kbps: value(sample.bitrate_kbps),
        };
        request.samples.into_iter().map(|item| sample(item.0)).collect()
    }
}

/// The answer to samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(schemars::JsonSchema))]
pub struct QualityResponse {
    /// How many samples were accepted.
    pub accepted: usize,
}
