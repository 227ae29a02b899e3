//! All versions below a prefix: their deletion, and the legal hold on them.
//!
//! Both go page by page until they are done or their time is over; the marker says where to go on. To begin again from the start does
//! no harm either: what is deleted is not listed again, and what has another key is passed by.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use aws_sdk_s3::operation::list_object_versions::ListObjectVersionsOutput;
use aws_sdk_s3::types::{Delete, ObjectIdentifier, ObjectLockLegalHold, ObjectLockLegalHoldStatus};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::{Error, Objects};

/// Versions of a page: as many requests as a hold needs, in some seconds.
const PAGE: i32 = 500;

/// Requests for single versions at the same time.
const MAX_PARALLEL: usize = 16;

/// Where a listing of versions goes on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    pub key: String,
    pub version: Option<String>,
}

/// How far it came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Versions and delete markers that are deleted, or versions whose hold was changed.
    pub done: u64,
    /// Versions that are under legal hold and stay.
    pub held: u64,
    /// Where to go on; none: nothing is left.
    pub next: Option<Marker>,
}

/// The progress of a deletion that a hold may stop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Deleted {
    All {
        /// Versions that S3 keeps, because they are under legal hold.
        held: u64,
    },
    /// Time was over.
    Part,
    /// A hold stands.
    OnHold,
}

/// A version or a delete marker.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Version {
    key: String,
    id: String,
    is_marker: bool,
}

impl Objects {
    /// Deletes a page of the versions and delete markers below a prefix whose key contains `part`, but for those under legal hold.
    ///
    /// # Errors
    /// When S3 does not answer, or rejects the deletion of a version that is not under hold. What was deleted stays deleted.
    pub async fn delete_page(
        &self,
        prefix: &str,
        part: &str,
        from: Option<Marker>,
    ) -> Result<Progress, Error> {
        let (mut versions, next) = self.versions(prefix, from).await?;
        versions.retain(|version| version.key.contains(part));
        let rejected = self.delete(&versions).await?;
        let held = rejected.len() as u64;
        self.check_held(rejected).await?;
        Ok(Progress { next, held, done: versions.len() as u64 - held })
    }

    /// Deletes what is below a prefix and has `part` in its key, page by page, and asks before each whether a legal hold stands: S3 is in
    /// no statement of the database. Ends after the page during which `until` passes.
    ///
    /// # Errors
    /// When S3 does not answer, or the question has no answer.
    pub async fn delete_unless_held<Asked, E>(
        &self,
        (prefix, part): (&str, &str),
        until: Instant,
        is_on_hold: impl Fn() -> Asked,
    ) -> Result<Deleted, E>
    where
        Asked: Future<Output = Result<bool, E>> + Send,
        E: From<Error>,
    {
        let (mut next, mut held) = (None, 0);
        loop {
            if is_on_hold().await? {
                return Ok(Deleted::OnHold);
            }
            let page = self.delete_page(prefix, part, next.take()).await?;
            held += page.held;
            next = page.next;
            if next.is_none() {
                return Ok(Deleted::All { held });
            }
            if Instant::now() >= until {
                return Ok(Deleted::Part);
            }
        }
    }

    /// Places or lifts the legal hold on all versions below a prefix. Ends after the page during which `until` passes.
    ///
    /// # Errors
    /// When S3 does not answer or rejects it.
    pub async fn hold(
        &self,
        prefix: &str,
        on: bool,
        from: Option<Marker>,
        until: Instant,
    ) -> Result<Progress, Error> {
        let mut progress = Progress { next: from, ..Progress::default() };
        loop {
            let (versions, next) = self.versions(prefix, progress.next.take()).await?;
            let versions: Vec<Version> = versions.into_iter().filter(|it| !it.is_marker).collect();
            progress.done += versions.len() as u64;
            self.for_each(
                versions,
                move |objects, version| async move { objects.set_hold(version, on).await },
            )
            .await?;
            progress.next = next;
            if progress.next.is_none() || Instant::now() >= until {
                return Ok(progress);
            }
        }
    }

    async fn versions(
        &self,
        prefix: &str,
        from: Option<Marker>,
    ) -> Result<(Vec<Version>, Option<Marker>), Error> {
        let list = self.client.list_object_versions().bucket(&self.bucket).prefix(prefix).max_keys(PAGE);
        let (key, version) = from.map_or((None, None), |it| (Some(it.key), it.version));
        let page = list.set_key_marker(key).set_version_id_marker(version).send().await.map_err(Error::s3)?;
        let next = match (page.is_truncated(), page.next_key_marker()) {
            (Some(true), Some(key)) => Some(Marker {
                key: key.to_owned(),
                version: page.next_version_id_marker().map(str::to_owned),
            }),
            (Some(true), None) => return Err(Error::Unexpected("a page of versions has no marker")),
            _ => None,
        };
        Ok((listed(&page).ok_or(Error::Unexpected("a version has no id"))?, next))
    }

