//! Path patterns of behaviors.

use wildmatch::WildMatch;

/// Whether a path matches: `*` is any text, slashes too, `?` one character. Case counts; a leading slash may be left out
/// of the pattern.
pub(super) fn matches(pattern: &str, path: &str) -> bool {
    let pattern = pattern.strip_prefix('/').unwrap_or(pattern);
    WildMatch::new(pattern).matches(path.strip_prefix('/').unwrap_or(path))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn a_star_takes_slashes_too_and_case_counts() {
        for (pattern, path, expected) in [
            ("/assets/*", "/assets/a/b.js", true),
            ("assets/*", "/assets/", true),
            ("/assets/*", "/assets", false),
            ("/assets/*", "/Assets/a", false),
            ("/recordings*", "/recordings", true),
            ("/recordings*", "/recordings/1/playback", true),
            ("/health", "/healthy", false),
            ("/a?c", "/abc", true),
            ("/a?c", "/ac", false),
            ("*", "/", true),
            ("*.js", "/x/y.js", true),
        ] {
            assert_eq!(matches(pattern, path), expected, "{pattern} {path}");
        }
    }
}
