//! The functions' executables, built from the source as it is when a test process first needs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

use crate::{TestResult, workspace};

/// Once for each test process; the tests that come meanwhile wait here.
static BUILT: LazyLock<Result<PathBuf, String>> =
    LazyLock::new(|| build_all().map_err(|error| error.to_string()));

/// The directory with the executables. Cargo does nothing when they are up to date.
///
/// # Errors
/// When they cannot be built, with the compiler's output.
pub(super) fn build() -> TestResult<PathBuf> {
    Ok(BUILT.as_ref().map_err(String::as_str)?.clone())
}

fn build_all() -> TestResult<PathBuf> {
    let directory = beside_this_test()?;
    let profile = directory.file_name().and_then(|name| name.to_str()).ok_or("no profile's name")?;
    let target = directory.parent().ok_or("the executables are in no target directory")?;
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // All packages, and `--examples`, of which there are none, for the tests' features: another set would be a second build.
    cargo.args(["build", "--quiet", "--workspace", "--bins", "--examples", "--frozen"]);
    cargo.args(["--profile", if profile == "debug" { "dev" } else { profile }]);
    cargo.arg("--target-dir").arg(target).current_dir(workspace());
    // Cargo's variables for this test would count as changed inputs of build scripts and rebuild all dependents.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(about_this_test) {
            cargo.env_remove(name);
        }
    }
    let output = cargo.output()?;
    if output.status.success() {
        return Ok(directory);
    }
    Err(format!("the functions cannot be built:\n{}", String::from_utf8_lossy(&output.stderr)).into())
}

/// Variables that cargo sets for the process of a test.
fn about_this_test(name: &str) -> bool {
    [
        "CARGO_PKG_",
        "CARGO_MANIFEST_",
        "CARGO_BIN_",
        "CARGO_CRATE_NAME",
        "CARGO_PRIMARY_PACKAGE",
        "CARGO_TARGET_TMPDIR",
    ]
    .iter()
    .any(|start| name.starts_with(start))
}

/// Where cargo puts executables: the test's own is in `deps` below it.
fn beside_this_test() -> TestResult<PathBuf> {
    let test = std::env::current_exe()?;
    let deps = test.parent().ok_or("the test is in no directory")?;
    Ok(deps.parent().map(Path::to_owned).ok_or("the test is in no target directory")?)
}
