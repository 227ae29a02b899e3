//! `PutObject`.

use s3s::dto::{ETagCondition, ObjectLockLegalHoldStatus, PutObjectInput, PutObjectOutput, StreamingBlob};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Operations, Principal, etag, sha256};
use crate::s3::content::{Content, base64};
use crate::s3::store::{NewObject, ObjectHeaders};

impl Operations {
    pub(super) async fn put(
        &self,
        mut req: S3Request<PutObjectInput>,
    ) -> S3Result<S3Response<PutObjectOutput>> {
        let (content, md5) = receive(req.input.body.take()).await?;
        self.check_put(&req.input)?;
        let principal = req.extensions.get::<Principal>().cloned();
        let input = req.input;
        let wants = input.checksum_algorithm.as_ref().is_some_and(|it| it.as_str() == "SHA256");
        let sha256 = checked(&content, wants, input.checksum_sha256.as_deref()).await?;
        let hold = self.check_lock(&input.bucket, input.object_lock_legal_hold_status.as_ref())?;
        let headers = ObjectHeaders {
            content_type: input.content_type,
            content_encoding: input.content_encoding,
            content_disposition: input.content_disposition,
            content_language: input.content_language,
            cache_control: input.cache_control,
            metadata: input.metadata.unwrap_or_default().into_iter().collect(),
            encryption: input.server_side_encryption.map(|it| it.as_str().to_owned()),
            encryption_key: input.ssekms_key_id,
        };
        let key = self.store.key(&input.bucket, &headers);
        self.gate.check_key(principal.as_ref(), "kms:GenerateDataKey", key.as_deref())?;
        let sha256 = sha256.map(|it| base64(&it));
        let new = NewObject { content, headers, etag: md5, sha256, hold };
        let object = self.store.put(&input.bucket, &input.key, new);
        let object = object.ok_or_else(|| s3_error!(NoSuchBucket))?;
        Ok(S3Response::new(PutObjectOutput {
            checksum_sha256: object.sha256.clone(),
            e_tag: Some(etag(&object)),
            server_side_encryption: object.headers.encryption.clone().map(Into::into),
            ssekms_key_id: object.headers.encryption_key.clone(),
            version_id: self.answered_version(&input.bucket, &object),
            ..PutObjectOutput::default()
        }))
    }

    /// `If-Match` and `If-None-Match` of what is put.
    fn check_put(&self, input: &PutObjectInput) -> S3Result<()> {
        let there = self.store.get(&input.bucket, &input.key, None);
        match (&input.if_match, &there) {
            (Some(_), None) => return Err(s3_error!(NoSuchKey)),
            (Some(ETagCondition::ETag(etag)), Some(object)) if etag.value() != object.etag => {
                return Err(s3_error!(PreconditionFailed));
            }
            _ => {}
        }
        if input.if_none_match.is_some() && there.is_some() {
            return Err(s3_error!(PreconditionFailed));
        }
        Ok(())
    }

    /// Whether what is put is to be under legal hold, which needs a bucket with object lock.
    pub(super) fn check_lock(
        &self,
        bucket: &str,
        status: Option<&ObjectLockLegalHoldStatus>,
    ) -> S3Result<bool> {
        match status {
            Some(_) if !self.store.can_lock(bucket) => {
                Err(s3_error!(InvalidRequest, "Bucket is missing Object Lock Configuration"))
            }
            status => Ok(status.is_some_and(|it| it.as_str() == "ON")),
        }
    }
}

/// A body, with its MD5 in hex.
pub(super) async fn receive(body: Option<StreamingBlob>) -> S3Result<(Content, String)> {
    let body = body.unwrap_or_else(|| StreamingBlob::from(s3s::Body::empty()));
    Content::receive(body).await.map_err(|_| s3_error!(IncompleteBody))
}

/// The SHA-256, if it is wanted or was sent; then it must be right.
pub(super) async fn checked(
    content: &Content,
    wanted: bool,
    sent: Option<&str>,
) -> S3Result<Option<[u8; 32]>> {
    if !wanted && sent.is_none() {
        return Ok(None);
    }
    let digest = sha256(content).await?;
    if sent.is_some_and(|sent| sent != base64(&digest)) {
        return Err(s3_error!(BadDigest, "The SHA256 you specified did not match the calculated checksum."));
    }
    Ok(Some(digest))
}
