//! Uploads in parts.

use std::collections::BTreeMap;

use s3s::dto::{
    AbortMultipartUploadInput, AbortMultipartUploadOutput, ChecksumAlgorithm, ChecksumType,
    CompleteMultipartUploadInput, CompleteMultipartUploadOutput, CopyPartResult, CreateMultipartUploadInput,
    CreateMultipartUploadOutput, ETag, ListMultipartUploadsInput, ListMultipartUploadsOutput, ListPartsInput,
    ListPartsOutput, MultipartUpload, UploadPartCopyInput, UploadPartCopyOutput, UploadPartInput,
    UploadPartOutput,
};
use s3s::{S3Request, S3Response, S3Result, s3_error};

use super::{MAX_COPIED_BYTES, MAX_PAGE, Operations, etag, length, opaque_etag, write};
use crate::s3::content::base64;
use crate::s3::store::ObjectHeaders;
use crate::s3::uploads::{Part, Upload};

/// The least bytes of a part that is not the last.
const MIN_PART_BYTES: u64 = 5 * 1024 * 1024;

impl Operations {
    pub(super) fn create_upload(
        &self,
        req: &S3Request<CreateMultipartUploadInput>,
    ) -> S3Result<S3Response<CreateMultipartUploadOutput>> {
        let input = req.input.clone();
        let sha256 = input.checksum_algorithm.as_ref().is_some_and(|it| it.as_str() == "SHA256");
        let upload = Upload {
            key: input.key.clone(),
            at: self.store.now(),
            hold: self.check_lock(&input.bucket, input.object_lock_legal_hold_status.as_ref())?,
            headers: ObjectHeaders {
                content_type: input.content_type,
                content_encoding: input.content_encoding,
                content_disposition: input.content_disposition,
                content_language: input.content_language,
                cache_control: input.cache_control,
                metadata: input.metadata.unwrap_or_default().into_iter().collect(),
                encryption: input.server_side_encryption.map(|it| it.as_str().to_owned()),
                encryption_key: input.ssekms_key_id,
            },
            sha256,
            parts: BTreeMap::new(),
        };
        // Parts are decrypted to be joined.
        let key = self.store.key(&input.bucket, &upload.headers);
        self.check_key(req, "kms:GenerateDataKey", key.as_deref())?;
        self.check_key(req, "kms:Decrypt", key.as_deref())?;
        let id = opaque_etag();
        let inserted = self.store.with_uploads(&input.bucket, |all| all.insert(id.clone(), upload));
        inserted.ok_or_else(|| s3_error!(NoSuchBucket))?;
        Ok(S3Response::new(CreateMultipartUploadOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(id),
            checksum_algorithm: sha256.then(|| ChecksumAlgorithm::from_static("SHA256")),
            checksum_type: sha256.then(|| ChecksumType::from_static("COMPOSITE")),
            ..CreateMultipartUploadOutput::default()
        }))
    }

    pub(super) async fn put_part(
        &self,
        mut input: UploadPartInput,
    ) -> S3Result<S3Response<UploadPartOutput>> {
        let (content, md5) = write::receive(input.body.take()).await?;
        let wanted = self.upload(&input.bucket, &input.key, &input.upload_id)?.sha256;
        let sha256 = write::checked(&content, wanted, input.checksum_sha256.as_deref()).await?;
        let part = Part { content, etag: md5, sha256, at: self.store.now() };
        let (tag, sha256) = self.add_part(&input.bucket, &input.upload_id, input.part_number, part)?;
        Ok(S3Response::new(UploadPartOutput {
            e_tag: Some(tag),
            checksum_sha256: sha256,
            ..UploadPartOutput::default()
        }))
    }

    pub(super) async fn copy_part(
        &self,
        req: &S3Request<UploadPartCopyInput>,
    ) -> S3Result<S3Response<UploadPartCopyOutput>> {
        let input = &req.input;
        let wanted = self.upload(&input.bucket, &input.key, &input.upload_id)?.sha256;
        let source = self.source(req, &input.copy_source, input.copy_source_if_match.as_ref())?;
        let content = match &input.copy_source_range {
            None => source.content.clone(),
            Some(range) => source.content.slice(copied_range(range, source.size())?),
        };
        if content.len() > MAX_COPIED_BYTES {
            return Err(s3_error!(EntityTooLarge));
        }
        let sha256 = write::checked(&content, wanted, None).await?;
        let at = self.store.now();
        let part = Part { content, etag: opaque_etag(), sha256, at };
        let (tag, sha256) = self.add_part(&input.bucket, &input.upload_id, input.part_number, part)?;
        let result = CopyPartResult {
            e_tag: Some(tag),
            checksum_sha256: sha256,
            last_modified: Some(at.into()),
            ..CopyPartResult::default()
        };
        Ok(S3Response::new(UploadPartCopyOutput {
            copy_part_result: Some(result),
            ..UploadPartCopyOutput::default()
        }))
    }

    pub(super) fn complete_upload(
        &self,
        input: CompleteMultipartUploadInput,
    ) -> S3Result<S3Response<CompleteMultipartUploadOutput>> {
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id)?;
        let parts = input.multipart_upload.and_then(|it| it.parts).unwrap_or_default();
        let wanted: Vec<(i32, String)> = parts
            .into_iter()
            .map(|it| {
                let etag = it.e_tag.map(|it| it.value().to_owned()).unwrap_or_default();
                (it.part_number.unwrap_or_default(), etag)
            })
            .collect();
        let too_small = |(number, _): &(i32, String)| {
            upload.parts.get(number).is_some_and(|it| it.content.len() < MIN_PART_BYTES)
        };
        if wanted.split_last().is_some_and(|(_, others)| others.iter().any(too_small)) {
            return Err(s3_error!(EntityTooSmall));
        }
        let new = upload.complete(&wanted).ok_or_else(|| s3_error!(InvalidPart))?;
        let object = self.store.put(&input.bucket, &input.key, new);
        let object = object.ok_or_else(|| s3_error!(NoSuchBucket))?;
        self.store.with_uploads(&input.bucket, |all| all.remove(&input.upload_id));
        Ok(S3Response::new(CompleteMultipartUploadOutput {
            checksum_sha256: object.sha256.clone(),
            checksum_type: object.sha256.as_ref().map(|_| ChecksumType::from_static("COMPOSITE")),
            e_tag: Some(etag(&object)),
            version_id: self.answered_version(&input.bucket, &object),
            bucket: Some(input.bucket),
            key: Some(input.key),
            ..CompleteMultipartUploadOutput::default()
        }))
    }

    pub(super) fn abort_upload(
        &self,
        input: &AbortMultipartUploadInput,
    ) -> S3Result<S3Response<AbortMultipartUploadOutput>> {
        self.upload(&input.bucket, &input.key, &input.upload_id)?;
        self.store.with_uploads(&input.bucket, |all| all.remove(&input.upload_id));
        Ok(S3Response::new(AbortMultipartUploadOutput::default()))
    }

    pub(super) fn parts(&self, input: ListPartsInput) -> S3Result<S3Response<ListPartsOutput>> {
        let upload = self.upload(&input.bucket, &input.key, &input.upload_id)?;
        let after = input.part_number_marker.unwrap_or(0);
        let most = usize::try_from(input.max_parts.unwrap_or(MAX_PAGE).clamp(0, MAX_PAGE)).unwrap_or(0);
        let mut rest = upload.parts.iter().filter(|(number, _)| **number > after);
        let found = rest.by_ref().take(most).map(|(number, part)| s3s::dto::Part {
            part_number: Some(*number),
            e_tag: Some(ETag::Strong(part.etag.clone())),
            checksum_sha256: part.sha256.map(|it| base64(&it)),
            last_modified: Some(part.at.into()),
            size: length(&part.content),
            ..s3s::dto::Part::default()
        });
        let found: Vec<_> = found.collect();
        let truncated = rest.next().is_some();
        Ok(S3Response::new(ListPartsOutput {
            bucket: Some(input.bucket),
            key: Some(input.key),
            upload_id: Some(input.upload_id),
            is_truncated: Some(truncated),
            next_part_number_marker: found.last().filter(|_| truncated).and_then(|it| it.part_number),
            parts: Some(found),
            ..ListPartsOutput::default()
        }))
    }

    pub(super) fn uploads(
        &self,
        input: ListMultipartUploadsInput,
    ) -> S3Result<S3Response<ListMultipartUploadsOutput>> {
        let prefix = input.prefix.clone().unwrap_or_default();
        let all = self.store.with_uploads(&input.bucket, |all| all.clone());
        let all = all.ok_or_else(|| s3_error!(NoSuchBucket))?;
        let mut found: Vec<_> = all.into_iter().filter(|(_, it)| it.key.starts_with(&prefix)).collect();
        found.sort_by(|(_, one), (_, other)| (&one.key, one.at).cmp(&(&other.key, other.at)));
        if found.len() > usize::try_from(MAX_PAGE).unwrap_or(0) {
            return Err(s3_error!(NotImplemented, "Uploads are listed on one page here."));
        }
        let uploads = found.into_iter().map(|(id, upload)| MultipartUpload {
            initiated: Some(upload.at.into()),
            key: Some(upload.key),
            upload_id: Some(id),
            ..MultipartUpload::default()
        });
        Ok(S3Response::new(ListMultipartUploadsOutput {
            bucket: Some(input.bucket),
            prefix: input.prefix,
            is_truncated: Some(false),
            uploads: Some(uploads.collect()),
            ..ListMultipartUploadsOutput::default()
        }))
    }

    fn upload(&self, bucket: &str, key: &str, id: &str) -> S3Result<Upload> {
        self.check_bucket(bucket)?;
        let found = self.store.with_uploads(bucket, |all| all.get(id).filter(|it| it.key == key).cloned());
        found.flatten().ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))
    }

    fn add_part(
        &self,
        bucket: &str,
        upload: &str,
        number: i32,
        part: Part,
    ) -> S3Result<(ETag, Option<String>)> {
        if !(1..=10_000).contains(&number) {
            return Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000"));
        }
        let answer = (ETag::Strong(part.etag.clone()), part.sha256.map(|it| base64(&it)));
        let added = self.store.with_uploads(bucket, |all| {
            let upload = all.get_mut(upload)?;
            upload.parts.insert(number, part);
            Some(())
        });
        added.flatten().ok_or_else(|| s3_error!(NoSuchUpload, "The specified upload does not exist."))?;
        Ok(answer)
    }
}

/// `bytes=0-1048575`, within the source.
fn copied_range(text: &str, size: u64) -> S3Result<std::ops::Range<u64>> {
    let invalid = || {
        s3_error!(InvalidArgument, "The x-amz-copy-source-range value must be of the form bytes=first-last")
    };
    let (first, last) = text.strip_prefix("bytes=").and_then(|it| it.split_once('-')).ok_or_else(invalid)?;
    let (first, last): (u64, u64) =
        (first.parse().map_err(|_| invalid())?, last.parse().map_err(|_| invalid())?);
    if first > last || last >= size {
        return Err(s3_error!(InvalidArgument, "Range specified is not valid for source object"));
    }
    Ok(first..last + 1)
}
