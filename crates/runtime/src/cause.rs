//! The text of an error in a log line.

use domain::Error;

/// The messages of an error's chain of sources. Adapters keep values out of them.
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
