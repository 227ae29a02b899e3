//! Behaviour of AWS that a template must provide for and that no request to the local cloud shows.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use local_template::iam::{Iam, policy_allows};
use local_template::plan::Plan;
use local_template::template;
use local_testing::{TestResult, workspace};

use crate::deployed;

/// Chime's default quota of meetings at once.
const CALLS: f64 = 250.0;
/// Requests of two people in a call of fifteen minutes, at most.
const REQUESTS_PER_CALL: f64 = 150.0;
/// A participant in the waiting room asks for the call's state this often.
const POLL_SECONDS: f64 = 3.0;

/// The templates of this repository with some parameters other than the local ones; without a value the default.
pub(super) fn deploy(changes: &[(&str, Option<&str>)]) -> TestResult<Plan> {
    let infra = workspace().join("infra");
    let text = std::fs::read_to_string(infra.join("params/local.json"))?;
    let mut params: BTreeMap<String, String> = serde_json::from_str(&text)?;
    for (name, value) in changes {
        match value {
            Some(value) => params.insert((*name).to_owned(), (*value).to_owned()),
            None => params.remove(*name),
        };
    }
    Ok(template::deploy(&infra, &params, "us-east-1")?)
}

pub(super) fn refusal(changes: &[(&str, Option<&str>)]) -> TestResult<String> {
    Ok(deploy(changes).err().ok_or("these parameters are accepted")?.to_string())
}

/// All templates with their texts.
fn templates() -> TestResult<Vec<(PathBuf, String)>> {
    let infra = workspace().join("infra");
    let mut found = Vec::new();
    for folder in [infra.clone(), infra.join("functions"), infra.join("functions/parts")] {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|it| it == "yaml") {
                found.push((path.clone(), std::fs::read_to_string(path)?));
            }
        }
    }
    assert!(found.len() > 10, "{}", found.len());
    Ok(found)
}

/// A key with several values needs an operator for sets, or the role is rejected here; and a meeting is called in whichever
/// form of its ARN AWS compares.
#[test]
fn the_roles_can_be_evaluated_and_allow_calls_of_meetings_in_both_forms_of_their_arn() -> TestResult {
    let iam = Iam::new(&deployed()?)?;
    for function in ["attendee", "meeting-manager"] {
        for region in ["us-east-1", ""] {
            let meeting = format!("arn:aws:chime:{region}:000000000000:meeting/m-1");
            for action in ["chime:CreateAttendee", "chime:DeleteMeeting", "chime:GetMeeting"] {
                assert!(iam.would_allow(function, action, &meeting), "{function} {action} {meeting}");
            }
        }
    }
    Ok(())
}

#[test]
fn a_run_of_a_schedule_that_failed_or_is_late_is_not_repeated() -> TestResult {
    let plan = deployed()?;
    assert!(!plan.schedules.is_empty());
    for schedule in &plan.schedules {
        let function = plan.functions.iter().find(|it| it.name == schedule.function).ok_or("a function")?;
        for (what, repeated) in [("Lambda", function.asynchronous), ("EventBridge", schedule.delivery)] {
            assert_eq!(repeated.retries, 0, "{what} repeats {}", schedule.function);
            assert!(repeated.max_age <= Duration::from_mins(1), "{what} keeps runs of {}", schedule.function);
        }
    }
    Ok(())
}

#[test]
fn every_target_of_a_rule_has_a_dead_letter_queue_that_the_rule_may_fill() -> TestResult {
    let plan = deployed()?;
    let schedules = plan.schedules.iter().map(|it| (it.arn.as_str(), it.dead_letters.as_ref()));
    let rules = plan
        .rules
        .iter()
        .flat_map(|rule| rule.targets.iter().map(|target| (rule.arn.as_str(), target.dead_letters.as_ref())));
    let mut seen = 0;
    for (rule, queue) in schedules.chain(rules) {
        let queue = queue.ok_or_else(|| format!("{rule} has no dead-letter queue"))?;
        let queue = plan.queues.iter().find(|it| it.arn == *queue).ok_or("a queue")?;
        let (service, action) = ("events.amazonaws.com", "sqs:SendMessage");
        let may =
            |source| policy_allows(&queue.policy, service, action, &queue.arn, &[("aws:SourceArn", source)]);
        assert!(may(rule), "{rule} may not send to {}", queue.name);
        assert!(
            !may("arn:aws:events:us-east-1:000000000000:rule/other"),
            "any rule may send to {}",
            queue.name
        );
        seen += 1;
    }
    assert_eq!(seen, plan.schedules.len() + plan.rules.len());
    Ok(())
}

