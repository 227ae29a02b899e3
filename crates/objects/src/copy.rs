//! The copy of a verified file to its place, with a SHA-256 checksum that S3 computes.

use std::collections::BTreeMap;

use aws_sdk_s3::types::{
    ChecksumAlgorithm, ChecksumMode, CompletedMultipartUpload, CompletedPart, MetadataDirective,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::timeout::TimeoutConfig;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::time::Duration;
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Error, Objects};

/// How large objects are copied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CopyLimits {
    /// The largest object, in bytes, that is copied by one request.
    pub single: u64,
    /// The parts, in bytes, of a larger one: at least 5 MiB.
    pub part: u64,
}

impl Default for CopyLimits {
    /// The most that S3 copies by one request (<https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>), and parts
    /// that it copies in some seconds.
    fn default() -> Self {
        Self { single: 5 * 1024 * 1024 * 1024, part: 1024 * 1024 * 1024 }
    }
}

/// Parts that are copied at the same time.
const MAX_PARALLEL: usize = 4;

/// S3 answers when all is copied: 5 GB take most of a minute.
const COPY_DEADLINE: Duration = Duration::from_mins(1);

/// The copy's metadata that names the version that it was made of.
const SOURCE: &str = "source-etag";

/// All but `/` that needs no encoding in the header `x-amz-copy-source`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A file at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// As S3 states it: the SHA-256 in base64; above 5 GB that of the parts' checksums with the number of parts, `...-6`
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>).
    pub sha256: String,
    /// In bytes.
    pub size: u64,
}

/// The version that is copied.
#[derive(Clone, Debug)]
struct Source {
    key: String,
    etag: String,
    size: u64,
    modified: Option<DateTime>,
}

impl Objects {
    /// Copies an object within the bucket. None: `until` has passed before all parts were copied; the next call continues. A
    /// repeated call finds the copy and makes no other.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when S3 does not answer or rejects it.
    pub async fn copy(&self, from: &str, to: &str, until: Instant) -> Result<Option<Copied>, Error> {
        let head =
            self.client.head_object().bucket(&self.bucket).key(from).send().await.map_err(Error::s3)?;
        let source = Source {
            key: from.to_owned(),
            etag: head.e_tag().ok_or(Error::Unexpected("an object has no ETag"))?.to_owned(),
            size: head.content_length().and_then(|it| u64::try_from(it).ok()).unwrap_or_default(),
            modified: head.last_modified().copied(),
        };
        if let Some(copied) = self.copied(&source, to).await? {
            return Ok(Some(copied));
        }
        let sha256 = if source.size > self.copy_limits.single {
            match self.copy_parts(&source, to, until).await? {
                Some(sha256) => sha256,
                None => return Ok(None),
            }
        } else {
            self.copy_at_once(&source, to).await?
        };
        Ok(Some(Copied { sha256, size: source.size }))
    }

