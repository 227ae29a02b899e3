//! Twenty environments against a server that rejects their password, also when its answer changes afterwards, and with a secret
//! that cannot be read.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_testing::TestResult;
use serde_json::json;
use store::{ReadSecret, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::sync::watch;

const ENVIRONMENTS: usize = 20;
const REQUESTS_EACH: usize = 200;

/// PostgreSQL's answers to a login, by their SQLSTATE (appendix A of its documentation).
const WRONG_PASSWORD: Answer = Answer::Refuse("28P01");
const TOO_MANY_CONNECTIONS: Answer = Answer::Refuse("53300");

#[derive(Clone, Copy, Debug)]
enum Answer {
    Refuse(&'static str),
    Close,
    Silence,
}

/// A server that gives the first login one answer and all later ones another, and counts them.
async fn server(first: Answer, later: Answer) -> TestResult<(u16, watch::Receiver<usize>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();
    let (counter, logins) = watch::channel(0);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let answer = if *counter.borrow() == 0 { first } else { later };
            counter.send_modify(|logins| *logins += 1);
            tokio::spawn(async move {
                // The startup message; its content does not matter.
                let mut startup = [0; 1024];
                let mut read = client.read(&mut startup).await?;
                match answer {
                    Answer::Refuse(code) => {
                        let fields = format!("SFATAL\0VFATAL\0C{code}\0Mlogin refused\0\0");
                        let length = u32::try_from(fields.len() + 4).unwrap_or_default().to_be_bytes();
                        client.write_all(&[b"E".as_slice(), &length, fields.as_bytes()].concat()).await?;
                        client.shutdown().await?;
                    }
                    Answer::Close => {}
                    // Until the client gives up.
                    Answer::Silence => read += client.read(&mut startup).await?,
                }
                std::io::Result::Ok(read)
            });
        }
    });
    Ok((port, logins))
}

fn secret_for(port: u16) -> String {
    json!({"username": "medzen_app", "password": "p", "host": "127.0.0.1", "port": port, "dbname": "d", "sslmode": "disable"})
        .to_string()
}

/// A reader of a secret that counts its calls.
fn counting(secret: Option<String>, reads: &Arc<AtomicUsize>) -> ReadSecret {
    let reads = Arc::clone(reads);
    Arc::new(move || {
        reads.fetch_add(1, Ordering::Relaxed);
        let missing =
            || domain::Error::Unavailable { backend: "secretsmanager", source: "access denied".into() };
        let answer = secret.clone().ok_or_else(missing);
        Box::pin(async move { answer })
    })
}

/// Sends requests from twenty environments at once, as fast as each is answered.
async fn requests(secret: Option<String>, reads: &Arc<AtomicUsize>) -> TestResult {
    let environments = (0..ENVIRONMENTS).map(|_| {
        let read = counting(secret.clone(), reads);
        tokio::spawn(async move {
            let store = Store::connect(read, "test").await;
            for _ in 0..REQUESTS_EACH {
                let error = store.check_host_views().await.err().ok_or("it was accepted")?;
                assert_eq!(domain::Error::from(error).status(), 503);
            }
            Ok::<_, &str>(())
        })
    });
    for environment in environments.collect::<Vec<_>>() {
        environment.await??;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_password_is_not_tried_by_every_request() -> TestResult {
    let (port, logins) = server(WRONG_PASSWORD, WRONG_PASSWORD).await?;
    let reads = Arc::new(AtomicUsize::new(0));
    requests(Some(secret_for(port)), &reads).await?;
    let (logins, reads) = (*logins.borrow(), reads.load(Ordering::Relaxed));
    let requests = ENVIRONMENTS * REQUESTS_EACH;
    assert!(logins >= ENVIRONMENTS, "each tried: {logins}");
    assert!(logins * 20 < requests, "{logins} logins for {requests} requests");
    assert!(reads <= logins, "{reads} reads of the secret for {logins} logins");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_that_cannot_be_read_or_used_is_not_read_by_every_request() -> TestResult {
    for secret in [None, Some("no secret".to_owned())] {
        let reads = Arc::new(AtomicUsize::new(0));
        requests(secret, &reads).await?;
        let (reads, requests) = (reads.load(Ordering::Relaxed), ENVIRONMENTS * REQUESTS_EACH);
        assert!(reads >= ENVIRONMENTS && reads * 20 < requests, "{reads} reads for {requests} requests");
    }
    Ok(())
}

/// The attempts of one environment that sent requests to a server whose answer had changed.
#[derive(Debug, Default)]
struct Attempts {
    reads: usize,
    logins: usize,
}

/// The first login is rejected, every later one gets the other answer. Counts from the second login on, which is when a
/// back-off that has ended shows.
async fn after_a_changed_answer(later: Answer) -> TestResult<Attempts> {
    let (port, mut logins) = server(WRONG_PASSWORD, later).await?;
    let reads = Arc::new(AtomicUsize::new(0));
    let store = Store::connect(counting(Some(secret_for(port)), &reads), "test").await;
    let mut request = async || {
        logins.mark_unchanged();
        tokio::select! {
            answer = store.check_host_views() => assert!(answer.is_err(), "{later:?}: it was accepted"),
            // A silent server: the request ends as at its deadline, by being cancelled.
            _ = logins.changed(), if matches!(later, Answer::Silence) => {}
        }
        *logins.borrow()
    };
    while request().await < 2 {}
    let reads_before = reads.load(Ordering::Relaxed);
    let mut seen = 2;
    for _ in 0..REQUESTS_EACH {
        seen = request().await;
    }
    Ok(Attempts { reads: reads.load(Ordering::Relaxed) - reads_before, logins: seen - 2 })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_waits_last_until_a_login_succeeds_whatever_else_fails_meanwhile() -> TestResult {
    let requests = ENVIRONMENTS * REQUESTS_EACH;
    for later in [Answer::Close, TOO_MANY_CONNECTIONS, Answer::Silence] {
        let environments: Vec<_> = (0..ENVIRONMENTS)
            .map(|_| tokio::spawn(async move { after_a_changed_answer(later).await }))
            .collect();
        let mut total = Attempts::default();
        for environment in environments {
            let attempts = environment.await??;
            total.reads += attempts.reads;
            total.logins += attempts.logins;
        }
        assert!(total.reads * 20 < requests, "{later:?}: {total:?} for {requests} requests");
        assert!(total.logins * 20 < requests, "{later:?}: {total:?} for {requests} requests");
    }
    Ok(())
}
