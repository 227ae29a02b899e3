//! This service's metrics: one table, and the log lines that report them.
//!
//! A metric is reported by a line of standard output in the embedded metric format of `CloudWatch`
//! (<https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>).
//! The line has no `level`, so `LOG_LEVEL` does not filter it, and Lambda treats it as INFO: a function's
//! `ApplicationLogLevel` must be INFO, DEBUG or TRACE. `CloudWatch` stores each metric under [`NAMESPACE`] with the one
//! dimension [`DIMENSION`], which an alarm sets to `!Ref` of the function, as it does for the metrics of `AWS/Lambda`.

use std::io::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

/// Namespace of all metrics of [`Metric::ALL`].
pub const NAMESPACE: &str = "MedZenMeetings";

/// The one dimension of all metrics: the name of the Lambda function, from `AWS_LAMBDA_FUNCTION_NAME`. It differs
/// between the deployments of one account.
pub const DIMENSION: &str = "FunctionName";

/// Unit of all metrics.
pub const UNIT: &str = "Count";

macro_rules! metrics {
    ($($(#[doc = $doc:literal])+ $name:ident by $functions:expr;)+) => {
        /// A metric. Its name in `CloudWatch` is the variant's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Metric {
            $($(#[doc = $doc])+ $name,)+
        }

        impl Metric {
            /// Every metric. Alarms in the templates name these and no others; a test compares them.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Name in `CloudWatch`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($name),)+
                }
            }

            /// The functions that report it. Empty: every function.
            #[must_use]
            pub const fn functions(self) -> &'static [&'static str] {
                match self {
                    $(Self::$name => &$functions,)+
                }
            }
        }
    };
}

metrics! {
    /// Sessions that a run of the reconciler closed or failed because no request or event had done so.
    SessionsRepaired by ["meeting-manager"];
    /// Calls that Chime had ended and whose `MeetingEnded` event did not arrive; found by the reconciler.
    MissedMeetingEvents by ["meeting-manager"];
    /// Pending operations that reached their attempt limit in a run.
    PendingOperationsExhausted by ["meeting-manager", "recording", "transcript"];
    /// Segments of recordings that are incomplete or have no file, and recordings that ended because their captures failed.
    RecordingsFailed by ["recording"];
    /// Prefixes of chunks in the bucket that belong to no capture, by a count once a day.
    ChunkPrefixesWithoutRow by ["recording"];
    /// Captures and segments that are past the deadline of their state.
    CapturesStuck by ["recording"];
    /// Captures that go on a minute after a participant refused or revoked consent.
    CapturesNotStopped by ["recording"];
    /// Media pipelines of ours that belonged to no open capture, and were deleted.
    OrphanPipelines by ["recording"];
    /// Live transcriptions that failed: Chime refused or reported it, or confirmed nothing.
    TranscriptionsFailed by ["transcript"];
    /// Live transcriptions that go on a minute after their stop was requested.
    TranscriptionsNotStopped by ["transcript"];
    /// The part of the day's budget of transcription that is reserved or used, in percent.
    TranscriptionBudgetPercent by ["transcript"];
    /// Transcripts of calls that were transcribed and have no segment.
    EmptyTranscripts by ["transcript"];
    /// Transcripts that were read and no longer have the SHA-256 with which they were finished.
    TranscriptsChanged by ["transcript"];
    /// Audit entries whose place in the audit table holds another entry. Stays above zero until an operator resolves it.
    AuditConflicts by ["audit"];
    /// Audit entries that wait for delivery at the end of a run.
    AuditBacklog by ["audit"];
    /// Invocations whose event no trigger could read: HTTP requests that were answered 500, and failed batches.
    EventUnreadable by [];
}

/// Reports values of metrics, all in one line.
///
/// The time is the real clock's: `CloudWatch` rejects a metric that is more than two hours ahead or two weeks behind.
pub fn emit(values: &[(Metric, u64)]) {
    if values.is_empty() {
        return;
    }
    let function = std::env::var("AWS_LAMBDA_FUNCTION_NAME").unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let line = line(&function, u64::try_from(now).unwrap_or(u64::MAX), values);
    // One write for the line with its newline, so that no other thread's line can interleave.
    if let Err(error) = std::io::stdout().lock().write_all(line.as_bytes()) {
        tracing::error!(error = %error, "metrics not written");
    }
}

/// The line with its newline.
fn line(function: &str, now_ms: u64, values: &[(Metric, u64)]) -> String {
    let names: Vec<_> =
        values.iter().map(|(metric, _)| json!({ "Name": metric.name(), "Unit": UNIT })).collect();
    let mut fields = Map::new();
    fields.insert(
        "_aws".to_owned(),
        json!({
            "Timestamp": now_ms,
            "CloudWatchMetrics": [{ "Namespace": NAMESPACE, "Dimensions": [[DIMENSION]], "Metrics": names }],
        }),
    );
    fields.insert(DIMENSION.to_owned(), json!(function));
    for (metric, value) in values {
        fields.insert(metric.name().to_owned(), json!(value));
    }
    let mut line = Value::Object(fields).to_string();
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_line_follows_the_embedded_metric_format() {
        let line = line(
            "project-meeting-manager",
            1_767_225_600_000,
            &[(Metric::SessionsRepaired, 3), (Metric::MissedMeetingEvents, 0)],
        );
        assert!(line.ends_with('\n') && line.matches('\n').count() == 1, "one line: {line:?}");
        let line: Value = serde_json::from_str(&line).expect("the line is JSON");
        assert_eq!(
            line,
            json!({
                "_aws": {
                    "Timestamp": 1_767_225_600_000_u64,
                    "CloudWatchMetrics": [{
                        "Namespace": "MedZenMeetings",
                        "Dimensions": [["FunctionName"]],
                        "Metrics": [
                            { "Name": "SessionsRepaired", "Unit": "Count" },
                            { "Name": "MissedMeetingEvents", "Unit": "Count" },
                        ],
                    }],
                },
                "FunctionName": "project-meeting-manager",
                "SessionsRepaired": 3,
                "MissedMeetingEvents": 0,
            })
        );
    }

    #[test]
    fn a_line_has_no_level_that_lambda_could_filter_by() {
        let all: Vec<_> = Metric::ALL.iter().map(|metric| (*metric, 1)).collect();
        let line: Value = serde_json::from_str(&line("f", 0, &all)).expect("the line is JSON");
        assert_eq!(line.get("level"), None);
    }

    #[test]
    fn names_are_unique_and_none_is_a_field_of_the_format() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len());
        assert!(!names.contains(DIMENSION) && !names.contains("_aws"));
    }
}
