//! Objects and their versions.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use time::{Date, OffsetDateTime};

use super::content::Content;
use super::lifecycle;
use super::uploads::Upload;
use crate::clock::Clock;
use local_template::plan::LifecycleRule;

/// The version of objects in a bucket without versions.
const NO_VERSION: &str = "null";

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
    pub(super) content: Content,
    /// Its headers.
    pub headers: ObjectHeaders,
    /// MD5 in hex of what is put at once into memory; else any text, as on S3 for what has parts or is encrypted with a key.
    pub etag: String,
    /// `x-amz-checksum-sha256`, in base64.
    pub sha256: Option<String>,
    /// When it was put.
    pub modified: OffsetDateTime,
    /// Its version.
    pub version: String,
}

impl Object {
    /// Its bytes, all in memory.
    ///
    /// # Errors
    /// When the file behind it cannot be read.
    pub fn bytes(&self) -> io::Result<Bytes> {
        self.content.bytes()
    }

    /// Whether it is a copy of the other, or the other way round.
    #[must_use]
    pub(crate) fn is_copy_of(&self, other: &Self) -> bool {
        self.content.is_shared_with(&other.content)
    }

    #[must_use]
    pub fn size(&self) -> u64 {
        self.content.len()
    }
}

/// The object that is put.
#[derive(Default)]
pub(super) struct NewObject {
    pub(super) content: Content,
    pub(super) headers: ObjectHeaders,
    pub(super) etag: String,
    pub(super) sha256: Option<String>,
    pub(super) hold: bool,
}

/// A version or a delete marker.
#[derive(Clone, Debug)]
pub(super) struct Version {
    pub(super) id: String,
    pub(super) at: OffsetDateTime,
    /// None: a delete marker.
    pub(super) object: Option<Arc<Object>>,
    /// Whether it is under legal hold.
    pub(super) hold: bool,
}

#[derive(Debug)]
pub(super) struct Bucket {
    versioned: bool,
    encryption: String,
    key: Option<String>,
    lock: bool,
    pub(super) lifecycle: Vec<LifecycleRule>,
    pub(super) rules_applied_on: Date,
    /// Oldest first.
    pub(super) keys: BTreeMap<String, Vec<Version>>,
    pub(super) uploads: BTreeMap<String, Upload>,
}

#[derive(Debug)]
pub(super) struct Store {
    buckets: Mutex<BTreeMap<String, Bucket>>,
    clock: Clock,
    /// Versions that were made, which orders their ids.
    versions: std::sync::atomic::AtomicU64,
}

/// Why a version is not deleted, or not locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locked {
    /// It is under legal hold.
    Held,
    /// The bucket has no object lock.
    NoLock,
    NoVersion,
    /// It is a delete marker.
    Marker,
}

impl Store {
    pub(super) fn new(buckets: &[local_template::plan::Bucket], clock: Clock) -> Self {
        let made = |it: &local_template::plan::Bucket| {
            let bucket = Bucket {
                versioned: it.versioned,
                encryption: it.encryption.clone(),
                key: it.key.clone(),
                lock: it.lock,
                lifecycle: it.lifecycle.clone(),
                rules_applied_on: Date::MIN,
                keys: BTreeMap::new(),
                uploads: BTreeMap::new(),
            };
            (it.name.clone(), bucket)
        };
        let buckets = Mutex::new(buckets.iter().map(made).collect());
        Self { buckets, clock, versions: 0.into() }
    }

    pub(super) fn has(&self, bucket: &str) -> bool {
        self.all().contains_key(bucket)
    }

    pub(super) fn is_versioned(&self, bucket: &str) -> bool {
        self.all().get(bucket).is_some_and(|it| it.versioned)
    }

    pub(super) fn can_lock(&self, bucket: &str) -> bool {
        self.all().get(bucket).is_some_and(|it| it.lock)
    }

    /// The key that an object with these headers is encrypted with: its own, else the bucket's.
    pub(super) fn key(&self, bucket: &str, headers: &ObjectHeaders) -> Option<String> {
        match headers.encryption {
            Some(_) => headers.encryption_key.clone(),
            None => self.all().get(bucket)?.key.clone(),
        }
    }

    pub(super) fn now(&self) -> OffsetDateTime {
        self.clock.now()
    }

    /// None if there is no such bucket.
    pub(super) fn put(&self, bucket: &str, key: &str, new: NewObject) -> Option<Arc<Object>> {
        let (version, modified) = (self.new_version(), self.clock.now());
        let mut all = self.all();
        let bucket = all.get_mut(bucket)?;
        let mut headers = new.headers;
        if headers.encryption.is_none() {
            headers.encryption = Some(bucket.encryption.clone());
            headers.encryption_key.clone_from(&bucket.key);
        }
        let version = if bucket.versioned { version } else { NO_VERSION.to_owned() };
        let (content, etag, sha256) = (new.content, new.etag, new.sha256);
        let object = Arc::new(Object { content, headers, etag, sha256, modified, version: version.clone() });
        let object_of_version = Some(Arc::clone(&object));
        bucket.add(key, Version { id: version, at: modified, object: object_of_version, hold: new.hold });
        Some(object)
    }

