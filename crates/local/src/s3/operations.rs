//! The operations that are known; `s3s` answers `NotImplemented` to the others.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;
use s3s::dto::{
    CommonPrefix, CopyObjectInput, CopyObjectOutput, CopyObjectResult, CopySource, DeleteObjectInput,
    DeleteObjectOutput, DeleteObjectsInput, DeleteObjectsOutput, DeletedObject, ETag, ETagCondition,
    GetObjectInput, GetObjectOutput, HeadBucketInput, HeadBucketOutput, HeadObjectInput, HeadObjectOutput,
    ListObjectsV2Input, ListObjectsV2Output, PutObjectInput, PutObjectOutput, Range, StreamingBlob,
    Timestamp,
};
use s3s::{S3, S3Request, S3Response, S3Result, s3_error};

use super::gate::{self, Gate, Principal};
use super::store::{Object, ObjectHeaders, Store};

/// The maximum number of keys in a listing.
const MAX_PAGE: i32 = 1000;

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
        let same = |condition: &ETagCondition| match condition {
            ETagCondition::Any => true,
            ETagCondition::ETag(etag) => etag.value() == object.etag,
        };
        if self.matches.as_ref().is_some_and(|it| !same(it)) {
            return Err(s3_error!(PreconditionFailed));
        }
        // With both, the date is not looked at.
        let unchanged = match (&self.matches_not, &self.modified_since) {
            (Some(condition), _) => same(condition),
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
        if !self.store.has(bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let found = self.store.get(bucket, key, version);
        found.ok_or_else(|| gate::missing(self.gate.may_list(request.extensions.get::<Principal>(), bucket)))
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
}

fn range(wanted: Option<&Range>, object: &Object) -> S3Result<(Bytes, Option<String>)> {
    let Some(wanted) = wanted else { return Ok((object.bytes.clone(), None)) };
    let whole = object.bytes.len();
    let found = wanted.check(whole as u64).map_err(|_| s3_error!(InvalidRange))?;
    let (from, to) = (usize::try_from(found.start), usize::try_from(found.end));
    let (Ok(from), Ok(to)) = (from, to) else { return Err(s3_error!(InvalidRange)) };
    let text = format!("bytes {from}-{}/{whole}", to.saturating_sub(1));
    Ok((object.bytes.slice(from..to), Some(text)))
}

fn length(bytes: &Bytes) -> Option<i64> {
    i64::try_from(bytes.len()).ok()
}

fn etag(object: &Object) -> ETag {
    ETag::Strong(object.etag.clone())
}

fn metadata(object: &Object) -> Option<s3s::dto::Metadata> {
    let all = &object.headers.metadata;
    (!all.is_empty()).then(|| all.iter().map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn content_type(object: &Object) -> String {
    object.headers.content_type.clone().unwrap_or_else(|| "binary/octet-stream".to_owned())
}

#[async_trait::async_trait]
impl S3 for Operations {
    async fn put_object(&self, mut req: S3Request<PutObjectInput>) -> S3Result<S3Response<PutObjectOutput>> {
        let body = match req.input.body.take() {
            Some(body) => {
                s3s::Body::from(body).collect().await.map_err(|_| s3_error!(IncompleteBody))?.to_bytes()
            }
            None => Bytes::new(),
        };
        self.check_put(&req.input)?;
        let input = req.input;
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
        let object = self.store.put(&input.bucket, &input.key, body, headers);
        let object = object.ok_or_else(|| s3_error!(NoSuchBucket))?;
        Ok(S3Response::new(PutObjectOutput {
            e_tag: Some(etag(&object)),
            server_side_encryption: object.headers.encryption.clone().map(Into::into),
            ssekms_key_id: object.headers.encryption_key.clone(),
            version_id: Some(object.version.clone()),
            ..PutObjectOutput::default()
        }))
    }

    async fn get_object(&self, req: S3Request<GetObjectInput>) -> S3Result<S3Response<GetObjectOutput>> {
        let input = &req.input;
        let object = self.find(&req, &input.bucket, &input.key, input.version_id.as_deref())?;
        let conditions = Conditions {
            matches: input.if_match.clone(),
            matches_not: input.if_none_match.clone(),
            modified_since: input.if_modified_since.clone(),
        };
        conditions.check(&object)?;
        let (bytes, content_range) = range(input.range.as_ref(), &object)?;
        let headers = &object.headers;
        Ok(S3Response::new(GetObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: length(&bytes),
            body: Some(StreamingBlob::from(s3s::Body::from(bytes))),
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
            server_side_encryption: headers.encryption.clone().map(Into::into),
            ssekms_key_id: headers.encryption_key.clone(),
            version_id: Some(object.version.clone()),
            ..GetObjectOutput::default()
        }))
    }

    async fn head_object(&self, req: S3Request<HeadObjectInput>) -> S3Result<S3Response<HeadObjectOutput>> {
        let input = &req.input;
        let object = self.find(&req, &input.bucket, &input.key, input.version_id.as_deref())?;
        let conditions = Conditions {
            matches: input.if_match.clone(),
            matches_not: input.if_none_match.clone(),
            modified_since: input.if_modified_since.clone(),
        };
        conditions.check(&object)?;
        let headers = &object.headers;
        Ok(S3Response::new(HeadObjectOutput {
            accept_ranges: Some("bytes".to_owned()),
            content_length: length(&object.bytes),
            cache_control: headers.cache_control.clone(),
            content_disposition: headers.content_disposition.clone(),
            content_encoding: headers.content_encoding.clone(),
            content_language: headers.content_language.clone(),
            content_type: Some(content_type(&object)),
            e_tag: Some(etag(&object)),
            last_modified: Some(object.modified.into()),
            metadata: metadata(&object),
            server_side_encryption: headers.encryption.clone().map(Into::into),
            ssekms_key_id: headers.encryption_key.clone(),
            version_id: Some(object.version.clone()),
            ..HeadObjectOutput::default()
        }))
    }

    async fn copy_object(&self, req: S3Request<CopyObjectInput>) -> S3Result<S3Response<CopyObjectOutput>> {
        let input = &req.input;
        let CopySource::Bucket { bucket, key, version_id } = &input.copy_source else {
            return Err(s3_error!(NotImplemented));
        };
        let source = self.find(&req, bucket, key, version_id.as_deref())?;
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
        let object = self.store.put(&input.bucket, &input.key, source.bytes.clone(), headers);
        let object = object.ok_or_else(|| s3_error!(NoSuchBucket))?;
        let result = CopyObjectResult {
            e_tag: Some(etag(&object)),
            last_modified: Some(object.modified.into()),
            ..CopyObjectResult::default()
        };
        Ok(S3Response::new(CopyObjectOutput {
            copy_object_result: Some(result),
            version_id: Some(object.version.clone()),
            ..CopyObjectOutput::default()
        }))
    }

    async fn delete_object(
        &self,
        req: S3Request<DeleteObjectInput>,
    ) -> S3Result<S3Response<DeleteObjectOutput>> {
        let input = req.input;
        if !self.store.has(&input.bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let marker = self.store.delete(&input.bucket, &input.key, input.version_id.as_deref());
        Ok(S3Response::new(DeleteObjectOutput {
            delete_marker: marker.as_ref().map(|_| true),
            version_id: marker.or(input.version_id),
            ..DeleteObjectOutput::default()
        }))
    }

    async fn delete_objects(
        &self,
        req: S3Request<DeleteObjectsInput>,
    ) -> S3Result<S3Response<DeleteObjectsOutput>> {
        let input = &req.input;
        if !self.store.has(&input.bucket) {
            return Err(s3_error!(NoSuchBucket));
        }
        let (mut deleted, mut errors) = (Vec::new(), Vec::new());
        for object in &input.delete.objects {
            let need = [gate::deletion(&input.bucket, &object.key, object.version_id.as_deref())];
            let principal = req.extensions.get::<Principal>();
            if principal.is_none_or(|it| self.gate.refused(it, &need).is_some()) {
                errors.push(s3s::dto::Error {
                    code: Some("AccessDenied".to_owned()),
                    key: Some(object.key.clone()),
                    message: Some("Access Denied".to_owned()),
                    version_id: object.version_id.clone(),
                });
                continue;
            }
            let marker = self.store.delete(&input.bucket, &object.key, object.version_id.as_deref());
            deleted.push(DeletedObject {
                key: Some(object.key.clone()),
                delete_marker: marker.as_ref().map(|_| true),
                delete_marker_version_id: marker,
                version_id: object.version_id.clone(),
            });
        }
        let quiet = input.delete.quiet.unwrap_or(false);
        Ok(S3Response::new(DeleteObjectsOutput {
            deleted: (!quiet).then_some(deleted),
            errors: Some(errors),
            ..DeleteObjectsOutput::default()
        }))
    }

    async fn head_bucket(&self, req: S3Request<HeadBucketInput>) -> S3Result<S3Response<HeadBucketOutput>> {
        if self.store.has(&req.input.bucket) {
            Ok(S3Response::new(HeadBucketOutput::default()))
        } else {
            Err(s3_error!(NoSuchBucket))
        }
    }

    async fn list_objects_v2(
        &self,
        req: S3Request<ListObjectsV2Input>,
    ) -> S3Result<S3Response<ListObjectsV2Output>> {
        let input = req.input;
        let prefix = input.prefix.clone().unwrap_or_default();
        let all = self.store.list(&input.bucket, &prefix).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let most = input.max_keys.unwrap_or(MAX_PAGE).clamp(0, MAX_PAGE);
        // A page goes on after the last key of the one before; the token is that key.
        let after =
            input.continuation_token.clone().or_else(|| input.start_after.clone()).unwrap_or_default();
        let (mut contents, mut prefixes): (Vec<s3s::dto::Object>, Vec<String>) = (Vec::new(), Vec::new());
        let (mut last, mut truncated) = (String::new(), false);
        for (key, object) in all.into_iter().filter(|(key, _)| *key > after) {
            let below = input.delimiter.as_deref().filter(|it| !it.is_empty()).and_then(|delimiter| {
                let end = key[prefix.len()..].find(delimiter)? + prefix.len() + delimiter.len();
                Some(key[..end].to_owned())
            });
            if below.is_some()
                && (below.as_ref() == prefixes.last()
                    || below.as_ref().is_some_and(|it| after.starts_with(it)))
            {
                last = key;
                continue;
            }
            if i32::try_from(contents.len() + prefixes.len()).unwrap_or(i32::MAX) >= most {
                truncated = true;
                break;
            }
            match below {
                Some(below) => prefixes.push(below),
                None => contents.push(s3s::dto::Object {
                    e_tag: Some(etag(&object)),
                    key: Some(key.clone()),
                    last_modified: Some(object.modified.into()),
                    size: length(&object.bytes),
                    ..s3s::dto::Object::default()
                }),
            }
            last = key;
        }
        let count = i32::try_from(contents.len() + prefixes.len()).ok();
        let prefixes: Vec<CommonPrefix> =
            prefixes.into_iter().map(|it| CommonPrefix { prefix: Some(it) }).collect();
        Ok(S3Response::new(ListObjectsV2Output {
            name: Some(input.bucket),
            prefix: input.prefix,
            delimiter: input.delimiter,
            max_keys: Some(most),
            key_count: count,
            is_truncated: Some(truncated),
            next_continuation_token: truncated.then_some(last),
            continuation_token: input.continuation_token,
            start_after: input.start_after,
            contents: Some(contents),
            common_prefixes: Some(prefixes),
            ..ListObjectsV2Output::default()
        }))
    }
}
