//! Schedules on the cloud's clock.

use std::time::Duration;

use bytes::Bytes;
use local::clock::Clock;
use local::lambda::{Lambda, Settings};
use local::schedules::{RunError, Schedules};
use local_template::plan::{Asynchronous, Function, Permission, Plan, Schedule};
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::probe::{Meeting, function, function_with, lambda, settings};

const RULE: &str = "arn:aws:events:eu-central-1:000000000000:rule/every-minute";

fn plan(enabled: bool) -> Plan {
    let rule = Schedule {
        name: "every-minute".to_owned(),
        arn: RULE.to_owned(),
        function: "probe".to_owned(),
        delivery: Asynchronous::OF_EVENT_BRIDGE,
        dead_letters: None,
        every: Duration::from_mins(1),
        enabled,
    };
    let (account, region) = ("000000000000".to_owned(), "eu-central-1".to_owned());
    Plan { account, region, schedules: vec![rule], ..Plan::default() }
}

fn time_of(event: &Value) -> OffsetDateTime {
    OffsetDateTime::parse(event["time"].as_str().unwrap_or_default(), &Rfc3339).expect("a time")
}

#[tokio::test]
async fn a_schedule_runs_on_demand_and_ends_with_the_invocation() {
    let clock = Clock::default();
    clock.advance(86_400);
    let schedules = Schedules::start(&plan(false), lambda(function()).await, clock.clone(), false);
    let invoked = schedules.run("probe").await.expect("it runs");
    let said: Value = serde_json::from_slice(&invoked.payload).expect("JSON");
    assert_eq!(said["event"]["source"], "aws.events");
    assert_eq!(said["event"]["resources"][0], RULE);
    let behind = clock.now() - time_of(&said["event"]);
    assert!(behind < time::Duration::minutes(5), "the event has the cloud's time, not the machine's");
    assert!(matches!(schedules.run("nobody").await, Err(RunError::NoSchedule(_))));
}

#[tokio::test]
async fn a_jump_of_the_clock_is_one_run_and_the_beat_goes_on() {
    let report = Meeting::open().await;
    let lambda = lambda(function_with("PROBE_REPORT", &report.port().to_string())).await;
    let clock = Clock::default();
    let _schedules = Schedules::start(&plan(true), lambda, clock.clone(), true);
    clock.advance(3 * 3600);
    let first = time_of(&report.report().await);
    clock.advance(60);
    let second = time_of(&report.report().await);
    assert!(second - first >= time::Duration::seconds(59), "three hours were one run: {first} {second}");
}

/// As without an `EventInvokeConfig`: a run that failed would come again while the next ones are under way.
#[tokio::test]
async fn a_run_that_failed_is_repeated_as_often_as_the_function_allows() {
    for retries in [2, 0] {
        // Not dropped for its age, however often the clock below is moved before the function has failed.
        let asynchronous = Asynchronous { retries, max_age: Duration::from_hours(24 * 365 * 100) };
        let clock = Clock::default();
        let settings = Settings { clock: clock.clone(), ..settings() };
        let lambda =
            Lambda::start(&[Function { asynchronous, ..function() }], settings).await.expect("Lambda starts");
        let attempts = || lambda.environments().iter().map(|it| it.invocations).sum::<u64>();
        let first = lambda
            .invoke_event("probe", Bytes::from_static(br#"{"do": "fail"}"#))
            .await
            .expect("it is taken");
        assert!(first.function_error.is_some());
        let until_all = async {
            while attempts() < u64::from(1 + retries) {
                clock.advance(1);
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), until_all).await.expect("it is repeated");
        clock.advance(600);
        lambda.invoke("probe", Bytes::from_static(b"{}")).await.expect("it runs");
        assert_eq!(attempts(), u64::from(2 + retries), "{retries} retries and no more");
    }
}

#[tokio::test]
async fn a_rule_without_permission_does_not_run() {
    let other = Permission {
        principal: "events.amazonaws.com".to_owned(),
        source_arn: Some("arn:aws:events:eu-central-1:000000000000:rule/other".to_owned()),
    };
    let lambda = lambda(Function { permissions: vec![other], ..function() }).await;
    let schedules = Schedules::start(&plan(true), lambda, Clock::default(), false);
    assert!(matches!(schedules.run("probe").await, Err(RunError::NotPermitted(_))));
}
