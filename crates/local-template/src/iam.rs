//! Whether a function's role allows a call, decided as AWS decides it, and which permissions were used.
//!
//! Which resource an action is checked against comes from the Service Authorization Reference
//! (`iam/reference.json`, taken out of it by `iam/reference.py`). An action without a resource type is allowed only
//! by a statement whose `Resource` is `*`: a policy that names `meeting/*` for `CreateMeeting` is `AccessDenied`.

mod condition;
mod pattern;
mod reference;
mod resource;
mod session;
mod usage;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::{Plan, Statement};
use condition::Condition;
use pattern::{matches_ignoring_case, matches_resource};
use reference::Reference;
pub(crate) use resource::is_condition;
pub use resource::policy_allows;
pub use resource::{ResourcePolicy, Who};
pub use session::{AssumeError, RoleSession};
pub use usage::Usage;

/// The decision about a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// A statement allows it and none denies it.
    Allowed,
    /// No statement allows it.
    NotAllowed,
    /// The statement with this Sid denies it.
    Denied(String),
}

impl Decision {
    /// Whether the call may go on.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        *self == Self::Allowed
    }
}

/// Why the roles of a plan cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum IamError {
    /// The reference that is built in cannot be read.
    #[error("the built-in authorization reference is broken")]
    Reference(#[source] serde_json::Error),
    /// An action of no service, or of a service that the reference does not hold.
    #[error("role of {function}, statement {sid}: action {action} is not in the authorization reference")]
    UnknownAction {
        /// The function.
        function: String,
        /// The statement's Sid.
        sid: String,
        /// The action, as the template names it.
        action: String,
    },
    /// A condition operator that is not evaluated here.
    #[error("role of {function}, statement {sid}: condition operator {operator} is not known")]
    UnknownOperator {
        /// The function.
        function: String,
        /// The statement's Sid.
        sid: String,
        operator: String,
    },
    /// A condition on a key that none of the statement's actions has: it would never be met.
    #[error("role of {function}, statement {sid}: none of its actions has the condition key {key}")]
    UnknownKey {
        /// The function.
        function: String,
        /// The statement's Sid.
        sid: String,
        key: String,
    },
    /// A condition on a key with several values, whose operator says neither `ForAllValues` nor `ForAnyValue`: AWS
    /// does not define which value it compares.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
    #[error(
        "role of {function}, statement {sid}: {key} has several values, so {operator} needs ForAllValues or ForAnyValue"
    )]
    NoSetOperator {
        /// The function.
        function: String,
        /// The statement's Sid.
        sid: String,
        operator: String,
        key: String,
    },
    /// A policy variable, or a resource that is no ARN.
    #[error("role of {function}, statement {sid}: resource {resource} is neither * nor a plain ARN pattern")]
    BadResource {
        /// The function.
        function: String,
        /// The statement's Sid.
        sid: String,
        resource: String,
    },
}

#[derive(Debug)]
struct Rule {
    statement: Statement,
    conditions: Vec<Condition>,
}

impl Rule {
    fn applies(&self, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
        self.statement.actions.iter().any(|pattern| matches_ignoring_case(pattern, action))
            && self.statement.resources.iter().any(|pattern| matches_resource(pattern, resource))
            && self.conditions.iter().all(|condition| condition.holds(context))
    }
}

/// The roles of all functions, and the record of their use.
#[derive(Debug)]
pub struct Iam {
    reference: Reference,
    roles: BTreeMap<String, Vec<Rule>>,
    /// Of functions, their roles' ARNs.
    role_arns: BTreeMap<String, String>,
    /// Roles that are assumed, by their ARNs.
    assumable: BTreeMap<String, session::Assumable>,
    usage: Mutex<usage::Record>,
}

impl Iam {
    /// Loads the roles of a plan.
    ///
    /// # Errors
    /// For unknown actions, operators and condition keys, which could never be evaluated as AWS does.
    pub fn new(plan: &Plan) -> Result<Self, IamError> {
        let reference = Reference::built_in().map_err(IamError::Reference)?;
        let mut roles = BTreeMap::new();
        let mut record = usage::Record::default();
        for function in &plan.functions {
            let mut statements = Vec::new();
            for statement in &function.role {
                statements.push(load(&reference, &function.name, statement)?);
            }
            let allowed =
                function.role.iter().filter(|it| it.allow).flat_map(|it| it.actions.iter().cloned());
            record.granted(&function.name, allowed);
            roles.insert(function.name.clone(), statements);
        }
        let mut assumable = BTreeMap::new();
        for role in &plan.roles {
            let allowed =
                role.statements.iter().filter(|it| it.allow).flat_map(|it| it.actions.iter().cloned());
            record.granted(&role.name, allowed);
            assumable.insert(role.arn.clone(), session::Assumable::new(&reference, role)?);
        }
        let role_arns = plan.functions.iter().map(|it| (it.name.clone(), it.role_arn.clone())).collect();
        Ok(Self { reference, roles, role_arns, assumable, usage: Mutex::new(record) })
    }

