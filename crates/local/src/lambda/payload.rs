//! The payloads and log lines that Lambda itself writes.

use std::process::ExitStatus;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;

/// `LogResult` carries at most this many bytes of the log.
const LOG_TAIL: usize = 4096;

/// The invocation outlasted its time.
pub(super) fn timed_out(request_id: &str, after: Duration) -> Bytes {
    let seconds = after.as_secs_f64();
    error(
        "Sandbox.Timedout",
        &format!("RequestId: {request_id} Error: Task timed out after {seconds:.2} seconds"),
    )
}

/// The process ended while it served, or before it asked for its first event.
pub(super) fn exited(request_id: &str, status: Option<ExitStatus>) -> Bytes {
    let reason = match status {
        Some(status) if !status.success() => format!("exited with error: {}", why(status)),
        _ => "exited without providing a reason".to_owned(),
    };
    error("Runtime.ExitError", &format!("RequestId: {request_id} Error: Runtime {reason}"))
}

/// The executable could not be started.
pub(super) fn not_started(request_id: &str, cause: &std::io::Error) -> Bytes {
    error(
        "Runtime.InvalidEntrypoint",
        &format!("RequestId: {request_id} Error: fork/exec bootstrap: {cause}"),
    )
}

/// The answer was too large.
pub(super) fn too_large(limit: usize) -> Bytes {
    let message = format!("Response payload size exceeded maximum allowed payload size ({limit} bytes).");
    error("Function.ResponseSizeTooLarge", &message)
}

fn error(kind: &str, message: &str) -> Bytes {
    Bytes::from(json!({ "errorType": kind, "errorMessage": message }).to_string())
}

fn why(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(9)) => "signal: killed".to_owned(),
        (None, Some(signal)) => format!("signal: {signal}"),
        (None, None) => status.to_string(),
    }
}

/// The log of an invocation as AWS frames it, its end if it is long.
pub(super) fn log_tail(request_id: &str, lines: &[String], took: Duration, memory_mb: u32) -> String {
    let ms = took.as_secs_f64() * 1000.0;
    let billed = ms.ceil();
    let lines: String = lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect();
    let log = format!(
        "START RequestId: {request_id} Version: $LATEST\n{lines}END RequestId: {request_id}\nREPORT RequestId: \
         {request_id}\tDuration: {ms:.2} ms\tBilled Duration: {billed} ms\tMemory Size: {memory_mb} MB\n"
    );
    let mut from = log.len().saturating_sub(LOG_TAIL);
    while !log.is_char_boundary(from) {
        from += 1;
    }
    log[from..].to_owned()
}