/// SQS stops the metrics of a queue that was idle for 6 hours, with the messages still in it.
#[test]
fn an_alarm_on_dead_letters_keeps_its_state_when_the_metric_stops() -> TestResult {
    let plan = deployed()?;
    let mut seen = 0;
    for alarm in &plan.alarms {
        if alarm.metrics.iter().any(|it| it.name == "ApproximateNumberOfMessagesVisible") {
            assert_eq!(alarm.treat_missing_data, "ignore", "{} of {}", alarm.id, alarm.template);
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen}");
    Ok(())
}

#[test]
fn every_alarm_says_why_it_treats_missing_data_as_it_does() -> TestResult {
    let mut seen = 0;
    for (path, text) in templates()? {
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        for pair in lines.windows(2).filter(|pair| pair[1].starts_with("TreatMissingData:")) {
            assert!(pair[0].starts_with("# "), "{}: {} without a reason", path.display(), pair[1]);
            seen += 1;
        }
        let alarms = lines.iter().filter(|it| **it == "Type: AWS::CloudWatch::Alarm").count();
        let said = lines.iter().filter(|it| it.starts_with("TreatMissingData:")).count();
        assert_eq!(alarms, said, "{}: an alarm does not say it", path.display());
    }
    assert!(seen > 10, "{seen}");
    Ok(())
}

#[test]
fn every_resource_that_takes_tags_has_one_of_its_deployment() -> TestResult {
    assert_eq!(deployed()?.untagged, Vec::<String>::new());
    Ok(())
}

#[test]
fn chime_is_called_in_the_region_of_the_stack_because_its_events_arrive_nowhere_else() -> TestResult {
    let refused = refusal(&[("ControlRegion", Some("eu-central-1"))])?;
    assert!(refused.contains("EventsOfMeetingsArrive"), "{refused}");
    Ok(())
}

#[test]
fn concurrency_is_limited_by_parameter_and_by_default_not_at_all() -> TestResult {
    let limits = |plan: Plan| -> Vec<(String, Option<u32>)> {
        plan.functions.into_iter().map(|it| (it.name, it.reserved_concurrency)).collect()
    };
    for (name, limit) in limits(deploy(&[])?) {
        // A new account has 10 environments, of which none can be reserved: a reservation would fail the deployment.
        assert_eq!(limit, None, "{name}");
    }
    for (name, limit) in limits(deploy(&[("FunctionConcurrency", Some("20"))])?) {
        // Audit has one run a minute, and the requests of auditors.
        assert_eq!(limit, Some(if name == "audit" { 10 } else { 20 }), "{name}");
    }
    for number in ["0", "1", "3", "9", "223", "1000", "ten"] {
        let refused = refusal(&[("FunctionConcurrency", Some(number))])?;
        assert!(refused.contains("FunctionConcurrency"), "{number}: {refused}");
    }
    deploy(&[("FunctionConcurrency", Some("222"))])?;
    Ok(())
}

/// Lambda reads a queue by the mapping's maximum, whatever the function may run at once: a throttled batch returns to the queue, and
/// the fifth time its events are dead letters (<https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html>).
#[test]
fn every_concurrency_that_is_accepted_is_more_than_events_and_schedules_take() -> TestResult {
    let mut seen = 0;
    for number in (1..=20).chain([222]) {
        let Ok(plan) = deploy(&[("FunctionConcurrency", Some(&number.to_string()))]) else { continue };
        for mapping in &plan.mappings {
            let function =
                plan.functions.iter().find(|it| it.name == mapping.function).ok_or("a function")?;
            let reserved = function.reserved_concurrency.ok_or("no reservation")?;
            let events = mapping.concurrency.ok_or("no limit for events")?;
            let schedules = plan.schedules.iter().filter(|it| it.function == mapping.function).count();
            let taken = events + u32::try_from(schedules)?;
            assert!(
                reserved > taken,
                "{number}: {} has {reserved}, of which {taken} are taken",
                function.name
            );
            seen += 1;
        }
    }
    assert!(seen > 0, "no number is accepted");
    Ok(())
}

#[test]
fn an_edge_that_is_required_has_a_secret() -> TestResult {
    let hash = "0".repeat(64);
    let both = format!("{hash},{}", "1".repeat(64));
    let refused = refusal(&[("RequireEdge", Some("on"))])?;
    assert!(refused.contains("EdgeHasSecret"), "{refused}");
    for hashes in [&hash, &both] {
        deploy(&[("RequireEdge", Some("on")), ("EdgeSecretHashes", Some(hashes))])?;
    }
    for bad in ["secret".to_owned(), format!("{both},{hash}"), hash.to_uppercase().replace('0', "A")] {
        let refused = refusal(&[("EdgeSecretHashes", Some(&bad))])?;
        assert!(refused.contains("EdgeSecretHashes"), "{bad}: {refused}");
    }
    Ok(())
}

/// A route's limit, second by second, with a load and a burst at its beginning.
fn carries((rate, burst): (f64, u32), per_second: f64, at_once: f64) -> bool {
    let burst = f64::from(burst);
    let mut tokens = burst - at_once;
    for _ in 0..900 {
        if tokens < 0.0 {
            return false;
        }
        tokens = burst.min(tokens + rate) - per_second;
    }
    tokens >= 0.0
}

#[test]
fn the_default_throttle_carries_as_many_calls_as_chime_with_headroom() -> TestResult {
    let plan = deploy(&[("ThrottlingRate", None), ("ThrottlingBurst", None)])?;
    let people = 2.0 * CALLS;
    let in_calls = CALLS * REQUESTS_PER_CALL / (15.0 * 60.0);
    let mut seen = 0;
    for route in plan.http_apis.iter().flat_map(|api| &api.routes).filter(|it| it.key != "GET /health") {
        let limit = route.throttling.ok_or_else(|| format!("{} has no limit", route.key))?;
        // Even if all requests were for one route; in the worst minute everybody polls in the waiting room; and after an
        // outage everybody comes back at once. Each twice.
        for (per_second, at_once) in [(2.0 * in_calls, people), (2.0 * people / POLL_SECONDS, 2.0 * people)] {
            assert!(
                carries(limit, per_second, at_once),
                "{}: {per_second} a second, {at_once} at once",
                route.key
            );
        }
        seen += 1;
    }
    assert!(seen >= 12, "{seen}");
    assert!(!carries((100.0, 200), 2.0 * people / POLL_SECONDS, 2.0 * people), "a lower limit does not");
    Ok(())
}

/// It is open to anyone and costs a request to the database.
#[test]
fn health_has_a_limit_of_its_own() -> TestResult {
    let plan = deployed()?;
    let health = plan.http_apis.iter().flat_map(|api| &api.routes).find(|it| it.key == "GET /health");
    let (rate, burst) = health.and_then(|it| it.throttling).ok_or("a limit")?;
    assert!((1.0..=20.0).contains(&rate) && burst <= 50, "{rate} {burst}");
    Ok(())
}

#[test]
fn viewers_connect_by_the_tls_policy_of_2025() -> TestResult {
    let template = std::fs::read_to_string(workspace().join("infra/cdn.yaml"))?;
    let policies: Vec<&str> =
        template.lines().filter_map(|it| it.trim().strip_prefix("MinimumProtocolVersion: ")).collect();
    assert_eq!(policies, ["TLSv1.2_2025"]);
    Ok(())
}

/// A stack that failed its first creation has to be deleted, so it is protected only afterwards; `cdn.py` does it itself.
#[test]
fn the_guide_protects_each_stack_that_it_deploys() -> TestResult {
    let guide = std::fs::read_to_string(workspace().join("infra/README.md"))?;
    let stacks: Vec<&str> = guide
        .lines()
        .filter_map(|it| it.split("deploy --template-file").nth(1)?.split("--stack-name ").nth(1))
        .collect();
    assert_eq!(stacks.len(), 2, "{stacks:?}");
    for stack in stacks {
        let name = stack.split_whitespace().next().unwrap_or_default();
        let protect =
            format!("update-termination-protection --enable-termination-protection --stack-name {name}");
        assert!(guide.contains(&protect), "{protect}");
    }
    Ok(())
}
