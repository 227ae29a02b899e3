//! Uploads in parts.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use super::content::{Content, base64};
use super::store::{NewObject, ObjectHeaders};

/// An upload that was not completed yet.
#[derive(Clone, Debug)]
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) at: OffsetDateTime,
    pub(super) headers: ObjectHeaders,
    /// Whether its parts have SHA-256 checksums.
    pub(super) sha256: bool,
    pub(super) hold: bool,
    pub(super) parts: BTreeMap<i32, Part>,
}

#[derive(Clone, Debug)]
pub(super) struct Part {
    pub(super) content: Content,
    pub(super) etag: String,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) at: OffsetDateTime,
}

impl Upload {
    /// The object of these parts, by number and `ETag`; none if one is another or is not there.
    pub(super) fn complete(&self, wanted: &[(i32, String)]) -> Option<NewObject> {
        let mut parts = Vec::new();
        for (number, etag) in wanted {
            parts.push(self.parts.get(number).filter(|it| it.etag == *etag)?);
        }
        if parts.is_empty() || !wanted.is_sorted_by(|one, next| one.0 < next.0) {
            return None;
        }
        let mut digest = Sha256::new();
        for part in &parts {
            digest.update(part.sha256.unwrap_or_default());
        }
        let composite = format!("{}-{}", base64(&digest.finalize()), parts.len());
        Some(NewObject {
            content: Content::join(parts.iter().map(|it| it.content.clone())),
            headers: self.headers.clone(),
            etag: format!("{}-{}", uuid::Uuid::new_v4().simple(), parts.len()),
            sha256: self.sha256.then_some(composite),
            hold: self.hold,
        })
    }
}
