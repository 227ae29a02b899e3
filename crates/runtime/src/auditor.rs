//! The auditor's role: one claim of the token with one value, as the deployment names them.

use domain::Error;
use domain::error::reason;

use crate::{Env, Request};

/// The claim that makes an auditor; without one nobody is an auditor over HTTP. A direct invocation is an auditor's: IAM decides who may
/// invoke a function that asks for the role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditorRole(Option<(String, String)>);

impl AuditorRole {
    /// Reads `AUDITOR_CLAIM` and `AUDITOR_CLAIM_VALUE`: both or none.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        let (name, value) = (env.optional("AUDITOR_CLAIM"), env.optional("AUDITOR_CLAIM_VALUE"));
        match (name.is_empty(), value.is_empty()) {
            (true, true) => Self(None),
            (false, false) => Self(Some((name, value))),
            (true, false) => {
                env.missing("AUDITOR_CLAIM");
                Self(None)
            }
            (false, true) => {
                env.missing("AUDITOR_CLAIM_VALUE");
                Self(None)
            }
        }
    }

    /// Checks that the caller is an auditor.
    ///
    /// # Errors
    /// 401 where the trigger has no identity, 403 for everyone else.
    pub fn check(&self, request: &Request) -> Result<(), Error> {
        request.actor()?;
        let claim = self.0.as_ref().map(|(name, value)| (name.as_str(), value.as_str()));
        if request.is_direct() || claim.is_some_and(|(name, value)| request.has_claim(name, value)) {
            Ok(())
        } else {
            Err(Error::Forbidden(reason::AUDITOR_ONLY))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use domain::audit::{Origin, Via};
    use domain::call::Actor;

    use super::*;
    use crate::Route;
    use crate::json::Fields;

    fn request(route: Route, actor: Option<&str>, claims: &[(&str, &str)]) -> Request {
        let now = time::OffsetDateTime::UNIX_EPOCH;
        let origin = Origin { request_id: "r-1".to_owned(), via: Via::Api, ip: None, user_agent: None, now };
        let claims = claims.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let actor = actor.map(|subject| Actor::Subject(subject.to_owned()));
        Request::new(route, actor, HashMap::new(), Fields::parse(b"{}"), origin).with_claims(claims)
    }

    fn answer(role: &AuditorRole, claims: &[(&str, &str)]) -> &'static str {
        let route = Route::Http("GET /appointments/{appointmentId}/hold".to_owned());
        role.check(&request(route, Some("uid"), claims)).map_or_else(|error| error.code(), |()| "yes")
    }

    #[test]
    fn only_the_exact_value_of_the_one_claim_makes_an_auditor() {
        let role = AuditorRole(Some(("role".to_owned(), "auditor".to_owned())));
        assert_eq!(answer(&role, &[("sub", "uid"), ("role", "auditor")]), "yes");
        for value in ["Auditor", "auditor ", "[auditor]", "[auditor doctor]", "auditor,doctor", "", "doctor"]
        {
            assert_eq!(answer(&role, &[("role", value)]), "AUDITOR_ONLY", "{value:?}");
        }
        for claim in ["Role", "roles", "sub"] {
            assert_eq!(answer(&role, &[(claim, "auditor")]), "AUDITOR_ONLY", "{claim}");
        }
        assert_eq!(answer(&role, &[]), "AUDITOR_ONLY");
    }

    #[test]
    fn without_a_claim_nobody_is_an_auditor_over_http_and_iam_decides_on_direct_invocations() {
        let off = AuditorRole::default();
        for claims in [&[][..], &[("", "")], &[("role", "auditor")]] {
            assert_eq!(answer(&off, claims), "AUDITOR_ONLY", "{claims:?}");
        }
        assert!(off.check(&request(Route::Direct, Some("uid"), &[])).is_ok());
        let nobody = off.check(&request(Route::Direct, None, &[]));
        assert_eq!(nobody.map_err(|error| error.code()), Err("NO_IDENTITY"));
    }
}
