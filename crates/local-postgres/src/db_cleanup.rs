//! Drops the databases of finished tests, on a thread of its own.
//!
//! `DROP DATABASE` waits until every backend of the server has acknowledged it, also one that is still authenticating. A test
//! that waited for the statement on its own runtime would stop that runtime from answering the authentication, until
//! PostgreSQL closes the connection after 60 seconds. So no test waits: a test process may end before its last databases
//! are dropped, and a later process drops those that are an hour old.

use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Server;

const PREFIX: &str = "test_";
const ABANDONED_AFTER: Duration = Duration::from_hours(1);

/// A name for a new database: the time of its creation, and a random part.
#[must_use]
pub fn name() -> String {
    format!("{PREFIX}{}_{}", seconds(), uuid::Uuid::new_v4().simple())
}

/// Enqueues a database to be dropped.
pub fn enqueue(server: Server, database: String) {
    static QUEUE: OnceLock<Sender<(Server, String)>> = OnceLock::new();
    let queue = QUEUE.get_or_init(|| {
        let (orders, received) = channel();
        // Not joined: it goes with the process.
        std::thread::spawn(move || serve(&received));
        orders
    });
    if queue.send((server, database)).is_err() {
        eprintln!("a test's database is not dropped: the clean-up thread has ended");
    }
}

fn serve(orders: &Receiver<(Server, String)>) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    let mut looked = false;
    while let Ok((server, database)) = orders.recv() {
        let mut databases = vec![database];
        if !looked {
            looked = true;
            databases.extend(runtime.block_on(abandoned(&server)));
        }
        for database in databases {
            let dropped = runtime.block_on(async {
                server.drop_database(&database).await?;
                // Its functions' login bears its name.
                server.drop_login(&database).await?;
                server.drop_login(&schema::functions_role(&database)).await
            });
            if let Err(error) = dropped {
                eprintln!("the database {database} is not dropped: {error}");
            }
        }
    }
}

/// Databases of test processes that ended before they were dropped.
async fn abandoned(server: &Server) -> Vec<String> {
    let names = server.databases().await.unwrap_or_default();
    let made = |name: &str| name.strip_prefix(PREFIX)?.split_once('_')?.0.parse::<u64>().ok();
    let before = seconds().saturating_sub(ABANDONED_AFTER.as_secs());
    names.into_iter().filter(|name| made(name).is_some_and(|made| made < before)).collect()
}

fn seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
