//! Objects and their versions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use md5::{Digest as _, Md5};
use time::OffsetDateTime;

use crate::clock::Clock;

/// An object's headers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ObjectHeaders {
    /// `Content-Type`; S3's own default is `binary/octet-stream`.
    pub content_type: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `x-amz-meta-...`.
    pub metadata: BTreeMap<String, String>,
    /// `AES256` or `aws:kms`, where the upload said it; else it is the bucket's.
    pub encryption: Option<String>,
    /// The key of `aws:kms`.
    pub encryption_key: Option<String>,
}

/// An object as it was put.
#[derive(Clone, Debug)]
pub struct Object {
    /// Its bytes.
    pub bytes: Bytes,
    /// Its headers.
    pub headers: ObjectHeaders,
    /// MD5 in hex, as S3 makes it for what is put at once.
    pub etag: String,
    /// When it was put.
    pub modified: OffsetDateTime,
    /// Its version.
    pub version: String,
}

/// A version's id, and the object; none is a deletion.
type Version = (String, Option<Arc<Object>>);

#[derive(Debug)]
struct Bucket {
    versioned: bool,
    encryption: String,
    /// Oldest first.
    keys: BTreeMap<String, Vec<Version>>,
}

#[derive(Debug)]
pub(super) struct Store {
    buckets: Mutex<BTreeMap<String, Bucket>>,
    clock: Clock,
}

impl Store {
    pub(super) fn new(buckets: &[local_template::plan::Bucket], clock: Clock) -> Self {
        let made = |it: &local_template::plan::Bucket| {
            let (versioned, encryption) = (it.versioned, it.encryption.clone());
            (it.name.clone(), Bucket { versioned, encryption, keys: BTreeMap::new() })
        };
        Self { buckets: Mutex::new(buckets.iter().map(made).collect()), clock }
    }

    pub(super) fn has(&self, bucket: &str) -> bool {
        self.all().contains_key(bucket)
    }

    /// None if there is no such bucket.
    pub(super) fn put(
        &self,
        bucket: &str,
        key: &str,
        bytes: Bytes,
        mut headers: ObjectHeaders,
    ) -> Option<Arc<Object>> {
        let mut all = self.all();
        let bucket = all.get_mut(bucket)?;
        headers.encryption.get_or_insert_with(|| bucket.encryption.clone());
        let object = Arc::new(Object {
            etag: hex::encode(Md5::digest(&bytes)),
            bytes,
            headers,
            modified: self.clock.now(),
            version: version(),
        });
        bucket.add(key, object.version.clone(), Some(Arc::clone(&object)));
        Some(object)
    }

    /// The newest version, or the one that is named.
    pub(super) fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<Arc<Object>> {
        let all = self.all();
        let versions = all.get(bucket)?.keys.get(key)?;
        match version {
            None => versions.last()?.1.clone(),
            Some(wanted) => versions.iter().find(|(it, _)| it == wanted)?.1.clone(),
        }
    }

    /// Keys with this prefix and their newest objects, in order; none if there is no such bucket.
    pub(super) fn list(&self, bucket: &str, prefix: &str) -> Option<Vec<(String, Arc<Object>)>> {
        let all = self.all();
        let from = all.get(bucket)?.keys.range(prefix.to_owned()..);
        let of_prefix = from.take_while(|(key, _)| key.starts_with(prefix));
        let newest =
            |(key, versions): (&String, &Vec<Version>)| Some((key.clone(), versions.last()?.1.clone()?));
        Some(of_prefix.filter_map(newest).collect())
    }

    /// Deletes; with a version that one for good. The version of the deletion where one is kept.
    pub(super) fn delete(&self, bucket: &str, key: &str, wanted: Option<&str>) -> Option<String> {
        let mut all = self.all();
        let bucket = all.get_mut(bucket)?;
        if let Some(wanted) = wanted {
            let versions = bucket.keys.get_mut(key)?;
            versions.retain(|(it, _)| it != wanted);
            if versions.is_empty() {
                bucket.keys.remove(key);
            }
            return None;
        }
        if bucket.versioned {
            let version = version();
            bucket.add(key, version.clone(), None);
            return Some(version);
        }
        bucket.keys.remove(key);
        None
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Bucket {
    fn add(&mut self, key: &str, version: String, object: Option<Arc<Object>>) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        if !self.versioned {
            versions.clear();
        }
        versions.push((version, object));
    }
}

fn version() -> String {
    uuid::Uuid::new_v4().simple().to_string()
}
