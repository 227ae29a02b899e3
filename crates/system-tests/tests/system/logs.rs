//! Failure 16: stack traces, tokens and patients' names in logs and answers.

use local::faults::Kind;
use local_testing::{Outcome, Stage};
use serde_json::{Value, json};

/// A whole run with everything that can go wrong in it, and then every line that the functions wrote.
#[tokio::test(flavor = "multi_thread")]
async fn f16_logs_are_json_lines_that_bear_no_token_no_name_and_no_sql() -> Outcome {
    let stage = Stage::new().await?;
    let play = stage.play().await?;
    let name = "Zyxwv Unmistakable";
    stage.sql(&format!("UPDATE users SET display_name = '{name}' RETURNING id")).await?;

    let started = play.provider.start().await?;
    let joined = play.patient.join().await?;
    play.patient.status().await?;
    play.provider.roster().await?;
    play.stranger.join().await?;
    play.patient.start().await?;
    play.patient.ask_raw("POST", "/meetings", format!("{{\"action\": \"{name}\"}}")).await?;
    play.patient.ask_raw("POST", "/meetings", format!("{name} {{")).await?;
    for (service, kind) in [
        ("postgres", Kind::Error),
        ("postgres", Kind::Drop),
        ("postgres", Kind::Throttle),
        ("chime", Kind::Error),
        ("chime", Kind::Drop),
    ] {
        stage.fault(service, None, kind, None);
        play.patient.leave().await?;
        play.patient.join().await?;
        play.provider.end().await?;
        stage.parts().faults.clear();
    }
    // PostgreSQL would quote the refused row, the join token in it.
    stage
        .sql("ALTER TABLE medzen.video_call_attendee_tokens ADD CHECK (attendee_id = 'none') NOT VALID; SELECT 1")
        .await?;
    let refused = stage.play().await?;
    assert_eq!(refused.provider.start().await?.brief(), "500 INTERNAL");
    let mut break_table =
        "ALTER TABLE video_call_participants RENAME COLUMN quality_metrics TO gone".to_owned();
    break_table
        .push_str(" ; ALTER TABLE video_call_participants RENAME COLUMN left_at TO gone_too; SELECT 1");
    stage.sql(&break_table).await?;
    let defect = play.provider.start().await?;
    assert!(!defect.body.to_string().contains("gone_too"), "{:?}", defect.body);
    stage.run_schedule("audit").await?;

    let secrets = [
        ("a name", name.to_owned()),
        ("a join token", started.body["attendee"]["JoinToken"].as_str().ok_or("a token")?.to_owned()),
        ("a join token", joined.body["attendee"]["JoinToken"].as_str().ok_or("a token")?.to_owned()),
        ("a bearer token", play.provider.token.clone()),
        ("a bearer token", play.patient.token.clone()),
        ("SQL", "SELECT".to_owned()),
        ("SQL", "UPDATE ".to_owned()),
        ("a row", "JoinToken".to_owned()),
        ("a row", "Failing row".to_owned()),
        ("SQL", "INSERT".to_owned()),
        ("SQL", "medzen.".to_owned()),
        ("a stack trace", "stack backtrace".to_owned()),
        ("a panic", "panicked".to_owned()),
        (
            "a password",
            stage.parts().database_secret.get()["password"].as_str().ok_or("a password")?.to_owned(),
        ),
    ];
    let lines = stage.parts().lambda.logs();
    let (mut answered, mut failed) = (0, 0);
    for line in &lines {
        let json: Value =
            serde_json::from_str(&line.line).map_err(|error| format!("{error}: {}", line.line))?;
        for (what, secret) in &secrets {
            assert!(!line.line.contains(secret.as_str()), "{what} in a log line: {}", line.line);
        }
        if !json["duration_ms"].is_null() {
            assert!(json["span"]["request_id"].is_string(), "{}", line.line);
            assert!(json["route"].is_string() && json["status"].is_u64(), "{}", line.line);
            answered += 1;
        }
        if json["message"] == "failed" {
            assert_eq!(json["level"], "ERROR");
            assert!(json["cause"].is_string());
            failed += 1;
        }
        if json["message"] == "answered" && json["route"] == json!("POST /appointments/{appointmentId}/call")
        {
            assert_eq!(json["span"]["appointment"], play.appointment.as_str());
            assert!(json["span"]["session"].is_string());
        }
    }
    assert!(answered >= 20, "{answered} of {} lines are of requests", lines.len());
    assert!(failed >= 5, "{failed} lines tell of failures");
    Ok(())
}
