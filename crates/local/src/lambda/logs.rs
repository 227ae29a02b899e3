//! The log lines of the functions.

use std::sync::{Arc, Mutex};

use serde::Serialize;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};

use super::lock;

/// A line that a function wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LogLine {
    /// The function.
    pub function: String,
    /// The environment, which is the log stream.
    pub environment: String,
    /// The line, without its end; bytes that are not UTF-8 are replaced.
    pub line: String,
}

/// All lines of this run, in memory, in the order in which they were read. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Logs {
    lines: Arc<Mutex<Vec<LogLine>>>,
    echo: bool,
}

impl Logs {
    pub(super) fn new(echo: bool) -> Self {
        Self { lines: Arc::default(), echo }
    }

    /// All lines so far.
    #[must_use]
    pub fn all(&self) -> Vec<LogLine> {
        lock(&self.lines).clone()
    }

    /// How many lines there are: a place to read on from.
    pub(super) fn position(&self) -> usize {
        lock(&self.lines).len()
    }

    /// The lines of one environment after a position.
    pub(super) fn after(&self, position: usize, environment: &str) -> Vec<String> {
        let lines = lock(&self.lines);
        let of_environment = |line: &&LogLine| line.environment == environment;
        lines.iter().skip(position).filter(of_environment).map(|line| line.line.clone()).collect()
    }

    /// Reads lines until the process closes its end.
    pub(super) async fn collect(self, function: String, environment: String, from: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(from).split(b'\n');
        // A read error means the same as the end: nothing more comes from this process.
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned();
            if self.echo {
                eprintln!("{environment} {line}");
            }
            let (function, environment) = (function.clone(), environment.clone());
            lock(&self.lines).push(LogLine { function, environment, line });
        }
    }
}
