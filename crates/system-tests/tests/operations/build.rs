//! `infra/hermetic.py`, by which `make build` runs cargo: no configuration from outside the repository reaches what is deployed.

use std::path::Path;
use std::process::Command;

use local_testing::{TestResult, workspace};

const MAIN: &str = r#"fn main() { println!("{}", if cfg!(leaked) { "leaked" } else { "clean" }); }"#;
const MANIFEST: &str = "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n[profile.dev]\ndebug = 0\n";
const FLAGS: &str = "rustflags = [\"--cfg\", \"leaked\"]\n";

/// Where a flag can come from.
#[derive(Clone, Copy, Debug)]
enum Leak {
    Parent,
    Home,
    HomeForTarget,
    Variable,
    EncodedVariable,
}

/// A crate below a directory, and a home of cargo; one of them, or the environment, has a flag.
fn built(hermetic: bool, leak: Leak) -> TestResult<String> {
    let directory = tempfile::tempdir()?;
    let (parent, home) = (directory.path().join("parent"), directory.path().join("home"));
    let repository = parent.join("repository");
    for folder in [&repository.join("src"), &parent.join(".cargo"), &home] {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(repository.join("Cargo.toml"), MANIFEST)?;
    std::fs::write(repository.join("src/main.rs"), MAIN)?;
    let mut command = if hermetic {
        let mut command = Command::new("python3");
        command.arg("-B").arg(workspace().join("infra/hermetic.py")).arg("cargo");
        command
    } else {
        Command::new("cargo")
    };
    let write = |path: &Path, table: &str| std::fs::write(path, format!("[{table}]\n{FLAGS}"));
    // The tests themselves may be run with flags.
    command.env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS").env_remove("CARGO_BUILD_RUSTFLAGS");
    match leak {
        Leak::Parent => write(&parent.join(".cargo/config.toml"), "build")?,
        Leak::Home => write(&home.join("config.toml"), "build")?,
        Leak::HomeForTarget => write(&home.join("config.toml"), "target.'cfg(all())'")?,
        Leak::Variable => drop(command.env("RUSTFLAGS", "--cfg leaked")),
        Leak::EncodedVariable => drop(command.env("CARGO_ENCODED_RUSTFLAGS", "--cfg\u{1f}leaked")),
    }
    command.args(["run", "--quiet", "--offline"]).arg("--manifest-path").arg(repository.join("Cargo.toml"));
    command.arg("--target-dir").arg(directory.path().join("target"));
    let output = command.env("CARGO_HOME", &home).current_dir(&repository).output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{leak:?}: {errors}");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

#[test]
fn no_flag_from_outside_the_repository_reaches_what_is_deployed() -> TestResult {
    for leak in [Leak::Parent, Leak::Home, Leak::HomeForTarget, Leak::Variable, Leak::EncodedVariable] {
        assert_eq!(built(false, leak)?, "leaked", "cargo by itself: {leak:?}");
        assert_eq!(built(true, leak)?, "clean", "{leak:?}");
    }
    Ok(())
}

#[test]
fn make_build_runs_cargo_hermetically() -> TestResult {
    let makefile = std::fs::read_to_string(workspace().join("Makefile"))?;
    let (_, recipe) = makefile.split_once("\nbuild: ").ok_or("a target")?;
    let recipe = recipe.split("\n\n").next().unwrap_or_default();
    let (_, command) = recipe.split_once("infra/hermetic.py cargo lambda build ").ok_or(recipe)?;
    assert!(!command.contains("--target-dir"), "cargo-lambda fails with it: {command}");
    Ok(())
}
