//! What a log line says of an error.

use domain::Error;

/// The chain of sources, by their own words. Adapters keep values out of them.
pub(crate) fn causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}
