//! `ListObjectsV2` and `ListObjectVersions`.

use s3s::dto::{
    CommonPrefix, DeleteMarkerEntry, ListObjectVersionsInput, ListObjectVersionsOutput, ListObjectsV2Input,
    ListObjectsV2Output, ObjectVersion,
};
use s3s::{S3Response, S3Result, s3_error};

use super::{MAX_PAGE, Operations, etag, length};

impl Operations {
    pub(super) fn list(&self, input: ListObjectsV2Input) -> S3Result<S3Response<ListObjectsV2Output>> {
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
                    size: length(&object.content),
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

    pub(super) fn list_versions(
        &self,
        input: ListObjectVersionsInput,
    ) -> S3Result<S3Response<ListObjectVersionsOutput>> {
        if input.delimiter.as_deref().is_some_and(|it| !it.is_empty()) {
            return Err(s3_error!(NotImplemented, "Versions are listed without a delimiter here."));
        }
        let prefix = input.prefix.clone().unwrap_or_default();
        let all = self.store.list_versions(&input.bucket, &prefix).ok_or_else(|| s3_error!(NoSuchBucket))?;
        let most = usize::try_from(input.max_keys.unwrap_or(MAX_PAGE).clamp(0, MAX_PAGE)).unwrap_or(0);
        let (from, version) = (input.key_marker.clone().unwrap_or_default(), input.version_id_marker.clone());
        let (mut versions, mut markers) = (Vec::new(), Vec::new());
        let (mut last, mut truncated) = (None, false);
        'keys: for (key, of_key) in all {
            for (at, found) in of_key.into_iter().enumerate() {
                // Behind the marker, also where that was deleted: newer versions have smaller ids.
                let before = match &version {
                    Some(version) => key < from || (key == from && found.id <= *version),
                    None => !from.is_empty() && key <= from,
                };
                if before {
                    continue;
                }
                if versions.len() + markers.len() == most {
                    truncated = true;
                    break 'keys;
                }
                last = Some((key.clone(), found.id.clone()));
                match found.object {
                    Some(object) => versions.push(ObjectVersion {
                        e_tag: Some(etag(&object)),
                        is_latest: Some(at == 0),
                        key: Some(key.clone()),
                        last_modified: Some(object.modified.into()),
                        size: length(&object.content),
                        version_id: Some(found.id),
                        ..ObjectVersion::default()
                    }),
                    None => markers.push(DeleteMarkerEntry {
                        is_latest: Some(at == 0),
                        key: Some(key.clone()),
                        last_modified: Some(found.at.into()),
                        version_id: Some(found.id),
                        ..DeleteMarkerEntry::default()
                    }),
                }
            }
        }
        let (next_key, next_version) = last.filter(|_| truncated).unzip();
        Ok(S3Response::new(ListObjectVersionsOutput {
            name: Some(input.bucket),
            prefix: input.prefix,
            max_keys: i32::try_from(most).ok(),
            is_truncated: Some(truncated),
            key_marker: input.key_marker,
            version_id_marker: input.version_id_marker,
            next_key_marker: next_key,
            next_version_id_marker: next_version,
            versions: Some(versions),
            delete_markers: Some(markers),
            ..ListObjectVersionsOutput::default()
        }))
    }
}
