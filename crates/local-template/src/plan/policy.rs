//! Resource-based policies.

use super::Statement;

/// A statement of a resource's own policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceStatement {
    /// The principals.
    pub principals: Principals,
    /// The statement without its principals.
    pub statement: Statement,
}

/// The principals of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals {
    /// `*`.
    Anyone,
    /// AWS services, `cloudfront.amazonaws.com`.
    Services(Vec<String>),
    /// ARNs and account numbers.
    Accounts(Vec<String>),
}
