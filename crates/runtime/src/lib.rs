#![doc = include_str!("../README.md")]

mod answer;
mod auditor;
mod aws;
mod config;
mod edge;
mod failed_message;
mod function;
mod json;
mod logging;
pub mod metrics;
mod request;
mod run;
mod secrets;
mod trigger;

pub use answer::Answer;
pub use auditor::AuditorRole;
pub use aws::sdk_config;
pub use config::{BaseConfig, CallsConfig, ConfigError, Env};
pub use edge::Edge;
pub use function::{Function, Handler, Handlers, OnDenial, OnMessages, OnSchedule, Pending};
pub use logging::start_logging;
pub use metrics::Metric;
pub use request::{Request, Route};
pub use run::{run, within};
pub use secrets::{ReadSecret, secret_reader};
pub use trigger::sqs::{Envelope, Message, Messages};

/// The error of a function's `main`: a configuration error, or one of the Lambda runtime.
pub type Error = lambda_runtime::Error;