    /// The copy, if there is one of this version.
    async fn copied(&self, source: &Source, to: &str) -> Result<Option<Copied>, Error> {
        let head =
            self.client.head_object().bucket(&self.bucket).key(to).checksum_mode(ChecksumMode::Enabled);
        let head = match head.send().await.map_err(Error::s3) {
            Ok(head) => head,
            Err(Error::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let made_of = head.metadata().and_then(|it| it.get(SOURCE));
        let size = head.content_length().and_then(|it| u64::try_from(it).ok());
        Ok(match head.checksum_sha256() {
            Some(sha256) if made_of == Some(&source.plain_etag()) && size == Some(source.size) => {
                Some(Copied { sha256: sha256.to_owned(), size: source.size })
            }
            _ => None,
        })
    }

    async fn copy_at_once(&self, source: &Source, to: &str) -> Result<String, Error> {
        let answer = self
            .client
            .copy_object()
            .bucket(&self.bucket)
            .key(to)
            .copy_source(self.source(source))
            .copy_source_if_match(&source.etag)
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata_directive(MetadataDirective::Replace)
            .metadata(SOURCE, source.plain_etag())
            .content_type("video/mp4")
            .customize()
            .config_override(aws_sdk_s3::config::Builder::default().timeout_config(copy_timeout()))
            .send()
            .await
            .map_err(Error::s3)?;
        let sha256 = answer.copy_object_result().and_then(|it| it.checksum_sha256());
        Ok(sha256.ok_or(Error::Unexpected("a copy has no checksum"))?.to_owned())
    }

    async fn copy_parts(&self, source: &Source, to: &str, until: Instant) -> Result<Option<String>, Error> {
        let upload = match self.open_upload(source, to).await? {
            Some(upload) => upload,
            None => self.new_upload(source, to).await?,
        };
        let mut parts = self.parts(to, &upload).await?;
        let count = i32::try_from(source.size.div_ceil(self.copy_limits.part))
            .map_err(|_| Error::Unexpected("an object has too many parts"))?;
        let mut missing = (1..=count).filter(|it| !parts.contains_key(it)).collect::<Vec<_>>().into_iter();
        let mut running = JoinSet::new();
        loop {
            while running.len() < MAX_PARALLEL
                && Instant::now() < until
                && let Some(number) = missing.next()
            {
                let (objects, source) = (self.clone(), source.clone());
                let (to, upload) = (to.to_owned(), upload.clone());
                running.spawn(async move { objects.copy_part(&source, &to, &upload, number).await });
            }
            let Some(done) = running.join_next().await else { break };
            let part =
                done.map_err(|error| Error::Unavailable { backend: "s3", source: Box::new(error) })??;
            parts.insert(part.part_number().unwrap_or_default(), part);
        }
        if missing.next().is_some() {
            return Ok(None);
        }
        let parts =
            CompletedMultipartUpload::builder().set_parts(Some(parts.into_values().collect())).build();
        let complete = self.client.complete_multipart_upload().bucket(&self.bucket).key(to).upload_id(upload);
        let complete = complete
            .multipart_upload(parts)
            .customize()
            .config_override(aws_sdk_s3::config::Builder::default().timeout_config(copy_timeout()));
        let answer = complete.send().await.map_err(Error::s3)?;
        let sha256 = answer.checksum_sha256().ok_or(Error::Unexpected("a copy has no checksum"))?;
        Ok(Some(sha256.to_owned()))
    }

    /// The upload that an earlier call began. One that is older than the source is of another one.
    async fn open_upload(&self, source: &Source, to: &str) -> Result<Option<String>, Error> {
        let list = self.client.list_multipart_uploads().bucket(&self.bucket).prefix(to);
        let mut found = None;
        for upload in list.send().await.map_err(Error::s3)?.uploads() {
            let (Some(key), Some(id)) = (upload.key(), upload.upload_id()) else { continue };
            if key != to {
                continue;
            }
            if found.is_none() && upload.initiated() > source.modified.as_ref() {
                found = Some(id.to_owned());
                continue;
            }
            let abort = self.client.abort_multipart_upload().bucket(&self.bucket).key(to).upload_id(id);
            match abort.send().await.map_err(Error::s3) {
                Ok(_) | Err(Error::NotFound) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }

    async fn new_upload(&self, source: &Source, to: &str) -> Result<String, Error> {
        let create = self.client.create_multipart_upload().bucket(&self.bucket).key(to);
        let create = create
            .checksum_algorithm(ChecksumAlgorithm::Sha256)
            .metadata(SOURCE, source.plain_etag())
            .content_type("video/mp4");
        let answer = create.send().await.map_err(Error::s3)?;
        Ok(answer.upload_id().ok_or(Error::Unexpected("an upload has no id"))?.to_owned())
    }

    /// The parts that are there.
    async fn parts(&self, to: &str, upload: &str) -> Result<BTreeMap<i32, CompletedPart>, Error> {
        let list = self.client.list_parts().bucket(&self.bucket).key(to).upload_id(upload);
        let mut pages = list.into_paginator().send();
        let mut found = BTreeMap::new();
        while let Some(page) = pages.next().await {
            for part in page.map_err(Error::s3)?.parts() {
                let number = part.part_number().unwrap_or_default();
                found.insert(number, completed(number, part.e_tag(), part.checksum_sha256()));
            }
        }
        Ok(found)
    }

    async fn copy_part(
        &self,
        source: &Source,
        to: &str,
        upload: &str,
        number: i32,
    ) -> Result<CompletedPart, Error> {
        let len = self.copy_limits.part;
        let first = u64::from(number.unsigned_abs() - 1) * len;
        let last = (first + len).min(source.size) - 1;
        let answer = self
            .client
            .upload_part_copy()
            .bucket(&self.bucket)
            .key(to)
            .upload_id(upload)
            .part_number(number)
            .copy_source(self.source(source))
            .copy_source_if_match(&source.etag)
            .copy_source_range(format!("bytes={first}-{last}"))
            .customize()
            .config_override(aws_sdk_s3::config::Builder::default().timeout_config(copy_timeout()))
            .send()
            .await
            .map_err(Error::s3)?;
        let part = answer.copy_part_result().ok_or(Error::Unexpected("a part has no result"))?;
        Ok(completed(number, part.e_tag(), part.checksum_sha256()))
    }

    fn source(&self, source: &Source) -> String {
        format!("{}/{}", self.bucket, utf8_percent_encode(&source.key, ENCODED))
    }
}

impl Source {
    /// Without quotation marks, which metadata would have to encode.
    fn plain_etag(&self) -> String {
        self.etag.trim_matches('"').to_owned()
    }
}

fn completed(number: i32, etag: Option<&str>, sha256: Option<&str>) -> CompletedPart {
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(etag.map(str::to_owned))
        .set_checksum_sha256(sha256.map(str::to_owned))
        .build()
}

fn copy_timeout() -> TimeoutConfig {
    TimeoutConfig::builder().operation_timeout(COPY_DEADLINE).build()
}
