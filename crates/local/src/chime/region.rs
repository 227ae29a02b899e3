//! Regions of the Chime SDK and what is derived from them.

/// Where the meetings API has an endpoint.
const CONTROL: [&str; 14] = [
    "us-east-1",
    "us-west-2",
    "eu-central-1",
    "ap-southeast-1",
    "af-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-west-2",
    "il-central-1",
    "us-gov-east-1",
    "us-gov-west-1",
];

/// Where media can be.
const MEDIA: [&str; 20] = [
    "af-south-1",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ca-central-1",
    "eu-central-1",
    "eu-north-1",
    "eu-south-1",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
    "us-gov-east-1",
    "us-gov-west-1",
];

pub(super) fn is_control(region: &str) -> bool {
    CONTROL.contains(&region)
}

pub(super) fn is_media(region: &str) -> bool {
    MEDIA.contains(&region)
}

/// The last four digits of the ids that a control region gives; `0706` is us-east-1's on AWS, the others only differ.
pub(super) fn id_suffix(region: &str) -> String {
    let place = CONTROL.iter().position(|it| *it == region).unwrap_or(CONTROL.len());
    format!("{:04}", 706 + place * 1000 % 9000)
}

/// `ue1` for us-east-1: how the hosts of a media region are called.
pub(super) fn short(region: &str) -> String {
    region.split('-').filter_map(|part| part.chars().next()).collect()
}

pub(super) fn partition(region: &str) -> &'static str {
    if region.starts_with("us-gov-") { "aws-us-gov" } else { "aws" }
}
