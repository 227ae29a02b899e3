//! Policies that hang on a resource.

use super::Statement;

/// A statement of a resource's own policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceStatement {
    /// Whom it is about.
    pub principals: Principals,
    /// What it says.
    pub statement: Statement,
}

/// Whom a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals {
    /// `*`.
    Anyone,
    /// AWS services, `cloudfront.amazonaws.com`.
    Services(Vec<String>),
    /// ARNs and account numbers.
    Accounts(Vec<String>),
}
