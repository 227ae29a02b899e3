//! Signed links to recordings.
//!
//! They are signed by credentials of a role of their own, taken for each request with a session policy that opens exactly these
//! objects: those of the function itself carry no expiry that is known, and would sign any object.

use aws_sdk_s3::config::Credentials;
use aws_sdk_s3::presigning::PresigningConfig;
use aws_types::SdkConfig;
use serde_json::json;
use time::OffsetDateTime;

use crate::Error;
use crate::credentials::{LIFE, Role};

/// The greatest session policy (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const MAX_POLICY_CHARACTERS: usize = 2048;

/// A request to play, or to save, an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Playable<'a> {
    pub key: &'a str,
    /// The name under which a browser saves it; `None`: the browser plays it.
    pub download_name: Option<&'a str>,
}

/// A signed link.
#[derive(Clone, PartialEq, Eq)]
pub struct Link {
    pub url: String,
}

/// Links, in the order in which they were asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Links {
    pub links: Vec<Link>,
    /// After it none of them works.
    pub expires_at: OffsetDateTime,
}

/// A link admits its holder.
impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Link(..)")
    }
}

/// Signs links. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PlaybackLinks {
    sdk: SdkConfig,
    role: Role,
    bucket: String,
}

impl PlaybackLinks {
    /// Links to objects of a bucket, signed as the role of this ARN.
    #[must_use]
    pub fn new(sdk: &SdkConfig, role: &str, bucket: &str) -> Self {
        Self { sdk: sdk.clone(), role: Role::new(sdk, role), bucket: bucket.to_owned() }
    }

    /// Signs a link to each object, whether it exists or not. One request, and another for each 15 objects or so that a policy does
    /// not hold. `session` names the requests in the logs of S3 and `CloudTrail`: letters, digits and `-`, at most 64.
    ///
    /// # Errors
    /// When STS does not answer or rejects it, or a key or name has characters that a policy or a header would read otherwise.
    pub async fn sign(&self, session: &str, objects: &[Playable<'_>]) -> Result<Links, Error> {
        let mut found = Links { links: Vec::new(), expires_at: OffsetDateTime::now_utc() + LIFE };
        let mut rest = objects;
        while !rest.is_empty() {
            let (now, policy) = self.batch(rest)?;
            let (credentials, expires_at) = self.role.assume(session, Some(policy)).await?;
            found.expires_at = found.expires_at.min(expires_at);
            let client = self.client(credentials);
            for object in &rest[..now] {
                found.links.push(self.link(&client, object).await?);
            }
            rest = &rest[now..];
        }
        Ok(found)
    }

    /// How many of these objects one policy holds, at least one, and the policy.
    fn batch(&self, objects: &[Playable<'_>]) -> Result<(usize, String), Error> {
        if objects.iter().any(|it| {
            !is_plain(it.key, b"/-_.") || it.download_name.is_some_and(|name| !is_plain(name, b"-_."))
        }) {
            return Err(Error::Unexpected("a key or a name has other characters than those of ids"));
        }
        let mut count = objects.len();
        loop {
            let policy = self.policy(&objects[..count]);
            if policy.len() <= MAX_POLICY_CHARACTERS || count == 1 {
                return Ok((count, policy));
            }
            count -= 1;
        }
    }

    fn policy(&self, objects: &[Playable<'_>]) -> String {
        let region = self.sdk.region().map_or("", AsRef::as_ref);
        let partition = match region {
            it if it.starts_with("cn-") => "aws-cn",
            it if it.starts_with("us-gov-") => "aws-us-gov",
            _ => "aws",
        };
        let arn = |it: &Playable<'_>| format!("arn:{partition}:s3:::{}/{}", self.bucket, it.key);
        let resources: Vec<String> = objects.iter().map(arn).collect();
        json!({
            "Version": "2012-10-17",
            "Statement": [
                { "Effect": "Allow", "Action": "s3:GetObject", "Resource": resources },
                // S3 decrypts in the name of the caller; the role's own policy names the key.
                { "Effect": "Allow", "Action": "kms:Decrypt", "Resource": "*",
                  "Condition": { "StringEquals": { "kms:ViaService": format!("s3.{region}.amazonaws.com") } } },
            ],
        })
        .to_string()
    }

    fn client(&self, credentials: Credentials) -> aws_sdk_s3::Client {
        let config = aws_sdk_s3::config::Builder::from(&self.sdk)
            .credentials_provider(credentials)
            .response_checksum_validation(aws_sdk_s3::config::ResponseChecksumValidation::WhenRequired)
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    async fn link(&self, client: &aws_sdk_s3::Client, object: &Playable<'_>) -> Result<Link, Error> {
        let disposition = object
            .download_name
            .map_or_else(|| "inline".to_owned(), |name| format!("attachment; filename=\"{name}\""));
        let life = PresigningConfig::expires_in(LIFE).map_err(|_| Error::Unexpected("a life is too long"))?;
        let get = client
            .get_object()
            .bucket(&self.bucket)
            .key(object.key)
            .response_content_disposition(disposition)
            .response_content_type("video/mp4")
            .response_cache_control("private, no-store");
        let signed = get.presigned(life).await.map_err(Error::s3)?;
        Ok(Link { url: signed.uri().to_owned() })
    }
}

/// Letters, digits and these characters alone: nothing that a policy takes for a pattern, or a header for its end.
fn is_plain(text: &str, also: &[u8]) -> bool {
    !text.is_empty() && text.bytes().all(|it| it.is_ascii_alphanumeric() || also.contains(&it))
}
