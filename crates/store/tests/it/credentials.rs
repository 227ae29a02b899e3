//! The connection to the database: rotated logins and certificate authorities, with the real functions.

use local::pgproxy::Certificate;
use local_testing::{Answer, Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

/// The secret with one field changed.
fn with(secret: &Value, field: &str, value: Value) -> Value {
    let mut changed = secret.clone();
    changed[field] = value;
    changed
}

/// Closes the functions' connections, as after a failover.
fn cut(cloud: &TestCloud) {
    cloud.parts().proxy.pause();
    cloud.parts().proxy.resume();
}

fn unavailable(answer: &Answer) {
    assert_eq!(answer.brief(), "503 UNAVAILABLE", "{:?}", answer.body);
    assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("1"));
    let body = answer.body.to_string();
    for inside in ["atabase", "ecret", "assword", "ertificate", "TLS", "postgres", "127.0.0.1"] {
        assert!(!body.contains(inside), "{inside} in {body}");
    }
}

fn nothing_in_the_logs(cloud: &TestCloud, passwords: &[&Value]) {
    let lines = cloud.parts().lambda.logs();
    assert!(!lines.is_empty(), "functions log");
    for password in passwords.iter().filter_map(|password| password.as_str()) {
        assert!(lines.iter().all(|line| !line.line.contains(password)), "a password is in the log");
    }
}

fn processes(cloud: &TestCloud) -> Vec<(String, u32)> {
    cloud.parts().lambda.environments().into_iter().map(|it| (it.function, it.pid)).collect()
}

/// Asks until the answer is this: after a correction an environment logs in again when its wait is over. Each request is a
/// round trip.
async fn until<Asked>(expected: &str, ask: impl Fn() -> Asked) -> TestResult
where
    Asked: Future<Output = TestResult<Answer>>,
{
    loop {
        let answer = ask().await?;
        if answer.brief() == expected {
            return Ok(());
        }
        unavailable(&answer);
    }
}

/// A cloud with a call whose function is warm.
async fn warm() -> TestResult<(TestCloud, Scenario)> {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    assert_eq!(scenario.provider.start().await?.brief(), "201");
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    Ok((cloud, scenario))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_next_request_reads_the_secret_again_and_succeeds() -> TestResult {
    let (cloud, scenario) = warm().await?;
    let (processes_before, secret) = (processes(&cloud), cloud.parts().database_secret.get());
    let password = cloud.parts().database.change_password().await?;
    cloud.parts().database_secret.set(&with(&secret, "password", json!(password)));

    // No request fails while the connection is open.
    let watch = cloud.watch();
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call"]);

    cut(&cloud);
    let watch = cloud.watch();
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["GetSecretValue", "load_call"]);

    // The new login is kept.
    cut(&cloud);
    let watch = cloud.watch();
    assert_eq!(scenario.provider.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call"]);
    assert_eq!(processes(&cloud), processes_before, "the same environment all along");
    nothing_in_the_logs(&cloud, &[&secret["password"], &json!(password)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_get_503_while_the_secret_is_unusable() -> TestResult {
    let (cloud, scenario) = warm().await?;
    let (processes_before, good) = (processes(&cloud), cloud.parts().database_secret.get());
    let begins = "database login fails with the secret read again, backing off";
    let unusable = [
        ("password", json!("guessed")),
        ("password", json!(17)),
        ("username", json!("nobody")),
        ("dbname", json!("nowhere")),
        ("sslrootcert", json!("no certificate")),
        ("port", json!("five")),
        ("sslmode", json!("prefer")),
        ("host", Value::Null),
    ];
    let outages = unusable.len();
    for (field, value) in unusable {
        // The secret in memory is rejected, and so is the one that is read again.
        let right = with(&good, "password", json!(cloud.parts().database.change_password().await?));
        cloud.parts().database_secret.set(&with(&right, field, value));
        cut(&cloud);
        unavailable(&scenario.provider.status().await?);
        unavailable(&cloud.request("GET", "/health", None, "").await?);
        cloud.parts().database_secret.set(&right);
        until("200", || scenario.provider.status()).await?;
    }
    let logs = cloud.parts().lambda.logs();
    let logged = logs.iter().filter(|line| line.line.contains(begins)).count();
    assert_eq!(logged, outages, "each is logged once, however many requests fail");
    assert_eq!(processes(&cloud), processes_before, "the same environment all along");
    nothing_in_the_logs(&cloud, &[&good["password"]]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_of_another_authority_is_rejected() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let good = cloud.parts().database_secret.get();
    let other = Certificate::make()?;
    cloud.parts().database_secret.set(&with(&good, "sslrootcert", json!(other.authority())));

    // On a cold start, and again when warm.
    unavailable(&scenario.provider.start().await?);
    unavailable(&scenario.provider.start().await?);
    let turns = |cloud: &TestCloud| {
        cloud.parts().calls.since(0).iter().filter(|call| call.service == "postgres").count()
    };
    assert_eq!(turns(&cloud), 0, "nothing was said to it");
    nothing_in_the_logs(&cloud, &[&good["password"]]);

    let processes_before = processes(&cloud);
    cloud.parts().database_secret.set(&good);
    until("201", || scenario.provider.start()).await?;
    assert_eq!(processes(&cloud), processes_before, "without a new environment");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_remote_database_is_never_reached_without_tls() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let good = cloud.parts().database_secret.get();
    // A host that resolves to this machine but is not recognized as local: rejected by the secret alone, before
    // connecting.
    let plain = with(&with(&good, "sslmode", json!("disable")), "host", json!("127.0.0.2"));
    cloud.parts().database_secret.set(&plain);
    unavailable(&scenario.provider.start().await?);
    let refused = "the database's secret is unusable: sslmode disable is for loopback only";
    let logs = cloud.parts().lambda.logs();
    assert!(logs.iter().any(|line| line.line.contains(refused)), "{logs:?}");
    Ok(())
}
