//! Policies that a resource has itself: they say who may, and not only what.

use super::condition::Condition;
use super::pattern::{matches, matches_ignoring_case};
use super::{Decision, IamError};
use crate::plan::{Principals, ResourceStatement, Statement};

/// Who asks.
#[derive(Debug)]
pub(crate) enum Who<'a> {
    /// An AWS service in its own name.
    Service(&'a str),
    /// Someone of an account.
    Account(&'a str),
}

/// A resource's policy.
#[derive(Debug)]
pub(crate) struct ResourcePolicy(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    principals: Principals,
    statement: Statement,
    conditions: Vec<Condition>,
}

impl ResourcePolicy {
    /// Loads the policy of the resource of this name.
    pub(crate) fn new(name: &str, statements: &[ResourceStatement]) -> Result<Self, IamError> {
        let load = |it: &ResourceStatement| {
            let conditions = it.statement.conditions.iter().map(|(operator, key, values)| {
                Condition::new(operator, key, values).ok_or_else(|| IamError::UnknownOperator {
                    function: format!("the resource {name}"),
                    sid: it.statement.sid.clone(),
                    operator: operator.clone(),
                })
            });
            Ok(Rule {
                principals: it.principals.clone(),
                statement: it.statement.clone(),
                conditions: conditions.collect::<Result<_, _>>()?,
            })
        };
        Ok(Self(statements.iter().map(load).collect::<Result<_, _>>()?))
    }

    /// What the policy says about an action on a resource; that it says nothing is [`Decision::NotAllowed`].
    pub(crate) fn decide(
        &self,
        who: &Who<'_>,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> Decision {
        let mut decision = Decision::NotAllowed;
        for rule in self.0.iter().filter(|it| it.applies(who, action, resource, context)) {
            if !rule.statement.allow {
                return Decision::Denied(rule.statement.sid.clone());
            }
            decision = Decision::Allowed;
        }
        decision
    }
}

impl Rule {
    fn applies(&self, who: &Who<'_>, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
        let meant = match (&self.principals, who) {
            (Principals::Anyone, _) => true,
            (Principals::Services(services), Who::Service(service)) => {
                services.iter().any(|it| it == service)
            }
            (Principals::Accounts(accounts), Who::Account(account)) => {
                accounts.iter().any(|it| it == account || it.ends_with(&format!("::{account}:root")))
            }
            (Principals::Services(_), Who::Account(_)) | (Principals::Accounts(_), Who::Service(_)) => false,
        };
        meant
            && self.statement.actions.iter().any(|pattern| matches_ignoring_case(pattern, action))
            && self.statement.resources.iter().any(|pattern| matches(pattern, resource))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}
