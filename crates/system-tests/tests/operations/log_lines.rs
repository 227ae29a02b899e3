//! The log lines that the runbook quotes are the code's.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use local_testing::{TestResult, workspace};
use regex::Regex;

use crate::runbook::{runbook, symptoms};

/// A log line of the code.
#[derive(Debug)]
struct LogLine {
    level: String,
    message: String,
}

/// Rust sources of what runs on AWS: every crate but those of the local cloud and of tests.
fn sources() -> TestResult<Vec<PathBuf>> {
    let mut sources = Vec::new();
    for krate in std::fs::read_dir(workspace().join("crates"))? {
        let krate = krate?;
        let name = krate.file_name().to_string_lossy().into_owned();
        let src = krate.path().join("src");
        if !name.starts_with("local") && name != "system-tests" && src.is_dir() {
            rust_files(&src, &mut sources)?;
        }
    }
    Ok(sources)
}

fn rust_files(dir: &Path, found: &mut Vec<PathBuf>) -> TestResult {
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            rust_files(&path, found)?;
        } else if path.extension().is_some_and(|it| it == "rs") {
            found.push(path);
        }
    }
    Ok(())
}

/// The log lines of a source: of each `tracing` macro the last text among its arguments.
fn log_lines(source: &str) -> TestResult<Vec<LogLine>> {
    let start = Regex::new(r"tracing::(error|warn|info|debug|trace)!\(")?;
    let text = Regex::new(r#""((?:[^"\\]|\\.)*)""#)?;
    let mut lines = Vec::new();
    for found in start.captures_iter(source) {
        let (whole, [level]) = found.extract();
        let at =
            source[found.get(0).ok_or("a match")?.start()..].get(whole.len()..).ok_or("its arguments")?;
        let arguments = &at[..end(at).ok_or("a macro ends")?];
        let message =
            text.captures_iter(arguments).last().ok_or_else(|| format!("no message: {arguments}"))?;
        lines.push(LogLine { level: level.to_owned(), message: message[1].to_owned() });
    }
    Ok(lines)
}

/// Where the parenthesis closes that was open before this text.
fn end(text: &str) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (1, false, false);
    for (at, char) in text.char_indices() {
        match char {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' if !quoted => depth += 1,
            ')' if !quoted => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return Some(at);
        }
    }
    None
}

#[test]
fn the_runbook_quotes_the_log_lines_of_the_code_and_each_that_an_operator_may_meet() -> TestResult {
    let imported = Regex::new(r"use tracing::[^;]*\b(error|warn|info)\b")?;
    let mut lines = Vec::new();
    for path in sources()? {
        let source = std::fs::read_to_string(&path)?;
        assert!(!imported.is_match(&source), "{}: call macros by their path", path.display());
        lines.extend(log_lines(&source)?);
    }
    assert!(lines.len() > 20, "{}", lines.len());
    let documents = runbook()? + &symptoms()?;
    let quoted = Regex::new(r#"`"([^"`]+)"`"#)?;
    let quoted: BTreeSet<&str> =
        quoted.captures_iter(&documents).filter_map(|it| it.get(1)).map(|it| it.as_str()).collect();

    let written: BTreeSet<&str> = lines.iter().map(|line| line.message.as_str()).collect();
    let unknown: Vec<_> = quoted.difference(&written).collect();
    assert!(unknown.is_empty(), "no code writes these lines of the runbook: {unknown:#?}");

    let met = lines.iter().filter(|line| ["error", "warn"].contains(&line.level.as_str()));
    let missing: BTreeSet<_> =
        met.map(|line| line.message.as_str()).filter(|it| !quoted.contains(it)).collect();
    assert!(missing.is_empty(), "the runbook has nothing about these lines: {missing:#?}");
    Ok(())
}

#[test]
fn the_messages_of_macros_are_found() -> TestResult {
    let source = r#"tracing::warn!(operation = %pending.id("a)"), error = %error, "it \"failed\" (again)"); tracing::info!("done");"#;
    let found: Vec<_> = log_lines(source)?.into_iter().map(|it| (it.level, it.message)).collect();
    let expected = [("warn", "it \\\"failed\\\" (again)"), ("info", "done")];
    assert_eq!(found, expected.map(|(level, message)| (level.to_owned(), message.to_owned())));
    Ok(())
}
