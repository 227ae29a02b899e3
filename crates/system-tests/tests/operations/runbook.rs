//! The runbook's headings are the alarms of the templates.

use std::collections::BTreeSet;

use local_testing::{TestCloud, TestResult, workspace};

use crate::deployed;

pub(super) fn runbook() -> TestResult<String> {
    Ok(std::fs::read_to_string(workspace().join("infra/RUNBOOK.md"))?)
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

#[tokio::test(flavor = "multi_thread")]
async fn the_database_accepts_the_queries_of_the_runbook() -> TestResult {
    let cloud = TestCloud::new().await?;
    let queries = queries(&runbook()?);
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
