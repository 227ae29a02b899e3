//! Physical ids and ARNs: as AWS makes them, but the same at each deployment.

use sha2::{Digest, Sha256};

use super::ACCOUNT;

/// Where a resource is made.
#[derive(Clone, Copy, Debug)]
pub(super) struct Naming<'a> {
    pub(super) region: &'a str,
    /// The stack's name.
    pub(super) stack: &'a str,
    /// The resource's logical id.
    pub(super) id: &'a str,
}

impl Naming<'_> {
    /// A name as `CloudFormation` makes it: stack, logical id and twelve letters and digits.
    pub(super) fn name(&self) -> String {
        format!("{}-{}-{}", self.stack, self.id, self.letters(12).to_uppercase())
    }

    /// The same for what has a short limit (64 characters for functions, roles and rules, 80 for queues, 128 for policies):
    /// both names cut short, as `CloudFormation` does with the names of stacks nested in stacks.
    pub(super) fn short_name(&self) -> String {
        let cut = |text: &str| text.chars().take(24).collect::<String>();
        format!("{}-{}-{}", cut(self.stack), cut(self.id), self.letters(12).to_uppercase())
    }

    /// An id of lower-case letters and digits, at most 32.
    pub(super) fn letters(&self, length: usize) -> String {
        const ALPHABET: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
        self.digest().iter().take(length).map(|byte| char::from(ALPHABET[usize::from(*byte) % 36])).collect()
    }

    /// An id that looks like a UUID.
    pub(super) fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        bytes.copy_from_slice(&self.digest()[..16]);
        uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
    }

    /// An ARN in this region and account.
    pub(super) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}:{}:{ACCOUNT}:{resource}", partition(self.region), self.region)
    }

    /// An ARN of a service without regions.
    pub(super) fn global_arn(&self, service: &str, resource: &str) -> String {
        format!("arn:{}:{service}::{ACCOUNT}:{resource}", partition(self.region))
    }

    fn digest(&self) -> [u8; 32] {
        Sha256::digest(format!("{}/{}", self.stack, self.id)).into()
    }
}

/// The partition that a region is in.
pub(super) fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The domain that a region's endpoints are in.
pub(super) fn url_suffix(region: &str) -> &'static str {
    if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" }
}
