//! Resource-based policies: their statements have a principal.

use super::condition::Condition;
use super::pattern::{matches, matches_ignoring_case};
use super::{Decision, IamError};
use crate::plan::{Principals, ResourceStatement, Statement};

/// The caller.
#[derive(Debug)]
pub enum Who<'a> {
    /// An AWS service in its own name.
    Service(&'a str),
    /// A principal of an account.
    Account(&'a str),
    /// A role of an account: itself or by its account.
    Role { account: &'a str, arn: &'a str },
    /// The same where the account alone does not count, because it leaves the decision to the role's own policies.
    RoleItself { arn: &'a str },
}

/// A resource's policy.
#[derive(Debug)]
pub struct ResourcePolicy(Vec<Rule>);

#[derive(Debug)]
struct Rule {
    principals: Principals,
    statement: Statement,
    conditions: Vec<Condition>,
}

impl ResourcePolicy {
    /// Loads the policy of the resource of this name.
    pub fn new(name: &str, statements: &[ResourceStatement]) -> Result<Self, IamError> {
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

    /// The policy's decision about an action on a resource; [`Decision::NotAllowed`] if no statement matches.
    #[must_use]
    pub fn decide(&self, who: &Who<'_>, action: &str, resource: &str, context: &[(&str, &str)]) -> Decision {
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
            (Principals::Accounts(accounts), Who::Role { account, arn }) => {
                let root = format!("::{account}:root");
                accounts.iter().any(|it| it == account || it == arn || it.ends_with(&root))
            }
            (Principals::Accounts(accounts), Who::RoleItself { arn }) => accounts.iter().any(|it| it == arn),
            (Principals::Services(_), Who::Account(_) | Who::Role { .. } | Who::RoleItself { .. })
            | (Principals::Accounts(_), Who::Service(_)) => false,
        };
        meant
            && self.statement.actions.iter().any(|pattern| matches_ignoring_case(pattern, action))
            && self.statement.resources.iter().any(|pattern| matches(pattern, resource))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

/// Whether an operator with these values is one that is evaluated here.
pub(crate) fn is_condition(operator: &str, key: &str, values: &[String]) -> bool {
    Condition::new(operator, key, values).is_some()
}

/// Whether a resource's policy lets an AWS service (`events.amazonaws.com`) do something to it. A policy that cannot be
/// evaluated allows nothing.
#[must_use]
pub fn policy_allows(
    policy: &[ResourceStatement],
    service: &str,
    action: &str,
    resource: &str,
    context: &[(&str, &str)],
) -> bool {
    ResourcePolicy::new(resource, policy)
        .is_ok_and(|policy| policy.decide(&Who::Service(service), action, resource, context).is_allowed())
}

#[cfg(test)]
mod tests {
    use super::policy_allows;
    use crate::plan::{Principals, ResourceStatement, Statement};

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:queue";
    const RULE: &str = "arn:aws:events:us-east-1:000000000000:rule/one";

    fn statement(service: &str, allow: bool, resource: &str, rule: &str) -> ResourceStatement {
        let condition = ("ArnEquals".to_owned(), "aws:SourceArn".to_owned(), vec![rule.to_owned()]);
        let statement = Statement {
            sid: String::new(),
            allow,
            actions: vec!["sqs:SendMessage".to_owned()],
            resources: vec![resource.to_owned()],
            conditions: vec![condition],
        };
        let principals = match service {
            "*" => Principals::Anyone,
            service => Principals::Services(vec![service.to_owned()]),
        };
        ResourceStatement { principals, statement }
    }

    #[test]
    fn a_service_may_do_what_the_policy_says_for_its_source() {
        let events = "events.amazonaws.com";
        let may = |policy: &[ResourceStatement]| {
            policy_allows(policy, events, "sqs:SendMessage", QUEUE, &[("aws:SourceArn", RULE)])
        };
        let good = || statement(events, true, QUEUE, RULE);
        assert!(may(&[good()]));
        assert!(!may(&[]), "no policy");
        assert!(!may(&[statement("sns.amazonaws.com", true, QUEUE, RULE)]), "another service");
        assert!(!may(&[statement(events, true, &format!("{QUEUE}-2"), RULE)]), "another queue");
        assert!(!may(&[statement(events, true, QUEUE, &format!("{RULE}-2"))]), "another rule");
        assert!(!may(&[good(), statement("*", false, "*", RULE)]), "denied after all");
    }
}
