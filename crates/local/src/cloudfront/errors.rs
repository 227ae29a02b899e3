//! The edge's cache of errors.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use http::{Method, Response};

use crate::clock::Clock;

/// Seconds that an error is kept where the distribution says nothing.
const DEFAULT: u32 = 10;

/// Statuses that `CloudFront` caches by default.
const KEPT: [u16; 10] = [400, 403, 404, 405, 414, 500, 501, 502, 503, 504];

/// Behavior, method and path: no header and no query, because no cache policy here names any.
pub(super) type Key = (String, Method, String);

pub(super) struct Errors {
    ttl: BTreeMap<u16, u32>,
    clock: Clock,
    kept: Mutex<HashMap<Key, (i64, Response<Bytes>)>>,
}

impl Errors {
    pub(super) fn new(ttl: BTreeMap<u16, u32>, clock: Clock) -> Self {
        Self { ttl, clock, kept: Mutex::default() }
    }

    /// The error that was answered before, if it is kept still.
    pub(super) fn get(&self, key: &Key) -> Option<Response<Bytes>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(until, _)| *until > self.clock.now_ms()).map(|(_, response)| response.clone())
    }

    /// Keeps a response if it is such an error.
    pub(super) fn keep(&self, key: Key, response: &Response<Bytes>) {
        let status = response.status().as_u16();
        let seconds = self.ttl.get(&status).copied().unwrap_or(DEFAULT);
        if seconds == 0 || !KEPT.contains(&status) {
            return;
        }
        let until = self.clock.now_ms() + i64::from(seconds) * 1000;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(key, (until, response.clone()));
    }
}
