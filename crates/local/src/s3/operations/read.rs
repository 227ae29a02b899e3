//! `GetObject` and `HeadObject`.

use s3s::dto::{
    ChecksumMode, ChecksumType, GetObjectInput, GetObjectOutput, HeadObjectInput, HeadObjectOutput,
    ObjectLockLegalHoldStatus, Range, StreamingBlob,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{Conditions, Object, Operations, etag, length};
use crate::s3::content::Content;

impl Operations {
    pub(super) fn get(&self, req: &S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &req.input;
        let object = self.find(req, &input.bucket, &input.key, input.version_id.as_deref())?;
        let conditions = Conditions {
            matches: input.if_match.clone(),
            matches_not: input.if_none_match.clone(),
            modified_since: input.if_modified_since.clone(),
        };
        conditions.check(&object)?;
        self.check_key(req, "kms:Decrypt", object.headers.encryption_key.as_deref())?;
        let (content, content_range) = range(input.range.as_ref(), &object)?;
        let headers = &object.headers;
        // A range has no checksum.
        let checked = is_enabled(input.checksum_mode.as_ref()) && content_range.is_none();
        let checksum = object.sha256.clone().filter(|_| checked);
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            checksum_type: checksum.as_deref().map(checksum_type),
            checksum_sha256: checksum,
            content_length: length(&content),
            body: Some(StreamingBlob::wrap(content.stream())),
            content_range,
            // A presigned link may say how it wants to be answered.
            cache_control: input.response_cache_control.clone().or_else(|| headers.cache_control.clone()),
            content_disposition: input
                .response_content_disposition
                .clone()
                .or_else(|| headers.content_disposition.clone()),
            content_encoding: input
                .response_content_encoding
                .clone()
                .or_else(|| headers.content_encoding.clone()),
            content_language: input
                .response_content_language
                .clone()
                .or_else(|| headers.content_language.clone()),
            content_type: input.response_content_type.clone().or_else(|| Some(content_type(&object))),
            e_tag: Some(etag(&object)),
            last_modified: Some(object.modified.into()),
            metadata: metadata(&object),
            object_lock_legal_hold_status: self.hold_status(&input.bucket, &input.key, &object),
            server_side_encryption: headers.encryption.clone().map(Into::into),
            ssekms_key_id: headers.encryption_key.clone(),
            version_id: self.answered_version(&input.bucket, &object),
            ..GetObjectOutput::default()
        }))
    }

    pub(super) fn head(&self, req: &S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &req.input;
        let object = self.find(req, &input.bucket, &input.key, input.version_id.as_deref())?;
        let conditions = Conditions {
            matches: input.if_match.clone(),
            matches_not: input.if_none_match.clone(),
            modified_since: input.if_modified_since.clone(),
        };
        conditions.check(&object)?;
        let headers = &object.headers;
        let checked = is_enabled(input.checksum_mode.as_ref());
        if checked {
            // Checksums are encrypted as well.
            self.check_key(req, "kms:Decrypt", headers.encryption_key.as_deref())?;
        }
        let checksum = object.sha256.clone().filter(|_| checked);
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            checksum_type: checksum.as_deref().map(checksum_type),
            checksum_sha256: checksum,
            content_length: length(&object.content),
            cache_control: headers.cache_control.clone(),
            content_disposition: headers.content_disposition.clone(),
            content_encoding: headers.content_encoding.clone(),
            content_language: headers.content_language.clone(),
            content_type: Some(content_type(&object)),
            e_tag: Some(etag(&object)),
            last_modified: Some(object.modified.into()),
            metadata: metadata(&object),
            object_lock_legal_hold_status: self.hold_status(&input.bucket, &input.key, &object),
            server_side_encryption: headers.encryption.clone().map(Into::into),
            ssekms_key_id: headers.encryption_key.clone(),
            version_id: self.answered_version(&input.bucket, &object),
            ..HeadObjectOutput::default()
        }))
    }

    /// None in a bucket without object lock.
    fn hold_status(&self, bucket: &str, key: &str, object: &Object) -> Option<ObjectLockLegalHoldStatus> {
        let held = self.store.hold(bucket, key, Some(&object.version)).ok()?;
        Some(ObjectLockLegalHoldStatus::from_static(if held { "ON" } else { "OFF" }))
    }
}

fn range(wanted: Option<&Range>, object: &Object) -> S3Result<(Content, Option<String>)> {
    let Some(wanted) = wanted else { return Ok((object.content.clone(), None)) };
    let whole = object.content.len();
    let found = wanted.check(whole).map_err(|_| s3_error!(InvalidRange))?;
    let text = format!("bytes {}-{}/{whole}", found.start, found.end.saturating_sub(1));
    Ok((object.content.slice(found), Some(text)))
}

fn is_enabled(mode: Option<&ChecksumMode>) -> bool {
    mode.is_some_and(|it| it.as_str() == "ENABLED")
}

/// A composite one ends with the number of parts.
fn checksum_type(sha256: &str) -> ChecksumType {
    ChecksumType::from_static(if sha256.contains('-') { "COMPOSITE" } else { "FULL_OBJECT" })
}

fn metadata(object: &Object) -> Option<s3s::dto::Metadata> {
    let all = &object.headers.metadata;
    (!all.is_empty()).then(|| all.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn content_type(object: &Object) -> String {
    object.headers.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())
}
