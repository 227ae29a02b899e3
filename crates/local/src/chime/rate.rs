//! The API's rate limit.

/// How often an account may call in one region.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// Requests that come back each second.
    pub per_second: f64,
    /// Requests that may come at once.
    pub burst: u32,
}
