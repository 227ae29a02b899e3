//! Buckets, and the call page's distribution in front of its own.

use super::{Options, StartError};
use crate::cloudfront::CloudFront;
use crate::listen::Listening;
use crate::page;
use crate::s3::{S3, Surroundings};
use local_template::plan::Plan;

/// Makes the buckets, puts the page into its own, if one was built, and serves the distribution.
pub(super) async fn serve(
    options: &Options,
    plan: &Plan,
    around: Surroundings,
    api: String,
) -> Result<(S3, Listening), StartError> {
    let clock = around.clock.clone();
    let s3 = S3::new(&plan.buckets, around)?;
    if let Some(directory) = &options.page {
        page::put(directory, plan, &s3)?;
    }
    let [distribution] = plan.distributions.as_slice() else {
        return Err(StartError::Distributions(plan.distributions.len()));
    };
    let edge = CloudFront::new(distribution.clone(), s3.clone(), api, clock);
    let listening = super::serve("call page", options.ports.page, edge.router()).await?;
    Ok((s3, listening))
}