    /// Decides one call and records it.
    ///
    /// `action` is `chime:CreateAttendee`; `resource_arn` is what the call acts on, which is not looked at for an
    /// action without a resource type; without it an action that has one is allowed by `*` only. A key with several
    /// values stands in `context` several times.
    #[must_use]
    pub fn check(
        &self,
        function: &str,
        action: &str,
        resource_arn: Option<&str>,
        context: &[(&str, &str)],
    ) -> Decision {
        let decision = self.decide(function, action, resource_arn, context);
        self.record().called(function, action, decision.is_allowed());
        decision
    }

    /// Decides without recording: what would be asked when something is set up.
    #[must_use]
    pub fn would_allow(&self, function: &str, action: &str, resource_arn: &str) -> bool {
        self.decide(function, action, Some(resource_arn), &[]).is_allowed()
    }

    /// Records that a service was used by what no call of the function shows: `logs`, since the platform writes a
    /// function's logs with the function's role when it is invoked.
    pub fn mark_implied(&self, function: &str, service: &str) {
        self.record().implied(function, service);
    }

    /// The used, unused and denied permissions of each function.
    #[must_use]
    pub fn usage(&self) -> BTreeMap<String, Usage> {
        self.record().report()
    }

    fn decide(&self, function: &str, action: &str, arn: Option<&str>, context: &[(&str, &str)]) -> Decision {
        let arn = match self.reference.action(action) {
            None => return Decision::NotAllowed,
            Some(entry) if entry.types.is_empty() => "*",
            Some(_) => arn.unwrap_or("*"),
        };
        if let Some(without_region) = meeting_without_region(arn) {
            let decision = self.decide_form(function, action, &without_region, context);
            if !decision.is_allowed() {
                return decision;
            }
        }
        self.decide_form(function, action, arn, context)
    }

    fn decide_form(
        &self,
        function: &str,
        action: &str,
        resource: &str,
        context: &[(&str, &str)],
    ) -> Decision {
        decide_by(self.roles.get(function).map_or(&[][..], Vec::as_slice), action, resource, context)
    }

    fn record(&self) -> MutexGuard<'_, usage::Record> {
        self.usage.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn decide_by(rules: &[Rule], action: &str, resource: &str, context: &[(&str, &str)]) -> Decision {
    let mut decision = Decision::NotAllowed;
    for rule in rules.iter().filter(|rule| rule.applies(action, resource, context)) {
        if !rule.statement.allow {
            return Decision::Denied(rule.statement.sid.clone());
        }
        decision = Decision::Allowed;
    }
    decision
}

/// A Chime meeting's ARN as the developer guide and the policy simulator write it, without a region. The API answers the
/// form with a region and the Service Authorization Reference has either, by its date; which one AWS compares is not
/// documented, so a call needs a permission for both.
/// <https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonchime.html>
fn meeting_without_region(arn: &str) -> Option<String> {
    match arn.splitn(6, ':').collect::<Vec<_>>()[..] {
        ["arn", partition, "chime", region, account, resource]
            if !region.is_empty() && resource.starts_with("meeting/") =>
        {
            Some(format!("arn:{partition}:chime::{account}:{resource}"))
        }
        _ => None,
    }
}

fn load(reference: &Reference, function: &str, statement: &Statement) -> Result<Rule, IamError> {
    let place = || (function.to_owned(), statement.sid.clone());
    let mut keys = Vec::new();
    for action in &statement.actions {
        let mut known = reference.matching(action).peekable();
        if known.peek().is_none() {
            let (function, sid) = place();
            return Err(IamError::UnknownAction { function, sid, action: action.clone() });
        }
        keys.extend(known.flat_map(|entry| entry.keys.iter()));
    }
    for resource in &statement.resources {
        let arn = resource.starts_with("arn:") && resource.splitn(6, ':').count() == 6;
        if resource != "*" && (!arn || resource.contains("${")) {
            let (function, sid) = place();
            return Err(IamError::BadResource { function, sid, resource: resource.clone() });
        }
    }
    let mut conditions = Vec::new();
    for (operator, key, values) in &statement.conditions {
        if !key.to_ascii_lowercase().starts_with("aws:")
            && !keys.iter().any(|known| reference::same_key(known, key))
        {
            let (function, sid) = place();
            return Err(IamError::UnknownKey { function, sid, key: key.clone() });
        }
        if reference.is_multivalued(key) && !condition::is_for_sets(operator) {
            let (function, sid) = place();
            let (operator, key) = (operator.clone(), key.clone());
            return Err(IamError::NoSetOperator { function, sid, operator, key });
        }
        let condition = Condition::new(operator, key, values).ok_or_else(|| {
            let (function, sid) = place();
            IamError::UnknownOperator { function, sid, operator: operator.clone() }
        })?;
        conditions.push(condition);
    }
    Ok(Rule { statement: statement.clone(), conditions })
}
