//! The documents: short enough to be read, and what they list is what the code has.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use domain::error::reason;
use domain::operation::Operation;
use local_testing::{TestResult, workspace};

/// Files with what they may have in bytes.
const MAX_BYTES: [(&str, u64); 14] = [
    ("README.md", 10 * 1024),
    ("crates/ARCHITECTURE.md", 8 * 1024),
    ("crates/api/README.md", 10 * 1024),
    ("crates/local/README.md", 4 * 1024),
    ("infra/CALL_PAGE.md", 8 * 1024),
    ("infra/CLIENTS.md", 8 * 1024),
    ("infra/DATABASE.md", 12 * 1024),
    ("infra/LEGAL_HOLDS.md", 4 * 1024),
    ("infra/README.md", 10 * 1024),
    ("infra/RECORDING.md", 8 * 1024),
    ("infra/RUNBOOK.md", 15 * 1024),
    ("infra/SYMPTOMS.md", 6 * 1024),
    ("infra/TRANSCRIPTION.md", 8 * 1024),
    ("infra/TRANSCRIPTION_JOBS.md", 4 * 1024),
];

fn read(file: &str) -> TestResult<String> {
    Ok(fs::read_to_string(workspace().join(file)).map_err(|error| format!("{file}: {error}"))?)
}

/// The cells of the rows of the one table that begins with a header.
fn table<'a>(document: &'a str, header: &str) -> TestResult<Vec<Vec<&'a str>>> {
    let (_, after) = document.split_once(header).ok_or_else(|| format!("no table {header}"))?;
    let rows = after.lines().skip(2).take_while(|line| line.starts_with('|'));
    Ok(rows.map(|row| row.trim_matches('|').split('|').map(str::trim).collect()).collect())
}

/// The texts in backticks.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// The crates of the workspace.
fn crates() -> TestResult<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    for entry in fs::read_dir(workspace().join("crates"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            names.insert(entry.file_name().to_string_lossy().into_owned());
        }
    }
    Ok(names)
}

/// All Markdown files of the repository.
fn documents(folder: &Path, found: &mut Vec<PathBuf>) -> TestResult {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if !name.starts_with('.') && name != "target" && name != "node_modules" {
                documents(&path, found)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "md") {
            found.push(path);
        }
    }
    Ok(())
}

#[test]
fn each_document_is_within_its_size() -> TestResult {
    for (file, most) in MAX_BYTES {
        let bytes = read(file)?.len();
        assert!(u64::try_from(bytes)? <= most, "{file} has {bytes} bytes, of {most}");
    }
    Ok(())
}

#[test]
fn the_map_of_the_architecture_has_every_crate_and_no_other() -> TestResult {
    let architecture = read("crates/ARCHITECTURE.md")?;
    let rows = table(&architecture, "| crate | holds |")?;
    let mapped: Vec<String> = rows.iter().flat_map(|row| quoted(row[0])).map(str::to_owned).collect();
    let once: BTreeSet<String> = mapped.iter().cloned().collect();
    assert_eq!(once.len(), mapped.len(), "a crate is there twice: {mapped:?}");
    assert_eq!(once, crates()?);
    Ok(())
}

#[test]
fn every_crate_has_a_readme_that_is_its_documentation() -> TestResult {
    for name in crates()? {
        let library = read(&format!("crates/{name}/src/lib.rs"))?;
        assert!(library.starts_with("#![doc = include_str!(\"../README.md\")]"), "{name}/src/lib.rs");
        assert!(!read(&format!("crates/{name}/README.md"))?.trim().is_empty(), "{name}/README.md");
    }
    Ok(())
}

#[test]
fn every_error_code_is_in_the_guide_with_its_status() -> TestResult {
    let guide = read("crates/api/ERRORS.md")?;
    let mut listed = BTreeSet::new();
    for row in table(&guide, "| status | code |")? {
        let status: u16 = row[0].parse()?;
        for code in quoted(row[1]) {
            assert!(listed.insert((status, code)), "{status} {code} is there twice");
        }
    }
    let known: BTreeSet<(u16, &str)> = reason::ALL.iter().map(|it| (it.status, it.code)).collect();
    assert_eq!(listed, known);
    let guide = read("crates/api/README.md")?;
    for item in reason::ITEMS {
        assert!(guide.contains(&format!("`{}`", item.code)), "{} is not in the guide", item.code);
    }
    Ok(())
}

#[test]
fn the_table_of_operations_has_every_operation_with_its_executor() -> TestResult {
    let architecture = read("crates/ARCHITECTURE.md")?;
    let rows = table(&architecture, "| operation | executor |")?;
    let listed: Vec<(&str, &str)> =
        rows.iter().map(|row| (row[0].trim_matches('`'), row[1].trim_matches('`'))).collect();
    let known: Vec<(&str, &str)> = Operation::ALL.iter().map(|it| (it.as_str(), it.executor())).collect();
    assert_eq!(listed, known);
    Ok(())
}

#[test]
fn every_relative_link_leads_to_a_file() -> TestResult {
    let root = workspace();
    let mut files = Vec::new();
    documents(&root, &mut files)?;
    assert!(files.len() > 20, "{files:?}");
    let link = regex::Regex::new(r"\]\(([^)\s]+)\)")?;
    for file in files {
        let text = fs::read_to_string(&file)?;
        for found in link.captures_iter(&text) {
            let target = found[1].split('#').next().unwrap_or_default();
            if target.is_empty() || target.contains("://") {
                continue;
            }
            let path = file.parent().unwrap_or(&root).join(target);
            assert!(path.exists(), "{} links to {target}", file.display());
        }
    }
    Ok(())
}

#[test]
fn the_database_document_lists_the_columns_that_a_migration_checks() -> TestResult {
    let checked = read("crates/schema/sql/host_columns.sql")?;
    let document = read("infra/DATABASE.md")?;
    let listed: BTreeSet<&str> = quoted(&document).collect();
    let rows = checked.lines().filter(|line| line.trim_start().starts_with("('medzen."));
    let mut columns = 0;
    for row in rows {
        let texts: Vec<_> = row.split('\'').skip(1).step_by(2).collect();
        let [view, column, .., kind] = texts.as_slice() else {
            return Err(format!("no column: {row}").into());
        };
        assert!(listed.contains(view) && listed.contains(column), "{view}.{column}");
        assert!(document.contains(kind), "{kind} of {column}");
        columns += 1;
    }
    assert_eq!(columns, 10);
    Ok(())
}

/// A secret of Secrets Manager has 65,536 bytes at most
/// (<https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html>); the global bundle of RDS has 174,184.
#[test]
fn the_authority_of_rds_is_the_bundle_of_its_region_which_fits_into_a_secret() -> TestResult {
    let root = workspace();
    let mut files = Vec::new();
    documents(&root, &mut files)?;
    let bundle = regex::Regex::new(r"[^\s/`(]*bundle\.pem")?;
    for file in files {
        let text = fs::read_to_string(&file)?;
        for found in bundle.find_iter(&text) {
            assert_eq!(found.as_str(), "<region>-bundle.pem", "{}", file.display());
        }
    }
    let document = read("infra/DATABASE.md")?;
    let (_, secret) = document.split_once("## 4. The secret").ok_or("no section on the secret")?;
    let (secret, _) = secret.split_once("\n## ").ok_or("no next section")?;
    for named in ["RDS", "<region>-bundle.pem", "64 KB"] {
        assert!(secret.contains(named), "the section on the secret does not name {named}");
    }
    Ok(())
}
