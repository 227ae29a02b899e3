//! Where the server's files lie, and as whom it runs.

use std::fs::{DirBuilder, File};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::{Error, Result};

/// A system user.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct User {
    pub(super) uid: u32,
    pub(super) gid: u32,
}

/// The directory that holds everything of the server, created by us and readable by every user; the data in it belongs to the server's user.
#[derive(Debug)]
pub(super) struct ServerDirectory {
    root: PathBuf,
    /// The user that runs the server; the current one when absent.
    user: Option<User>,
}

impl ServerDirectory {
    pub(super) fn of(workspace: &Path) -> Result<Self> {
        let target = workspace.join("target");
        std::fs::create_dir_all(&target).map_err(Error::file(&target))?;
        let user = server_user()?;
        let root = match user {
            Some(user) if !can_enter(user, &target)? => temporary(workspace)?,
            _ => target,
        };
        let place = Self { root, user };
        let directory = place.directory();
        std::fs::create_dir_all(&directory).map_err(Error::file(&directory))?;
        Ok(place)
    }

    /// Holds all state: `<root>/postgres`.
    pub(super) fn directory(&self) -> PathBuf {
        self.root.join("postgres")
    }

    /// Where the binaries go if they must be installed and we are not root.
    pub(super) fn venv(&self) -> PathBuf {
        self.root.join("venv").join("postgres")
    }

    pub(super) fn user(&self) -> Option<User> {
        self.user
    }

    /// Held while the server is looked for, started or stopped. Ends with the process at the latest.
    pub(super) fn lock(&self) -> Result<File> {
        let path = self.directory().join("lock");
        let lock = File::options().create(true).append(true).open(&path).map_err(Error::file(&path))?;
        lock.lock().map_err(Error::file(&path))?;
        Ok(lock)
    }

    /// A program run as the server's user. The caller's environment stays outside: PGDATA, PGPORT and their like would
    /// change what the programs do.
    pub(super) fn command(&self, program: &Path, user: Option<User>) -> Command {
        let mut command = Command::new(program);
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("HOME", &self.root)
            .current_dir(&self.root)
            .stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        if let Some(user) = user {
            // As root, this drops the supplementary groups too.
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

/// Runs a program to its end and gives what it wrote to its standard output.
pub(super) fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = match command.output() {
        Ok(output) => output,
        Err(source) => return Err(Error::Run { program, source }),
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(said);
    }
    let said = format!("{}: {said}{}", output.status, String::from_utf8_lossy(&output.stderr));
    Err(Error::Failed { program, said: said.trim().to_owned() })
}

/// Root may not run the server.
fn server_user() -> Result<Option<User>> {
    if id("-u", None)? != 0 {
        return Ok(None);
    }
    let of = |name| Ok(User { uid: id("-u", Some(name))?, gid: id("-g", Some(name))? });
    of("postgres").or_else(|_: Error| of("nobody")).map(Some)
}

fn id(what: &str, user: Option<&str>) -> Result<u32> {
    let said = run(Command::new("id").arg(what).args(user))?;
    said.trim().parse().map_err(|_| Error::Failed { program: "id".to_owned(), said })
}

fn can_enter(user: User, directory: &Path) -> Result<bool> {
    let mut test = Command::new("test");
    test.arg("-x").arg(directory).uid(user.uid).gid(user.gid).current_dir("/");
    let status = test.status().map_err(|source| Error::Run { program: "test".to_owned(), source })?;
    Ok(status.success())
}

/// The name can be guessed, so whatever is there must be a directory of our own.
fn temporary(workspace: &Path) -> Result<PathBuf> {
    let hash = hex::encode(&Sha256::digest(workspace.as_os_str().as_encoded_bytes())[..8]);
    let path = std::env::temp_dir().join(format!("medzen-{hash}"));
    match DirBuilder::new().mode(0o755).create(&path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(Error::file(&path)(error)),
        _ => {}
    }
    let found = std::fs::symlink_metadata(&path).map_err(Error::file(&path))?;
    if !found.is_dir() || found.uid() != id("-u", None)? {
        return Err(Error::NotOurs { path });
    }
    Ok(path)
}
