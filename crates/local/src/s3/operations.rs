//! The operations that are known; `s3s` answers `NotImplemented` to the others.

mod copy;
mod delete;
mod list;
mod lock;
mod parts;
mod read;
mod write;

use std::sync::Arc;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, CompleteMultipartUploadInput,
    CompleteMultipartUploadOutput, CopyObjectInput, CopyObjectOutput, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, DeleteObjectInput, DeleteObjectOutput, DeleteObjectsInput,
    DeleteObjectsOutput, ETag, ETagCondition, GetBucketPolicyInput, GetBucketPolicyOutput, GetObjectInput,
    GetObjectLegalHoldInput, GetObjectLegalHoldOutput, GetObjectOutput, HeadBucketInput, HeadBucketOutput,
    HeadObjectInput, HeadObjectOutput, ListMultipartUploadsInput, ListMultipartUploadsOutput,
    ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsV2Input, ListObjectsV2Output,
    ListPartsInput, ListPartsOutput, PutObjectInput, PutObjectLegalHoldInput, PutObjectLegalHoldOutput,
    PutObjectOutput, Timestamp, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput, UploadPartOutput,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::content::Content;
use super::gate::{self, Gate, Principal};
use super::store::{Object, Store, Version};

/// The maximum number of keys, versions, parts or uploads in a listing.
const MAX_PAGE: i32 = 1000;

/// The most bytes that are copied by one request, and the largest part.
const MAX_COPIED_BYTES: u64 = 5 * 1024 * 1024 * 1024;

pub(super) struct Operations {
    store: Arc<Store>,
    gate: Gate,
}

/// The conditions of a conditional request.
#[derive(Default)]
struct Conditions {
    matches: Option<ETagCondition>,
    matches_not: Option<ETagCondition>,
    modified_since: Option<Timestamp>,
}

impl Conditions {
    fn check(&self, object: &Object) -> S3Result<()> {
        if self.matches.as_ref().is_some_and(|it| !is_met(it, object)) {
            return Err(s3_error!(PreconditionFailed));
        }
        // With both, the date is not looked at.
        let unchanged = match (&self.matches_not, &self.modified_since) {
            (Some(condition), _) => is_met(condition, object),
            (None, Some(since)) => {
                time::OffsetDateTime::from(since.clone()).unix_timestamp() >= object.modified.unix_timestamp()
            }
            (None, None) => false,
        };
        if unchanged {
            let mut error = s3_error!(NotModified);
            let mut headers = http::HeaderMap::new();
            if let Ok(etag) = http::HeaderValue::try_from(format!("\"{}\"", object.etag)) {
                headers.insert(http::header::ETAG, etag);
            }
            if let Some(Ok(cached)) = object.headers.cache_control.as_ref().map(http::HeaderValue::try_from) {
                headers.insert(http::header::CACHE_CONTROL, cached);
            }
            error.set_headers(headers);
            return Err(error);
        }
        Ok(())
    }
}

fn is_met(condition: &ETagCondition, object: &Object) -> bool {
    match condition {
        ETagCondition::Any => true,
        ETagCondition::ETag(etag) => etag.value() == object.etag,
    }
}

impl Operations {
    pub(super) fn new(store: Arc<Store>, gate: Gate) -> Self {
        Self { store, gate }
    }

    fn find<T>(
        &self,
        request: &S3Request<T>,
        bucket: &str,
        key: &str,
        version: Option<&str>,
    ) -> S3Result<Arc<Object>> {
        self.check_bucket(bucket)?;
        match (self.store.version(bucket, key, version), version) {
            (Some(Version { object: Some(object), .. }), _) => Ok(object),
            (Some(_), Some(_)) => Err(s3_error!(MethodNotAllowed, "The version is a delete marker.")),
            (None, Some(_)) => Err(s3_error!(NoSuchVersion, "The specified version does not exist.")),
            (_, None) => {
                Err(gate::missing(self.gate.may_list(request.extensions.get::<Principal>(), bucket)))
            }
        }
    }

    fn check_bucket(&self, bucket: &str) -> S3Result<()> {
        if self.store.has(bucket) { Ok(()) } else { Err(s3_error!(NoSuchBucket)) }
    }

    /// Whether the caller may encrypt with the key of what is put, or decrypt with it.
    fn check_key<T>(&self, request: &S3Request<T>, action: &str, key: Option<&str>) -> S3Result<()> {
        self.gate.check_key(request.extensions.get::<Principal>(), action, key)
    }

    /// The version that an answer names: none in a bucket without versions.
    fn answered_version(&self, bucket: &str, object: &Object) -> Option<String> {
        self.store.is_versioned(bucket).then(|| object.version.clone())
    }
}

fn length(content: &Content) -> Option<i64> {
    i64::try_from(content.len()).ok()
}

fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

/// SHA-256, computed beside the requests of others.
async fn sha256(content: &Content) -> S3Result<[u8; 32]> {
    let content = content.clone();
    let digest = tokio::task::spawn_blocking(move || content.sha256()).await;
    digest.map_err(|_| s3_error!(InternalError))?.map_err(|_| s3_error!(InternalError))
}

/// An `ETag` that is not made of the bytes, as on S3 for what is encrypted with a key or has parts.
fn opaque_etag() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}

/// Each is in the file of its kind.
#[async_trait::async_trait]
impl S3 for Operations {
    async fn put_object(&self, req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        self.put(req).await
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        self.get(&req)
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        self.head(&req)
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        self.copy(&req).await
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        self.delete(req.input)
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        self.delete_all(&req)
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        self.check_bucket(&req.input.bucket)?;
        Ok(S3Response::new(HeadBucketOutput::default()))
    }

    async fn get_bucket_policy(
        &self,
        req: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        self.check_bucket(&req.input.bucket)?;
        let policy = self.gate.policy(&req.input.bucket);
        let policy =
            policy.ok_or_else(|| s3_error!(NoSuchBucketPolicy, "The bucket policy does not exist"))?;
        Ok(S3Response::new(GetBucketPolicyOutput { policy: Some(policy) }))
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        self.list(req.input)
    }

    async fn list_object_versions(
        &self,
        req: S3Request<ListObjectVersionsInput>,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        self.list_versions(req.input)
    }

    async fn get_object_legal_hold(
        &self,
        req: S3Request<GetObjectLegalHoldInput>,
    ) -> S3Result<S3Response<GetObjectLegalHoldOutput>> {
        self.get_hold(&req.input)
    }

    async fn put_object_legal_hold(
        &self,
        req: S3Request<PutObjectLegalHoldInput>,
    ) -> S3Result<S3Response<PutObjectLegalHoldOutput>> {
        self.put_hold(&req.input)
    }

    async fn create_multipart_upload(
        &self,
        req: S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        self.create_upload(&req)
    }

    async fn upload_part(&self, req: S3Request<UploadPartInput>) -> S3Result<S3Response<UploadPartOutput>> {
        self.put_part(req.input).await
    }

    async fn upload_part_copy(
        &self,
        req: S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        self.copy_part(&req).await
    }

    async fn complete_multipart_upload(
        &self,
        req: S3Request<CompleteMultipartUploadInput>,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        self.complete_upload(req.input)
    }

    async fn abort_multipart_upload(
        &self,
        req: S3Request<AbortMultipartUploadInput>,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.abort_upload(&req.input)
    }

    async fn list_parts(&self, req: S3Request<ListPartsInput>) -> S3Result<S3Response<ListPartsOutput>> {
        self.parts(req.input)
    }

    async fn list_multipart_uploads(
        &self,
        req: S3Request<ListMultipartUploadsInput>,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        self.uploads(req.input)
    }
}
