//! One data directory: made once, started when it does not run, stopped.

use std::fs;
use std::io::{ErrorKind, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::binaries::Binaries;
use super::directory::{ServerDirectory, User, run};
use super::{Error, Result};

pub(super) const SUPERUSER: &str = "postgres";

/// Fast because nothing must survive a crash; 400 connections because many tests run at once.
const SETTINGS: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("max_connections", "400"),
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
];

/// Between the look for a free port and its use someone else may take it.
const ATTEMPTS: u32 = 5;

/// `<place>/<major version>`: `data`, `log` and `password`.
#[derive(Debug)]
pub(super) struct Cluster<'a> {
    place: &'a ServerDirectory,
    directory: PathBuf,
    /// The owner of the directory runs the server, even if another user would be chosen today.
    user: Option<User>,
}

impl<'a> Cluster<'a> {
    /// The directory for these binaries, made if it is not there.
    pub(super) fn prepare(place: &'a ServerDirectory, binaries: &Binaries) -> Result<Self> {
        let directory = place.directory().join(binaries.major.to_string());
        if !directory.exists() {
            // Renamed when complete, so that an interrupted attempt leaves nothing that looks like a database.
            let unfinished = place.directory().join(format!("{}.unfinished", binaries.major));
            make(place, binaries, &unfinished)?;
            fs::rename(&unfinished, &directory).map_err(Error::file(&directory))?;
        }
        Self::at(place, directory)
    }

    /// All directories that there are, with binaries that can stop a server in them.
    pub(super) fn all(place: &'a ServerDirectory) -> Result<Vec<(Binaries, Self)>> {
        let Some(binaries) = Binaries::find(place) else { return Ok(Vec::new()) };
        let path = place.directory();
        let mut all = Vec::new();
        for entry in fs::read_dir(&path).map_err(Error::file(&path))? {
            let directory = entry.map_err(Error::file(&path))?.path();
            if directory.join("data").is_dir() && directory.extension().is_none() {
                all.push((binaries.clone(), Self::at(place, directory)?));
            }
        }
        Ok(all)
    }

    fn at(place: &'a ServerDirectory, directory: PathBuf) -> Result<Self> {
        let owner = fs::metadata(&directory).map_err(Error::file(&directory))?;
        let user = place.user().map(|_| User { uid: owner.uid(), gid: owner.gid() });
        Ok(Self { place, directory, user })
    }

    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    pub(super) fn password(&self) -> Result<String> {
        let path = self.directory.join("password");
        let text = fs::read_to_string(&path).map_err(Error::file(&path))?;
        Ok(text.trim().to_owned())
    }

    /// The port of the running server; starts it if need be.
    pub(super) fn ensure_running(&self, binaries: &Binaries) -> Result<u16> {
        let mut attempt = 1;
        loop {
            if let Some(port) = self.running()? {
                return Ok(port);
            }
            match self.start(binaries) {
                Err(_) if attempt < ATTEMPTS => attempt += 1,
                Err(error) => return Err(error),
                Ok(port) => return Ok(port),
            }
        }
    }

    pub(super) fn stop(&self, binaries: &Binaries) -> Result<()> {
        if self.running()?.is_none() {
            return Ok(());
        }
        // Fast: whoever is connected is cut. Immediate, if someone does not let go; nothing must be kept.
        let stop = |mode| run(self.pg_ctl(binaries).args(["-w", "-t", "20", "-m", mode, "stop"]));
        stop("fast").or_else(|_| stop("immediate")).map(drop)
    }

    fn start(&self, binaries: &Binaries) -> Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::file(&self.directory))?;
        let port = listener.local_addr().map_err(Error::file(&self.directory))?.port();
        drop(listener);
        let mut options = format!("-p {port}");
        for (name, value) in SETTINGS {
            options.push_str(" -c ");
            options.push_str(name);
            options.push('=');
            options.push_str(value);
        }
        // pg_ctl gives the server a session of its own: Ctrl-C at the terminal of whoever started it does not reach it.
        let log = self.directory.join("log");
        let started =
            run(self.pg_ctl(binaries).arg("-l").arg(&log).args(["-w", "-t", "60", "-o", &options, "start"]));
        match started {
            Ok(_) => Ok(port),
            Err(Error::Failed { program, said }) => {
                let said = format!(
                    "{said} (see {}; removing {} makes a new one)",
                    log.display(),
                    self.directory.display()
                );
                Err(Error::Failed { program, said })
            }
            Err(error) => Err(error),
        }
    }

    fn pg_ctl(&self, binaries: &Binaries) -> Command {
        let mut command = self.place.command(&binaries.program("pg_ctl"), self.user);
        command.arg("-D").arg(self.data());
        command
    }

    fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// The port, from the file that a running server keeps. After a crash or a restart of the machine the file is there
    /// and its process is not, or is another one: then the file goes, since `PostgreSQL` would take that one for itself.
    fn running(&self) -> Result<Option<u16>> {
        let path = self.data().join("postmaster.pid");
        let file = match fs::read_to_string(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(Error::file(&path))?,
        };
        let mut lines = file.lines();
        let pid: Option<u32> = lines.next().and_then(|pid| pid.trim().parse().ok());
        let port: Option<u16> = lines.nth(2).and_then(|port| port.trim().parse().ok());
        match (pid, port) {
            (Some(pid), Some(port)) if self.is_ours(pid) => Ok(Some(port)),
            _ => {
                fs::remove_file(&path).map_err(Error::file(&path))?;
                Ok(None)
            }
        }
    }

    /// Whether the process is a server on our data: its command line names the directory.
    fn is_ours(&self, pid: u32) -> bool {
        let command_line = if Path::new("/proc/self").exists() {
            fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
        } else {
            let ps = run(Command::new("ps").args(["-ww", "-o", "args=", "-p", &pid.to_string()]));
            ps.unwrap_or_default().into_bytes()
        };
        let data = self.data();
        let data = data.as_os_str().as_encoded_bytes();
        command_line.windows(data.len()).any(|part| part == data)
    }
}

fn make(place: &ServerDirectory, binaries: &Binaries, directory: &Path) -> Result<()> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(Error::file(directory)(error)),
        _ => {}
    }
    fs::DirBuilder::new().mode(0o700).create(directory).map_err(Error::file(directory))?;
    let password = uuid::Uuid::new_v4().simple().to_string();
    write_private(&directory.join("password"), &password, place.user())?;
    let verifier = directory.join("verifier");
    write_private(&verifier, &super::verifier(&password), place.user())?;
    // Only now, so that no other process decides where the files above are written.
    give(directory, place.user())?;
    // C.UTF-8 knows the letters of all languages and is missing on some systems.
    let initdb = |locale: &str| {
        let mut initdb = place.command(&binaries.program("initdb"), place.user());
        initdb.args(["--username", SUPERUSER, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-sync"]);
        initdb.args(["--locale", locale, "--pwfile"]).arg(&verifier).arg("-D").arg(directory.join("data"));
        run(&mut initdb)
    };
    initdb("C.UTF-8").or_else(|_| initdb("C")).map(drop)
}

fn write_private(path: &Path, text: &str, owner: Option<User>) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).map_err(Error::file(path))?;
    file.write_all(text.as_bytes()).map_err(Error::file(path))?;
    give(path, owner)
}

fn give(path: &Path, owner: Option<User>) -> Result<()> {
    let Some(user) = owner else { return Ok(()) };
    chown(path, Some(user.uid), Some(user.gid)).map_err(Error::file(path))
}
