#![doc = include_str!("../README.md")]

mod chunks;
mod copy;
mod credentials;
mod error;
mod holds;
mod inspect;
mod links;
mod mp4;
mod prefixes;
mod read;
mod versions;

use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;

pub use chunks::Chunks;
pub use copy::{Copied, CopyLimits};
pub use error::Error;
pub use holds::{HoldSession, Holds};
pub use inspect::{Inspection, Track, TrackKind};
pub use links::{Link, Links, Playable, PlaybackLinks};
pub use prefixes::Prefixes;
pub use read::{Listing, Object};
pub use versions::{Deleted, Marker, Progress};

/// A request to S3 or STS with its repetitions, its body included.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// The objects of a bucket. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Objects {
    client: Client,
    bucket: String,
    copy_limits: CopyLimits,
}

impl Objects {
    /// The bucket of the given name.
    #[must_use]
    pub fn new(sdk: &SdkConfig, bucket: &str) -> Self {
        let timeouts = TimeoutConfig::builder().operation_timeout(DEADLINE).build();
        let config = aws_sdk_s3::config::Builder::from(sdk)
            .timeout_config(timeouts)
            // Ranges have no checksum.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let client = Client::from_conf(config);
        Self { client, bucket: bucket.to_owned(), copy_limits: CopyLimits::default() }
    }

    /// With other limits than S3's.
    #[must_use]
    pub fn with_copy_limits(self, copy_limits: CopyLimits) -> Self {
        Self { copy_limits, ..self }
    }
}
