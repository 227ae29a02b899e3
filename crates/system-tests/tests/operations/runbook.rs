//! The runbook's headings are the alarms of the templates; its queries and those of the symptoms can be run.

use std::collections::BTreeSet;

use domain::error::reason;
use local_testing::{TestCloud, TestResult, workspace};
use serde_json::Value;

use crate::deployed;

/// The runbook with its part on transcription.
pub(super) fn runbook() -> TestResult<String> {
    let mut whole = String::new();
    for part in ["infra/RUNBOOK.md", "infra/TRANSCRIPTION.md", "infra/TRANSCRIPTION_JOBS.md"] {
        whole += &std::fs::read_to_string(workspace().join(part))?;
    }
    Ok(whole)
}

pub(super) fn symptoms() -> TestResult<String> {
    Ok(std::fs::read_to_string(workspace().join("infra/SYMPTOMS.md"))?)
}

#[test]
fn the_runbook_has_one_heading_for_each_alarm() -> TestResult {
    let runbook = runbook()?;
    let headings: Vec<&str> = runbook
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .filter(|it| it.ends_with("Alarm"))
        .collect();
    let once: BTreeSet<&str> = headings.iter().copied().collect();
    assert_eq!(once.len(), headings.len(), "a heading is there twice");
    let plan = deployed()?;
    let alarms: BTreeSet<&str> = plan.alarms.iter().map(|alarm| alarm.id.as_str()).collect();
    assert_eq!(once, alarms);
    Ok(())
}

#[test]
fn every_alarm_names_its_heading() -> TestResult {
    for alarm in deployed()?.alarms {
        let named = format!("Runbook: {}.", alarm.id);
        assert!(alarm.description.ends_with(&named), "{} says {:?}", alarm.id, alarm.description);
    }
    Ok(())
}

/// The texts under the headings of the lowest level, with the headings.
fn sections(document: &str) -> impl Iterator<Item = (&str, &str)> {
    let level = if document.contains("\n### ") { "\n### " } else { "\n## " };
    document.split(level).skip(1).filter_map(|section| section.split_once('\n'))
}

/// A code of every route: one parameter that is wrong answers it to every caller.
#[test]
fn a_refusal_that_every_caller_may_receive_is_a_symptom() -> TestResult {
    let document = std::fs::read_to_string(workspace().join("infra/openapi.json"))?;
    let document: Value = serde_json::from_str(&document)?;
    let paths = document["paths"].as_object().ok_or("no paths")?;
    let mut common: Option<BTreeSet<String>> = None;
    for operation in paths.values().filter_map(Value::as_object).flat_map(|path| path.values()) {
        let refusal = operation["responses"]["403"].to_string();
        let codes = reason::ALL.iter().filter(|it| it.status == 403).map(|it| it.code);
        let codes = codes.filter(|code| refusal.contains(&format!("\"{code}\""))).map(str::to_owned);
        let codes: BTreeSet<String> = codes.collect();
        common = Some(common.map_or(codes.clone(), |common| common.intersection(&codes).cloned().collect()));
    }
    let common = common.ok_or("no operations")?;
    assert!(common.contains("EDGE_REQUIRED"), "{common:?}");
    let symptoms = symptoms()?;
    for code in common {
        let heading = format!("403 {code}");
        assert!(sections(&symptoms).any(|(it, _)| it.starts_with(&heading)), "no symptom {heading}");
    }
    Ok(())
}

/// It is 403 on the API's own domain with `RequireEdge`, so by itself it says nothing about the database.
#[test]
fn whoever_is_sent_to_the_apis_own_health_learns_of_the_required_edge() -> TestResult {
    let (plan, runbook) = (deployed()?, runbook()?);
    let alarms = plan.alarms.iter().map(|alarm| (alarm.id.as_str(), alarm.description.as_str()));
    let mut seen = 0;
    for (name, text) in alarms.chain(sections(&runbook)) {
        if text.contains("/health") && text.contains("the API's own") {
            assert!(text.contains("RequireEdge"), "{name}: {text}");
            seen += 1;
        }
    }
    assert!(seen >= 2, "{seen}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_accepts_the_queries_of_the_runbook() -> TestResult {
    let cloud = TestCloud::new().await?;
    let mut queries = queries(&runbook()?);
    queries.extend(self::queries(&symptoms()?));
    assert!(queries.len() >= 6, "{queries:?}");
    for query in queries {
        // Planned as the owner, as the runbook says, so that every name in it is resolved.
        cloud.sql(&format!("EXPLAIN {query}")).await.map_err(|error| format!("{query}: {error}"))?;
    }
    Ok(())
}

/// The queries in SQL: indented blocks and code within a line.
fn queries(runbook: &str) -> Vec<String> {
    let lines: Vec<&str> = runbook.lines().collect();
    let blocks = lines.split(|line| !line.starts_with("    ")).map(|block| block.join(" "));
    let text: Vec<&str> = lines.iter().filter(|line| !line.starts_with("    ")).copied().collect();
    let text = text.join(" ");
    let inline = text.split('`').skip(1).step_by(2).map(str::to_owned);
    blocks.chain(inline).map(|it| it.trim().to_owned()).filter(|it| it.starts_with("SELECT ")).collect()
}