    /// The newest version, or the one that is named.
    pub(super) fn get(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<Arc<Object>> {
        self.version(bucket, key, version)?.object
    }

    /// The same, delete markers too.
    pub(super) fn version(&self, bucket: &str, key: &str, version: Option<&str>) -> Option<Version> {
        let all = self.all();
        let versions = all.get(bucket)?.keys.get(key)?;
        match version {
            None => versions.last().cloned(),
            Some(wanted) => versions.iter().find(|it| it.id == wanted).cloned(),
        }
    }

    /// Keys with this prefix and their newest objects, in order; none if there is no such bucket.
    pub(super) fn list(&self, bucket: &str, prefix: &str) -> Option<Vec<(String, Arc<Object>)>> {
        let all = self.all();
        let from = all.get(bucket)?.keys.range(prefix.to_owned()..);
        let of_prefix = from.take_while(|(key, _)| key.starts_with(prefix));
        let newest =
            |(key, versions): (&String, &Vec<Version>)| Some((key.clone(), versions.last()?.object.clone()?));
        Some(of_prefix.filter_map(newest).collect())
    }

    /// Keys with this prefix and all their versions, the newest of each first; none if there is no such bucket.
    pub(super) fn list_versions(&self, bucket: &str, prefix: &str) -> Option<Vec<(String, Vec<Version>)>> {
        let all = self.all();
        let from = all.get(bucket)?.keys.range(prefix.to_owned()..);
        let of_prefix = from.take_while(|(key, _)| key.starts_with(prefix));
        Some(of_prefix.map(|(key, all)| (key.clone(), all.iter().rev().cloned().collect())).collect())
    }

    /// Deletes; with a version that one for good. The version of the delete marker that was made or deleted.
    pub(super) fn delete(
        &self,
        bucket: &str,
        key: &str,
        wanted: Option<&str>,
    ) -> Result<Option<String>, Locked> {
        let (version, now) = (self.new_version(), self.clock.now());
        let mut all = self.all();
        let Some(bucket) = all.get_mut(bucket) else { return Ok(None) };
        let Some(wanted) = wanted else {
            if bucket.versioned {
                bucket.add(key, Version { id: version.clone(), at: now, object: None, hold: false });
                return Ok(Some(version));
            }
            bucket.keys.remove(key);
            return Ok(None);
        };
        let Some(versions) = bucket.keys.get_mut(key) else { return Ok(None) };
        let Some(at) = versions.iter().position(|it| it.id == wanted) else { return Ok(None) };
        if versions[at].hold {
            return Err(Locked::Held);
        }
        let gone = versions.remove(at);
        if versions.is_empty() {
            bucket.keys.remove(key);
        }
        Ok(gone.object.is_none().then_some(gone.id))
    }

    /// Whether a version is under legal hold.
    pub(super) fn hold(&self, bucket: &str, key: &str, version: Option<&str>) -> Result<bool, Locked> {
        if !self.can_lock(bucket) {
            return Err(Locked::NoLock);
        }
        match self.version(bucket, key, version) {
            None => Err(Locked::NoVersion),
            Some(Version { object: None, .. }) => Err(Locked::Marker),
            Some(found) => Ok(found.hold),
        }
    }

    /// All versions that are no delete markers, by their keys, and whether each is under legal hold.
    pub(super) fn holds(&self, bucket: &str) -> Vec<(String, bool)> {
        let all = self.all();
        let keys = all.get(bucket).into_iter().flat_map(|it| &it.keys);
        let versions = keys.flat_map(|(key, versions)| versions.iter().map(move |it| (key, it)));
        versions.filter(|(_, it)| it.object.is_some()).map(|(key, it)| (key.clone(), it.hold)).collect()
    }

    /// Places or lifts a legal hold.
    pub(super) fn set_hold(
        &self,
        bucket: &str,
        key: &str,
        version: Option<&str>,
        on: bool,
    ) -> Result<(), Locked> {
        self.hold(bucket, key, version)?;
        let mut all = self.all();
        let versions = all.get_mut(bucket).and_then(|it| it.keys.get_mut(key)).ok_or(Locked::NoVersion)?;
        let found = match version {
            None => versions.last_mut(),
            Some(wanted) => versions.iter_mut().find(|it| it.id == wanted),
        };
        found.ok_or(Locked::NoVersion)?.hold = on;
        Ok(())
    }

    /// The uploads of a bucket, by their ids.
    pub(super) fn with_uploads<T>(
        &self,
        bucket: &str,
        change: impl FnOnce(&mut BTreeMap<String, Upload>) -> T,
    ) -> Option<T> {
        self.all().get_mut(bucket).map(|it| change(&mut it.uploads))
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        let mut all = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        lifecycle::apply(&mut all, self.clock.now(), || self.new_version());
        all
    }

    /// Newer ones are before older ones in the order of texts: a listing goes on behind one that was deleted.
    fn new_version(&self) -> String {
        let made = self.versions.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        format!("{:016x}{}", u64::MAX - made, &uuid::Uuid::new_v4().simple().to_string()[..16])
    }
}

impl Bucket {
    fn add(&mut self, key: &str, version: Version) {
        let versions = self.keys.entry(key.to_owned()).or_default();
        if !self.versioned {
            versions.clear();
        }
        versions.push(version);
    }
}
