//! Buckets, and the call page's distribution in front of its own.

use std::net::SocketAddr;

use super::{Options, StartError};
use crate::cloudfront::CloudFront;
use crate::listen::{Bound, Listening};
use crate::s3::{S3, Surroundings};
use local_template::plan::{Distribution, Plan};

/// Makes the buckets, puts the page into its own, if one was built, and serves the distribution.
pub(super) fn serve(
    options: &Options,
    plan: &Plan,
    around: Surroundings,
    api: String,
    signaling: Option<SocketAddr>,
    page: Bound,
) -> Result<(S3, Listening), StartError> {
    let clock = around.clock.clone();
    let s3 = S3::new(&plan.buckets, around)?;
    if let Some(directory) = &options.page {
        crate::page::put(directory, plan, &s3)?;
    }
    let [distribution] = plan.distributions.as_slice() else {
        return Err(StartError::Distributions(plan.distributions.len()));
    };
    let mut distribution = distribution.clone();
    if let Some(signaling) = signaling {
        allow_signaling(&mut distribution, signaling);
    }
    let edge = CloudFront::new(distribution, s3.clone(), api, clock);
    Ok((s3, page.serve(edge.router())))
}

/// Lets the page reach the media plane of this machine, where meetings name it in place of Chime's hosts.
fn allow_signaling(distribution: &mut Distribution, signaling: SocketAddr) {
    let policies = distribution.behaviors.iter_mut().filter_map(|behavior| behavior.headers.as_mut());
    for header in policies.flat_map(|headers| &mut headers.set) {
        if header.name == "content-security-policy" {
            let chime = "wss://*.chime.aws";
            header.value =
                header.value.replace(chime, &format!("{chime} ws://{signaling} http://{signaling}"));
        }
    }
}
