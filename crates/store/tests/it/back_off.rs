//! Twenty environments against a server that rejects their password, and with a secret that cannot be read.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use local_testing::TestResult;
use serde_json::json;
use store::{ReadSecret, Store};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

const ENVIRONMENTS: usize = 20;
const REQUESTS_EACH: usize = 200;

/// A server that answers each login as PostgreSQL and poolers answer a wrong password, and counts them.
async fn rejecting_server() -> TestResult<(u16, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let (port, logins) = (listener.local_addr()?.port(), Arc::new(AtomicUsize::new(0)));
    let counted = Arc::clone(&logins);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(async move {
                // The startup message; what it says does not matter.
                let mut startup = [0; 1024];
                let read = client.read(&mut startup).await?;
                let fields = b"SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed\0\0";
                let length = u32::try_from(fields.len() + 4).unwrap_or_default().to_be_bytes();
                client.write_all(&[b"E".as_slice(), &length, fields].concat()).await?;
                client.shutdown().await?;
                std::io::Result::Ok(read)
            });
        }
    });
    Ok((port, logins))
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
    let (port, logins) = rejecting_server().await?;
    let secret = json!({
        "username": "medzen_app", "password": "p", "host": "127.0.0.1", "port": port, "dbname": "d", "sslmode": "disable",
    });
    let reads = Arc::new(AtomicUsize::new(0));
    requests(Some(secret.to_string()), &reads).await?;
    let (logins, reads) = (logins.load(Ordering::Relaxed), reads.load(Ordering::Relaxed));
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
