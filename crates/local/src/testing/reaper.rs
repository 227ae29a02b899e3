//! Drops the databases of tests that are over, on a thread of its own.
//!
//! `DROP DATABASE` waits until every backend of the server has taken notice, one that is still authenticating too. A test
//! that waited for it on its own runtime would keep that runtime from carrying on the very conversation that is waited
//! for, until PostgreSQL gives up on it after a minute (seen). So nobody waits: a test process may end before its last
//! databases are dropped, and the next one drops what is an hour old.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::postgres::Server;

const PREFIX: &str = "test_";
const ABANDONED: Duration = Duration::from_hours(1);

/// A name for a new database: when it was made, and a random part.
pub(super) fn name() -> String {
    format!("{PREFIX}{}_{}", seconds(), uuid::Uuid::new_v4().simple())
}

/// Has a database dropped.
pub(super) fn reap(server: Server, database: String) {
    static REAPER: OnceLock<Sender<(Server, String)>> = OnceLock::new();
    let reaper = REAPER.get_or_init(|| {
        let (orders, received) = channel();
        // Not joined: it goes with the process.
        std::thread::spawn(move || serve(&received));
        orders
    });
    if reaper.send((server, database)).is_err() {
        eprintln!("a test's database is left behind: nobody drops it");
    }
}

fn serve(orders: &Receiver<(Server, String)>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let mut looked = false;
    while let Ok((server, database)) = orders.recv() {
        let mut doomed = vec![database];
        if !looked {
            looked = true;
            doomed.extend(runtime.block_on(abandoned(&server)));
        }
        for database in doomed {
            let dropped = runtime.block_on(async {
                server.drop_database(&database).await?;
                // Its functions' login bears its name.
                server.drop_login(&database).await
            });
            if let Err(error) = dropped {
                eprintln!("the database {database} is left behind: {error}");
            }
        }
    }
}

/// Databases of test processes that ended before they were dropped.
async fn abandoned(server: &Server) -> Vec<String> {
    let names = server.databases().await.unwrap_or_default();
    let made = |name: &str| name.strip_prefix(PREFIX)?.split_once('_')?.0.parse::<u64>().ok();
    let before = seconds().saturating_sub(ABANDONED.as_secs());
    names.into_iter().filter(|name| made(name).is_some_and(|made| made < before)).collect()
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
