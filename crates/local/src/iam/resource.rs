//! Policies that hang on a resource.

use super::condition::Condition;
use super::pattern::{matches, matches_ignoring_case};
use crate::plan::ResourceStatement;

/// Whether an operator with these values is one that is evaluated here.
pub(crate) fn is_condition(operator: &str, key: &str, values: &[String]) -> bool {
    Condition::new(operator, key, values).is_some()
}

/// Whether a resource's policy lets a principal (`Service:events.amazonaws.com`) do something to it.
#[must_use]
pub fn policy_allows(
    policy: &[ResourceStatement],
    principal: &str,
    action: &str,
    resource: &str,
    context: &[(&str, &str)],
) -> bool {
    let applies = |it: &&ResourceStatement| {
        let (principals, statement) = (&it.principals, &it.statement);
        principals.iter().any(|named| named == "*" || named == principal)
            && statement.actions.iter().any(|pattern| matches_ignoring_case(pattern, action))
            && statement.resources.iter().any(|pattern| matches(pattern, resource))
            && statement.conditions.iter().all(|(operator, key, values)| {
                Condition::new(operator, key, values).is_some_and(|condition| condition.holds(context))
            })
    };
    let mut allowed = false;
    for it in policy.iter().filter(applies) {
        if !it.statement.allow {
            return false;
        }
        allowed = true;
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::policy_allows;
    use crate::plan::{ResourceStatement, Statement};

    const QUEUE: &str = "arn:aws:sqs:us-east-1:000000000000:queue";
    const RULE: &str = "arn:aws:events:us-east-1:000000000000:rule/one";

    fn statement(principal: &str, allow: bool, resource: &str, rule: &str) -> ResourceStatement {
        let condition = ("ArnEquals".to_owned(), "aws:SourceArn".to_owned(), vec![rule.to_owned()]);
        let statement = Statement {
            sid: String::new(),
            allow,
            actions: vec!["sqs:SendMessage".to_owned()],
            resources: vec![resource.to_owned()],
            conditions: vec![condition],
        };
        ResourceStatement { principals: vec![principal.to_owned()], statement }
    }

    #[test]
    fn a_service_may_do_what_the_policy_says_for_its_source() {
        let events = "Service:events.amazonaws.com";
        let may = |policy: &[ResourceStatement]| {
            policy_allows(policy, events, "sqs:SendMessage", QUEUE, &[("aws:SourceArn", RULE)])
        };
        let good = || statement(events, true, QUEUE, RULE);
        assert!(may(&[good()]));
        assert!(!may(&[]), "no policy");
        assert!(!may(&[statement("Service:sns.amazonaws.com", true, QUEUE, RULE)]), "another service");
        assert!(!may(&[statement(events, true, &format!("{QUEUE}-2"), RULE)]), "another queue");
        assert!(!may(&[statement(events, true, QUEUE, &format!("{RULE}-2"))]), "another rule");
        assert!(!may(&[good(), statement("*", false, "*", RULE)]), "denied after all");
    }
}
