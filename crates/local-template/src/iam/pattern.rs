//! IAM's wildcards: `*` is any text, `?` is any one character.

use wildmatch::WildMatch;

/// Whether a pattern matches the whole of a text.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    WildMatch::new(pattern).matches(text)
}

/// The same for the ARN of a resource. A region that is not there is matched by a pattern without a region only: AWS does
/// not document that a wildcard matches an empty part.
pub(super) fn matches_resource(pattern: &str, arn: &str) -> bool {
    let region = |arn: &str| arn.split(':').nth(3).map(str::is_empty);
    matches(pattern, arn) && (pattern == "*" || region(arn) != Some(true) || region(pattern) == Some(true))
}

/// The same without regard to case, as actions are compared.
pub(super) fn matches_ignoring_case(pattern: &str, text: &str) -> bool {
    WildMatch::new_case_insensitive(pattern).matches(text)
}

/// Compares ARNs part by part: a wildcard does not reach over a colon, but in the last part.
pub(super) fn matches_arn(pattern: &str, arn: &str) -> bool {
    let (patterns, parts): (Vec<_>, Vec<_>) =
        (pattern.splitn(6, ':').collect(), arn.splitn(6, ':').collect());
    patterns.len() == parts.len() && patterns.iter().zip(parts).all(|(pattern, part)| matches(pattern, part))
}
