//! How to run a local cloud.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::chime;
use crate::media::MediaOptions;
use crate::seed::Host;

/// Ports; 0 takes a free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The AWS endpoint with the control API under `/_local/`.
    pub aws: u16,
    /// The HTTP API.
    pub api: u16,
    /// The Invoke API.
    pub invoke: u16,
    /// The proxy through which functions reach PostgreSQL.
    pub postgres: u16,
    /// The call page's distribution.
    pub page: u16,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository: `infra/` with the templates, `target/` for PostgreSQL.
    pub workspace: PathBuf,
    /// The directory with the functions' executables.
    pub binaries: PathBuf,
    pub ports: Ports,
    /// The database's name; one of that name is dropped first.
    pub database: String,
    /// The host application's part of the database.
    pub host: Host,
    /// Whether schedules run by themselves; else only on demand.
    pub auto_schedules: bool,
    /// Whether queues are read only when that is asked for (`Pollers::release`).
    pub hold_queues: bool,
    /// Whether the functions' log lines are shown.
    pub echo: bool,
    /// The limits of the Chime engine.
    pub chime: chime::Options,
    /// The media plane of calls; none: nothing answers where meetings say that signalling is.
    pub media: Option<MediaOptions>,
    /// Where the call page was built; without one its bucket is empty.
    pub page: Option<PathBuf>,
    /// Parameters of the templates, laid over those of `infra/params/local.json`.
    pub parameters: BTreeMap<String, String>,
}
