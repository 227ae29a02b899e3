//! Stack traces, tokens and patients' names in logs and answers.

use local::faults::FaultKind;
use local_testing::{Scenario, TestCloud, TestResult};
use serde_json::{Value, json};

use crate::requests::{record, run_recording};

/// A whole run with everything that can go wrong in it, and then every line that the functions wrote.
#[tokio::test(flavor = "multi_thread")]
async fn logs_are_json_lines_that_bear_no_token_no_name_and_no_sql() -> TestResult {
    let cloud = TestCloud::new().await?;
    let scenario = cloud.scenario().await?;
    let name = "Zyxwv Unmistakable";
    cloud.sql(&format!("UPDATE users SET display_name = '{name}' RETURNING id")).await?;

    let started = scenario.provider.start().await?;
    let joined = scenario.patient.join().await?;
    scenario.patient.status().await?;
    scenario.provider.roster().await?;
    scenario.stranger.join().await?;
    scenario.patient.start().await?;
    scenario.patient.ask_raw("POST", "/meetings", format!("{{\"action\": \"{name}\"}}")).await?;
    scenario.patient.ask_raw("POST", "/meetings", format!("{name} {{")).await?;
    let recorded = cloud.scenario().await?;
    let link = link_to_recording(&cloud, &recorded).await?;
    for (service, kind) in [
        ("postgres", FaultKind::Error),
        ("postgres", FaultKind::Drop),
        ("postgres", FaultKind::Throttle),
        ("chime", FaultKind::Error),
        ("chime", FaultKind::Drop),
    ] {
        cloud.fault(service, None, kind, None);
        scenario.patient.leave().await?;
        scenario.patient.join().await?;
        scenario.provider.end().await?;
        cloud.parts().faults.clear();
    }
    // PostgreSQL would quote the refused row, the join token in it.
    cloud
        .sql("ALTER TABLE medzen.video_call_attendee_tokens ADD CHECK (attendee_id = 'none') NOT VALID; SELECT 1")
        .await?;
    let refused = cloud.scenario().await?;
    assert_eq!(refused.provider.start().await?.brief(), "500 INTERNAL");
    let mut break_table = "ALTER TABLE video_call_participants RENAME COLUMN drops TO gone".to_owned();
    break_table
        .push_str(" ; ALTER TABLE video_call_participants RENAME COLUMN left_at TO gone_too; SELECT 1");
    cloud.sql(&break_table).await?;
    let defect = scenario.provider.start().await?;
    assert!(!defect.body.to_string().contains("gone_too"), "{:?}", defect.body);
    cloud.run_schedule("audit").await?;

    let secrets = [
        ("a name", name.to_owned()),
        ("a join token", started.body["attendee"]["JoinToken"].as_str().ok_or("a token")?.to_owned()),
        ("a join token", joined.body["attendee"]["JoinToken"].as_str().ok_or("a token")?.to_owned()),
        ("a link", link),
        ("a link's signature", "X-Amz-Signature".to_owned()),
        ("a bearer token", scenario.provider.token.clone()),
        ("a bearer token", scenario.patient.token.clone()),
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
            cloud.parts().database_secret.get()["password"].as_str().ok_or("a password")?.to_owned(),
        ),
    ];
    let lines = cloud.parts().lambda.logs();
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
            let appointment = json["span"]["appointment"].as_str().ok_or("no appointment")?;
            assert!(
                [scenario.appointment.as_str(), &recorded.appointment].contains(&appointment),
                "{appointment}"
            );
            assert!(json["span"]["session"].is_string());
        }
    }
    assert!(answered >= 20, "{answered} of {} lines are of requests", lines.len());
    assert!(failed >= 5, "{failed} lines report failures");
    Ok(())
}

/// The path of a recording's file, as its link has it.
async fn link_to_recording(cloud: &TestCloud, scenario: &Scenario) -> TestResult<String> {
    let recording = record(scenario).await?;
    run_recording(cloud, 1, 35).await?;
    let path = format!("/recordings/{recording}");
    scenario.provider.ask("POST", &format!("{path}/stop"), &json!({})).await?;
    run_recording(cloud, 12, 60).await?;
    let links = scenario.provider.ask("GET", &format!("{path}/playback"), &Value::Null).await?;
    let url =
        links.body["segments"][0]["url"].as_str().ok_or_else(|| format!("no link: {:?}", links.body))?;
    Ok(url.split('?').next().unwrap_or_default().to_owned())
}
