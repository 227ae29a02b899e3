//! Roles that are assumed: their trust policies, session policies, and what a session may do.

use serde_json::Value;

use super::resource::{ResourcePolicy, Who};
use super::{Decision, Iam, IamError, Rule, load};
use crate::plan::{Role, Statement};

/// The most characters of a session policy (<https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>).
const MAX_POLICY_CHARACTERS: usize = 2048;

/// A role that a principal of the account may assume.
#[derive(Debug)]
pub(super) struct Assumable {
    role: Role,
    trust: ResourcePolicy,
    rules: Vec<Rule>,
}

/// A session of a role: what its credentials may do.
#[derive(Debug)]
pub struct RoleSession {
    role: String,
    policy: Option<Vec<Rule>>,
}

/// Why a role is not assumed.
#[derive(Debug, thiserror::Error)]
pub enum AssumeError {
    /// There is no such role, or it does not trust the caller: AWS does not say which.
    #[error("not authorized to perform: sts:AssumeRole on resource: {0}")]
    NotTrusted(String),
    /// Longer than the role allows.
    #[error("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")]
    TooLong,
    #[error("The policy is not in the valid JSON format: {0}")]
    Malformed(String),
    #[error("The session policy has {0} characters; the most are {MAX_POLICY_CHARACTERS}.")]
    PolicyTooLarge(usize),
    /// It names what is not known here.
    #[error(transparent)]
    Policy(#[from] IamError),
}

impl Assumable {
    pub(super) fn new(reference: &super::Reference, role: &Role) -> Result<Self, IamError> {
        let rules = role.statements.iter().map(|it| load(reference, &role.name, it));
        Ok(Self {
            role: role.clone(),
            trust: ResourcePolicy::new(&role.name, &role.trust)?,
            rules: rules.collect::<Result<_, _>>()?,
        })
    }
}

impl RoleSession {
    /// The role's ARN.
    #[must_use]
    pub fn role(&self) -> &str {
        &self.role
    }

    /// Whether the session's own policy allows this too; without one it does.
    #[must_use]
    pub fn policy_allows(&self, action: &str, resource: &str, context: &[(&str, &str)]) -> bool {
        let rules = self.policy.as_deref();
        rules.is_none_or(|rules| super::decide_by(rules, action, resource, context).is_allowed())
    }
}

impl Iam {
    /// Assumes a role for a function. The function's own role must allow it as well, which the caller of this has checked: AWS asks for
    /// it only where the trust policy names the account.
    ///
    /// # Errors
    /// When the role does not trust the function's, or the session policy is none.
    pub fn assume(
        &self,
        function: &str,
        role: &str,
        seconds: u32,
        policy: Option<&str>,
        context: &[(&str, &str)],
    ) -> Result<RoleSession, AssumeError> {
        let not_trusted = || AssumeError::NotTrusted(role.to_owned());
        let assumable = self.assumable.get(role).ok_or_else(not_trusted)?;
        let own = self.role_arns.get(function).ok_or_else(not_trusted)?;
        let who = Who::Role { account: crate::template::ACCOUNT, arn: own };
        if !assumable.trust.decide(&who, "sts:AssumeRole", role, context).is_allowed() {
            return Err(not_trusted());
        }
        if u64::from(seconds) > assumable.role.max_session.as_secs() {
            return Err(AssumeError::TooLong);
        }
        let policy = policy.map(|text| self.session_policy(text)).transpose()?;
        Ok(RoleSession { role: role.to_owned(), policy })
    }

    /// Decides a call by the credentials of a session, and records it as one of the role.
    #[must_use]
    pub fn check_session(
        &self,
        session: &RoleSession,
        action: &str,
        resource: Option<&str>,
        context: &[(&str, &str)],
    ) -> Decision {
        let Some(assumable) = self.assumable.get(&session.role) else { return Decision::NotAllowed };
        let resource = match self.reference.action(action) {
            None => return Decision::NotAllowed,
            Some(entry) if entry.types.is_empty() => "*",
            Some(_) => resource.unwrap_or("*"),
        };
        let decision = match super::decide_by(&assumable.rules, action, resource, context) {
            Decision::Allowed if session.policy_allows(action, resource, context) => Decision::Allowed,
            Decision::Allowed => Decision::NotAllowed,
            other => other,
        };
        self.record().called(&assumable.role.name, action, decision.is_allowed());
        decision
    }

    fn session_policy(&self, text: &str) -> Result<Vec<Rule>, AssumeError> {
        if text.len() > MAX_POLICY_CHARACTERS {
            return Err(AssumeError::PolicyTooLarge(text.len()));
        }
        let malformed = |what: &str| AssumeError::Malformed(what.to_owned());
        let document: Value = serde_json::from_str(text).map_err(|error| malformed(&error.to_string()))?;
        if document["Version"] != "2012-10-17" {
            return Err(malformed("its Version is not 2012-10-17"));
        }
        let statements = match &document["Statement"] {
            Value::Array(statements) => statements.iter().collect(),
            one @ Value::Object(_) => vec![one],
            _ => return Err(malformed("it has no Statement")),
        };
        let mut rules = Vec::new();
        for it in statements {
            let statement = statement(it).ok_or_else(|| malformed("a statement is not as it should be"))?;
            rules.push(load(&self.reference, "a session", &statement)?);
        }
        Ok(rules)
    }
}

fn statement(value: &Value) -> Option<Statement> {
    const KEYS: [&str; 5] = ["Sid", "Effect", "Action", "Resource", "Condition"];
    let fields = value.as_object().filter(|it| it.keys().all(|key| KEYS.contains(&key.as_str())))?;
    let allow = match fields.get("Effect")?.as_str()? {
        "Allow" => true,
        "Deny" => false,
        _ => return None,
    };
    let mut conditions = Vec::new();
    if let Some(operators) = fields.get("Condition") {
        for (operator, keys) in operators.as_object()? {
            for (key, values) in keys.as_object()? {
                conditions.push((operator.clone(), key.clone(), texts(values)?));
            }
        }
    }
    Some(Statement {
        sid: fields.get("Sid").and_then(Value::as_str).unwrap_or_default().to_owned(),
        allow,
        actions: texts(fields.get("Action")?)?,
        resources: texts(fields.get("Resource")?)?,
        conditions,
    })
}

/// One text or several.
fn texts(value: &Value) -> Option<Vec<String>> {
    match value {
        Value::String(text) => Some(vec![text.clone()]),
        Value::Array(items) => items.iter().map(|it| it.as_str().map(str::to_owned)).collect(),
        _ => None,
    }
}
