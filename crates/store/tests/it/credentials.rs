//! The way to the database: a login that is rotated, and an authority that is trusted, over the real functions.

use local::pgproxy::Certificate;
use local_testing::{Answer, Outcome, Play, Stage};
use serde_json::{Value, json};

/// The secret with one field changed.
fn with(secret: &Value, field: &str, value: Value) -> Value {
    let mut changed = secret.clone();
    changed[field] = value;
    changed
}

/// What the functions hold is cut, as after a failover.
fn cut(stage: &Stage) {
    stage.parts().proxy.pause();
    stage.parts().proxy.resume();
}

fn unavailable(answer: &Answer) {
    assert_eq!(answer.brief(), "503 UNAVAILABLE", "{:?}", answer.body);
    assert_eq!(answer.headers.get("retry-after").map(String::as_str), Some("1"));
    let told = answer.body.to_string();
    for inside in ["atabase", "ecret", "assword", "ertificate", "TLS", "postgres", "127.0.0.1"] {
        assert!(!told.contains(inside), "{inside} in {told}");
    }
}

fn nothing_in_the_logs(stage: &Stage, passwords: &[&Value]) {
    let lines = stage.parts().lambda.logs();
    assert!(!lines.is_empty(), "functions log");
    for password in passwords.iter().filter_map(|password| password.as_str()) {
        assert!(lines.iter().all(|line| !line.line.contains(password)), "a password is in the log");
    }
}

fn processes(stage: &Stage) -> Vec<(String, u32)> {
    stage.parts().lambda.environments().into_iter().map(|it| (it.function, it.pid)).collect()
}

/// A stage with a call whose function is warm.
async fn warm() -> Outcome<(Stage, Play)> {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    assert_eq!(play.provider.start().await?.brief(), "201");
    assert_eq!(play.provider.status().await?.brief(), "200");
    Ok((stage, play))
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_the_next_request_reads_the_secret_again_and_succeeds() -> Outcome {
    let (stage, play) = warm().await?;
    let (processes_before, secret) = (processes(&stage), stage.parts().database_secret.get());
    let password = stage.parts().database.change_password().await?;
    stage.parts().database_secret.set(&with(&secret, "password", json!(password)));

    // Nobody notices while the connection holds.
    let watch = stage.watch();
    assert_eq!(play.provider.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call"]);

    cut(&stage);
    let watch = stage.watch();
    assert_eq!(play.provider.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["GetSecretValue", "load_call"]);

    // The new login is kept.
    cut(&stage);
    let watch = stage.watch();
    assert_eq!(play.provider.status().await?.brief(), "200");
    assert_eq!(watch.operations(), ["load_call"]);
    assert_eq!(processes(&stage), processes_before, "the same environment all along");
    nothing_in_the_logs(&stage, &[&secret["password"], &json!(password)]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn with_a_secret_that_cannot_be_used_callers_hear_503_until_it_can() -> Outcome {
    let (stage, play) = warm().await?;
    let (processes_before, good) = (processes(&stage), stage.parts().database_secret.get());
    let unusable = [
        ("password", json!("guessed")),
        ("password", json!(17)),
        ("username", json!("nobody")),
        ("dbname", json!("nowhere")),
        ("sslrootcert", json!("no certificate")),
        ("sslmode", json!("prefer")),
        ("host", Value::Null),
    ];
    for (field, value) in unusable {
        // What the function knows is refused, and so is what it finds.
        let right = with(&good, "password", json!(stage.parts().database.change_password().await?));
        stage.parts().database_secret.set(&with(&right, field, value));
        cut(&stage);
        unavailable(&play.provider.status().await?);
        unavailable(&stage.request("GET", "/health", None, "").await?);
        stage.parts().database_secret.set(&right);
        assert_eq!(play.provider.status().await?.brief(), "200", "after a bad {field}");
    }
    assert_eq!(processes(&stage), processes_before, "the same environment all along");
    nothing_in_the_logs(&stage, &[&good["password"]]);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_with_a_certificate_of_another_authority_is_not_talked_to() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let good = stage.parts().database_secret.get();
    let other = Certificate::make()?;
    stage.parts().database_secret.set(&with(&good, "sslrootcert", json!(other.authority())));

    // From a cold start, and again when warm.
    unavailable(&play.provider.start().await?);
    unavailable(&play.provider.start().await?);
    let turns =
        |stage: &Stage| stage.parts().calls.since(0).iter().filter(|call| call.service == "postgres").count();
    assert_eq!(turns(&stage), 0, "nothing was said to it");
    nothing_in_the_logs(&stage, &[&good["password"]]);

    let processes_before = processes(&stage);
    stage.parts().database_secret.set(&good);
    assert_eq!(play.provider.start().await?.brief(), "201");
    assert_eq!(processes(&stage), processes_before, "without a new environment");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_said_in_plain_text_to_another_machine() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let good = stage.parts().database_secret.get();
    // A name that leads here but is not known to: refused by what the secret says, before anything is connected.
    let plain = with(&with(&good, "sslmode", json!("disable")), "host", json!("127.0.0.2"));
    stage.parts().database_secret.set(&plain);
    unavailable(&play.provider.start().await?);
    let refused = "the database's secret is unusable: sslmode disable is for loopback only";
    let logs = stage.parts().lambda.logs();
    assert!(logs.iter().any(|line| line.line.contains(refused)), "{logs:?}");
    Ok(())
}
