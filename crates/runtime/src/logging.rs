//! Log lines: JSON on standard output, filtered by `LOG_LEVEL`.

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// Crates, by the beginning of their names, that log warnings and errors only, whatever `LOG_LEVEL` says. The AWS SDK
/// and the HTTP client quote requests and answers below that level, and those contain join tokens.
const QUIET: [&str; 7] = ["aws_", "h2", "hyper", "lambda_", "rustls", "tokio", "tower"];

/// Starts logging. Call it first in `main`, before anything can fail.
pub fn start_logging() {
    let wanted = std::env::var("LOG_LEVEL").unwrap_or_default();
    let (level, known) = level(&wanted);
    let lines = tracing_subscriber::fmt::layer()
        .json()
        .flatten_event(true)
        .with_current_span(true)
        .with_span_list(false);
    // A second start (tests in one process) keeps the first.
    let started = tracing_subscriber::registry().with(filter(level)).with(lines).try_init().is_ok();
    if started && !known {
        tracing::warn!(value = wanted, "LOG_LEVEL is unknown, info is used");
    }
}

/// The level, and whether the text named one. Nothing given means `info`.
fn level(text: &str) -> (LevelFilter, bool) {
    match text.trim() {
        "" => (LevelFilter::INFO, true),
        text => text.parse().map_or((LevelFilter::INFO, false), |level| (level, true)),
    }
}

fn filter(level: LevelFilter) -> Targets {
    let quiet = level.min(LevelFilter::WARN);
    Targets::new().with_default(level).with_targets(QUIET.map(|name| (name, quiet)))
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn debug_shows_our_lines_and_not_those_that_quote_requests() {
        let filter = filter(LevelFilter::DEBUG);
        for ours in ["attendee", "audit::ship", "calls::join", "meeting_manager", "runtime::run", "store"] {
            assert!(filter.would_enable(ours, &Level::DEBUG), "{ours}");
            assert!(!filter.would_enable(ours, &Level::TRACE), "{ours}");
        }
        for dependency in
            ["aws_smithy_runtime::client", "aws_sdk_chimesdkmeetings", "hyper_util::client", "rustls"]
        {
            assert!(!filter.would_enable(dependency, &Level::INFO), "{dependency}");
            assert!(filter.would_enable(dependency, &Level::WARN), "{dependency}");
        }
    }

    #[test]
    fn error_shows_errors_alone_of_dependencies_too() {
        let filter = filter(LevelFilter::ERROR);
        for target in ["calls", "aws_smithy_runtime"] {
            assert!(filter.would_enable(target, &Level::ERROR), "{target}");
            assert!(!filter.would_enable(target, &Level::WARN), "{target}");
        }
    }

    #[test]
    fn an_unknown_level_is_info_and_is_reported() {
        assert_eq!(level("debug"), (LevelFilter::DEBUG, true));
        assert_eq!(level("WARN"), (LevelFilter::WARN, true));
        assert_eq!(level(""), (LevelFilter::INFO, true));
        assert_eq!(level("loud"), (LevelFilter::INFO, false));
    }
}
