//! `CopyObject`.

use s3s::dto::{
    ChecksumType, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, CopySourceIfMatch,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{MAX_COPIED_BYTES, Object, Operations, etag, is_met, opaque_etag, sha256};
use crate::s3::content::base64;
use crate::s3::store::{NewObject, ObjectHeaders};

impl Operations {
    pub(super) async fn copy(
        &self,
        req: &S3Request<CopyObjectInput>,
    ) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = &req.input;
        let source = self.source(req, &input.copy_source, input.copy_source_if_match.as_ref())?;
        if source.size() > MAX_COPIED_BYTES {
            return Err(s3_error!(
                InvalidRequest,
                "The specified copy source is larger than the maximum allowable size for a copy source: 5368709120"
            ));
        }
        let mut headers = source.headers.clone();
        if input.metadata_directive.as_ref().is_some_and(|it| it.as_str() == "REPLACE") {
            headers = ObjectHeaders {
                content_type: input.content_type.clone(),
                content_encoding: input.content_encoding.clone(),
                content_disposition: input.content_disposition.clone(),
                content_language: input.content_language.clone(),
                cache_control: input.cache_control.clone(),
                metadata: input.metadata.clone().unwrap_or_default().into_iter().collect(),
                ..ObjectHeaders::default()
            };
        }
        headers.encryption = input.server_side_encryption.as_ref().map(|it| it.as_str().to_owned());
        headers.encryption_key.clone_from(&input.ssekms_key_id);
        let key = self.store.key(&input.bucket, &headers);
        self.check_key(req, "kms:GenerateDataKey", (&input.bucket, &input.key), key.as_deref())?;
        let wants = input.checksum_algorithm.as_ref().is_some_and(|it| it.as_str() == "SHA256");
        let sha256 = if wants || source.sha256.is_some() {
            Some(base64(&sha256(&source.content).await?))
        } else {
            None
        };
        let new = NewObject {
            content: source.content.clone(),
            headers,
            // Of a copy of parts it is another, because the copy has none.
            etag: if source.etag.contains('-') { opaque_etag() } else { source.etag.clone() },
            sha256,
            hold: self.check_lock(&input.bucket, input.object_lock_legal_hold_status.as_ref())?,
        };
        let object = self.store.put(&input.bucket, &input.key, new);
        let object = object.ok_or_else(|| s3_error!(NoSuchBucket))?;
        let result = CopyObjectResult {
            checksum_type: object.sha256.as_ref().map(|_| ChecksumType::from_static("FULL_OBJECT")),
            checksum_sha256: object.sha256.clone(),
            e_tag: Some(etag(&object)),
            last_modified: Some(object.modified.into()),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            server_side_encryption: object.headers.encryption.clone().map(Into::into),
            ssekms_key_id: object.headers.encryption_key.clone(),
            version_id: self.answered_version(&input.bucket, &object),
            ..CopyObjectOutput::default()
        }))
    }

    /// The source of a copy, if it is still the one that is meant.
    pub(super) fn source<T>(
        &self,
        req: &S3Request<T>,
        source: &CopySource,
        if_match: Option<&CopySourceIfMatch>,
    ) -> S3Result<std::sync::Arc<Object>> {
        let CopySource::Bucket { bucket, key: object, version_id } = source else {
            return Err(s3_error!(NotImplemented));
        };
        let source = self.find(req, bucket, object, version_id.as_deref())?;
        if if_match.is_some_and(|it| !is_met(it, &source)) {
            return Err(s3_error!(PreconditionFailed));
        }
        self.check_key(req, "kms:Decrypt", (bucket, object), source.headers.encryption_key.as_deref())?;
        Ok(source)
    }
}
