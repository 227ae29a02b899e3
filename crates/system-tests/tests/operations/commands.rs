//! Commands of the guides and the Makefile, run as an operator runs them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use local_testing::{TestResult, workspace};
use regex::Regex;

fn read(file: &str) -> TestResult<String> {
    Ok(fs::read_to_string(workspace().join(file)).map_err(|error| format!("{file}: {error}"))?)
}

/// The one place of a file that a pattern with one group finds.
fn found(file: &str, pattern: &str) -> TestResult<String> {
    let text = read(file)?;
    let places: Vec<_> = Regex::new(pattern)?.captures_iter(&text).map(|it| it[1].to_owned()).collect();
    let [one] = places.as_slice() else {
        return Err(format!("{file} has {pattern} {} times", places.len()).into());
    };
    Ok(one.clone())
}

#[test]
fn readme_makefile_and_lints_agree_on_the_oldest_python() -> TestResult {
    let linted = found(".ruff.toml", r#"target-version = "py3(\d+)""#)?;
    assert_eq!(found("README.md", r"Python 3\.(\d+) or newer")?, linted);
    assert_eq!(found("Makefile", r"sys\.version_info < \(3, (\d+)\)")?, linted);
    Ok(())
}

/// Ubuntu 22.04 has 3.10, Amazon Linux 2023 and macOS have 3.9.
#[test]
fn an_older_python_is_named_before_anything_is_installed() -> TestResult {
    let linted = found(".ruff.toml", r#"target-version = "py3(\d+)""#)?;
    let folder = tempfile::tempdir()?;
    let python = folder.path().join("python3");
    // Its answer to the comparison is that of an older version, and it makes no environment.
    fs::write(&python, "#!/bin/sh\n[ \"$1\" = --version ] && echo 'Python 3.9.18'\n")?;
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755))?;
    let path = format!("{}:{}", folder.path().display(), std::env::var("PATH")?);
    let output = Command::new("make")
        .args(["--no-print-directory", "target/venv/ruff-0"])
        .current_dir(workspace())
        .env("PATH", path)
        .env_remove("MAKEFLAGS")
        .env_remove("MAKELEVEL")
        .output()?;
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{errors}");
    assert!(errors.contains(&format!("Python 3.{linted} or newer")), "{errors}");
    assert!(errors.contains("Python 3.9.18"), "{errors}");
    Ok(())
}

/// The host's statuses may have a space: `CancelledStatuses` takes those of every language.
#[test]
fn the_guides_deployment_passes_each_parameter_as_one_argument() -> TestResult {
    let guide = read("infra/README.md")?;
    let (_, block) =
        guide.split_once("--output-template-file target/app.yaml\n").ok_or("a packaged template")?;
    let (commands, _) = block.split_once("\nmake cdn ").ok_or("the call page")?;
    let mut parameters: BTreeMap<String, String> =
        serde_json::from_str(&read("infra/params/prod.example.json")?)?;
    parameters.insert("CancelledStatuses".to_owned(), "cancelled, nicht erschienen".to_owned());
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("infra/params/prod.json");
    fs::create_dir_all(file.parent().ok_or("a folder")?)?;
    fs::write(file, serde_json::to_string(&parameters)?)?;
    let script = format!("aws() {{ printf '%s\\n' \"$@\"; }}\n{commands}");
    let output = Command::new("bash").args(["-euc", &script]).current_dir(folder.path()).output()?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let arguments = String::from_utf8(output.stdout)?;
    let (_, given) = arguments.split_once("--parameter-overrides\n").ok_or_else(|| arguments.clone())?;
    let given: Vec<&str> = given.lines().collect();
    let wanted: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(given, wanted);
    Ok(())
}
