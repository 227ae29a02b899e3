use std::fs::Permissions;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use local_postgres::{Server, Stopped};
use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::fixture::{connect, with_fixture};

/// Names the workspace to the processes that [`processes_and_threads_that_start_at_once_get_one_server`] starts.
const WORKSPACE: &str = "LOCAL_TEST_WORKSPACE";

/// Tells such a process to use the server until it is killed.
const HOLDS: &str = "LOCAL_TEST_HOLDS";

fn empty_workspace(mode: u32) -> TempDir {
    let workspace = TempDir::new().expect("a directory");
    std::fs::set_permissions(workspace.path(), Permissions::from_mode(mode)).expect("permissions");
    workspace
}

async fn answer(server: &Server) -> Result<String, tokio_postgres::Error> {
    let client = connect(&server.admin_url().parse().expect("an address")).await?;
    Ok(client.query_one("SELECT current_setting('data_directory')", &[]).await?.get(0))
}

#[tokio::test]
async fn processes_and_threads_that_start_at_once_get_one_server() {
    let workspace = empty_workspace(0o755);
    let child = || {
        let mut child = Command::new(std::env::current_exe().expect("this test's program"));
        child.args(["--exact", "server::in_a_process", "--ignored", "--nocapture"]);
        child.env(WORKSPACE, workspace.path()).stdout(Stdio::piped());
        child.spawn().expect("a process")
    };
    let children = [child(), child()];
    let (one, two) = tokio::join!(Server::ensure(workspace.path()), Server::ensure(workspace.path()));
    let (one, two) = (one.expect("a server"), two.expect("a server"));
    assert_eq!(one.admin_url(), two.admin_url());
    for child in children {
        let output = child.wait_with_output().expect("the process ends");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&one.admin_url()), "another server: {said}");
    }
    // The processes that may have started it are gone, it is not.
    let data = answer(&one).await.expect("it answers");
    assert_eq!(Path::new(&data).parent(), Some(one.directory()));

    drop(two);
    assert_eq!(one.stop().await.expect("stopped"), Stopped::Yes);
    answer(&one).await.expect_err("it is stopped");
    let again = local_postgres::stop(workspace.path()).await.expect("stopping what is stopped is no error");
    assert_eq!(again, Stopped::Yes);
}

#[tokio::test]
#[ignore = "a part of processes_and_threads_that_start_at_once_get_one_server"]
async fn in_a_process() {
    let workspace = std::env::var_os(WORKSPACE).expect("the workspace");
    let server = Server::ensure(Path::new(&workspace)).await.expect("a server");
    println!("{}", server.admin_url());
    if std::env::var_os(HOLDS).is_some() {
        // Until this process is killed.
        let _end = std::io::stdin().read_to_string(&mut String::new());
    }
}

#[tokio::test]
async fn a_server_that_another_process_uses_is_not_stopped() {
    let workspace = empty_workspace(0o755);
    let mut other = Command::new(std::env::current_exe().expect("this test's program"));
    other.args(["--exact", "server::in_a_process", "--ignored", "--nocapture"]);
    other.env(WORKSPACE, workspace.path()).env(HOLDS, "1");
    other.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut other = other.spawn().expect("a process");
    let lines = BufReader::new(other.stdout.take().expect("its output")).lines();
    let url =
        lines.map_while(Result::ok).find(|line| line.contains("postgres://")).expect("it uses the server");

    let server = Server::ensure(workspace.path()).await.expect("the same server");
    assert!(url.contains(&server.admin_url()), "another server: {url}");
    assert_eq!(server.stop().await.expect("asked"), Stopped::InUse);
    answer(&server).await.expect("it keeps running");

    // Its end releases the server, also an end by a signal.
    other.kill().expect("killed");
    other.wait().expect("it ends");
    let stopped = local_postgres::stop(workspace.path()).await.expect("asked");
    assert_eq!(stopped, Stopped::Yes);
    answer(&server).await.expect_err("it is stopped");
}

#[tokio::test]
async fn a_server_that_crashed_is_started_again_with_its_data() {
    let workspace = empty_workspace(0o755);
    let server = Server::ensure(workspace.path()).await.expect("a server");
    server.create_database("kept").await.expect("a database");
    server.stop().await.expect("stopped");
    // The remains of a crash: a file that names a process which belongs to another user by now.
    let pid_file = server.directory().join("data/postmaster.pid");
    let left = format!("{}\n{}\n0\n1\n", std::process::id(), server.directory().join("data").display());
    std::fs::write(&pid_file, left).expect("a file left behind");

    let again = Server::ensure(workspace.path()).await.expect("started again");
    let kept = connect(&again.url("kept").parse().expect("an address")).await;
    again.stop().await.expect("stopped");
    kept.expect("the database is still there");
}

#[tokio::test]
async fn a_workspace_that_the_server_may_not_enter_gets_a_directory_elsewhere() {
    let workspace = empty_workspace(0o700);
    let server = Server::ensure(workspace.path()).await.expect("a server");
    let data = answer(&server).await;
    server.stop().await.expect("stopped");
    let place = server.directory().parent().and_then(Path::parent).expect("a place");
    let inside = server.directory().starts_with(workspace.path().canonicalize().expect("a path"));
    // A user other than root runs the server as itself, so it may enter.
    let is_root = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(place).expect("a place")) == 0;
    assert_eq!(inside, !is_root, "{}", place.display());
    if !inside {
        std::fs::remove_dir_all(place).expect("the place goes");
    }
    data.expect("it answers");
}

#[tokio::test]
async fn only_who_knows_the_password_gets_in() {
    with_fixture(|fixture| async move {
        let mut config = fixture.server.admin_url().parse::<tokio_postgres::Config>().expect("an address");
        config.password("guessed");
        let refused = config.connect(NoTls).await.map(drop).expect_err("a wrong password");
        assert_eq!(super::fixture::code(&refused), "28P01");
    })
    .await;
}

#[tokio::test]
async fn a_database_can_be_made_from_another_and_dropped_while_it_is_in_use() {
    with_fixture(|fixture| async move {
        let template = fixture.table().await;
        template.batch_execute("INSERT INTO notes VALUES ('copied')").await.expect("a note");
        drop(template);
        let copy = format!("{}\"copy", fixture.database);
        fixture.server.create_database_from(&fixture.database, &copy).await.expect("a copy");
        let client =
            connect(&fixture.server.url(&copy).parse().expect("an address")).await.expect("connected");
        assert_eq!(super::fixture::notes(&client).await, ["copied"]);
        fixture.server.drop_database(&copy).await.expect("dropped although in use");
        client.batch_execute("SELECT 1").await.expect_err("cut");
        fixture.server.drop_database(&copy).await.expect("dropping what is gone is no error");
    })
    .await;
}