    /// Deletes in one request; returns what S3 rejected as denied, which a hold causes.
    async fn delete(&self, versions: &[Version]) -> Result<Vec<Version>, Error> {
        if versions.is_empty() {
            return Ok(Vec::new());
        }
        let mut delete = Delete::builder().quiet(true);
        for version in versions {
            let object = ObjectIdentifier::builder().key(&version.key).version_id(&version.id).build();
            delete = delete.objects(object.map_err(|_| Error::Unexpected("a version has no key"))?);
        }
        let delete = delete.build().map_err(|_| Error::Unexpected("nothing to delete"))?;
        let answer = self.client.delete_objects().bucket(&self.bucket).delete(delete).send().await;
        let mut rejected = Vec::new();
        for error in answer.map_err(Error::s3)?.errors() {
            let code = error.code().unwrap_or_default();
            let named = |it: &&Version| Some(&*it.key) == error.key() && Some(&*it.id) == error.version_id();
            match (code, versions.iter().find(named)) {
                ("NoSuchKey" | "NoSuchVersion", _) => {}
                ("AccessDenied", Some(version)) => rejected.push(version.clone()),
                ("InternalError" | "SlowDown" | "ServiceUnavailable", _) => {
                    return Err(Error::Unavailable { backend: "s3", source: code.into() });
                }
                _ => {
                    return Err(Error::Refused {
                        code: code.to_owned(),
                        source: "a version was not deleted".into(),
                    });
                }
            }
        }
        Ok(rejected)
    }

    /// That all these are under hold: else the role may not delete them, which must not pass for one.
    async fn check_held(&self, versions: Vec<Version>) -> Result<(), Error> {
        self.for_each(versions, |objects, version| async move {
            if !version.is_marker && objects.is_held(&version).await? {
                return Ok(());
            }
            Err(Error::Refused {
                code: "AccessDenied".to_owned(),
                source: "a version that is not under legal hold was not deleted".into(),
            })
        })
        .await
    }

    async fn is_held(&self, version: &Version) -> Result<bool, Error> {
        let get = self.client.get_object_legal_hold().bucket(&self.bucket);
        match get.key(&version.key).version_id(&version.id).send().await {
            Ok(answer) => {
                let status = answer.legal_hold().and_then(|it| it.status());
                Ok(status == Some(&ObjectLockLegalHoldStatus::On))
            }
            Err(error) if error.code() == Some("NoSuchObjectLockConfiguration") => Ok(false),
            Err(error) => Err(Error::s3(error)),
        }
    }

    async fn set_hold(&self, version: Version, on: bool) -> Result<(), Error> {
        let status = if on { ObjectLockLegalHoldStatus::On } else { ObjectLockLegalHoldStatus::Off };
        let hold = ObjectLockLegalHold::builder().status(status).build();
        let put = self.client.put_object_legal_hold().bucket(&self.bucket).legal_hold(hold);
        match put.key(version.key).version_id(version.id).send().await.map_err(Error::s3) {
            // Deleted in between.
            Ok(_) | Err(Error::NotFound) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Runs a request for each version, some at the same time; the first error ends it.
    async fn for_each<F, R>(&self, versions: Vec<Version>, request: F) -> Result<(), Error>
    where
        F: Fn(Self, Version) -> R,
        R: Future<Output = Result<(), Error>> + Send + 'static,
    {
        let mut running = JoinSet::new();
        for version in versions {
            if running.len() == MAX_PARALLEL {
                joined(running.join_next().await)?;
            }
            running.spawn(request(self.clone(), version));
        }
        while !running.is_empty() {
            joined(running.join_next().await)?;
        }
        Ok(())
    }
}

type Joined = Option<Result<Result<(), Error>, tokio::task::JoinError>>;

fn joined(result: Joined) -> Result<(), Error> {
    match result {
        None => Ok(()),
        Some(Ok(result)) => result,
        Some(Err(error)) => Err(Error::Unavailable { backend: "s3", source: Box::new(error) }),
    }
}

fn listed(page: &ListObjectVersionsOutput) -> Option<Vec<Version>> {
    let version = |key: Option<&str>, id: Option<&str>, is_marker| {
        Some(Version { key: key?.to_owned(), id: id?.to_owned(), is_marker })
    };
    let versions = page.versions().iter().map(|it| version(it.key(), it.version_id(), false));
    let markers = page.delete_markers().iter().map(|it| version(it.key(), it.version_id(), true));
    versions.chain(markers).collect()
}
