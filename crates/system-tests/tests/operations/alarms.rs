//! Alarms: each watches a metric that exists, and each required metric has an alarm.

use std::collections::BTreeSet;

use local_template::plan::{AlarmMetric, Function, Plan};
use local_testing::{TestResult, workspace};
use runtime::Metric;
use runtime::metrics::{DIMENSION, NAMESPACE};

use crate::deployed;

/// Metrics that an operator looks at and that no alarm watches.
const DASHBOARD_ONLY: [Metric; 2] = [
    // A repair is what the schedules are for; what stays broken has alarms of its own.
    Metric::SessionsRepaired,
    Metric::OrphanPipelines,
];

fn last(arn: &str) -> &str {
    arn.rsplit([':', '/']).next().unwrap_or(arn)
}

fn dimensions<'a>(of: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    let mut of = of.to_vec();
    of.sort_unstable();
    of
}

/// The dimensions of a metric, each as it can be, or nothing for a metric that is unknown.
fn known(plan: &Plan, metric: &AlarmMetric) -> Vec<Vec<(String, String)>> {
    let owned = |of: &[(&str, &str)]| -> Vec<(String, String)> {
        dimensions(of).into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let functions = |which: &dyn Fn(&Function) -> bool| {
        let functions = plan.functions.iter().filter(|it| which(it));
        functions.map(|it| owned(&[(DIMENSION, last(&it.arn))])).collect()
    };
    match (metric.namespace.as_str(), metric.name.as_str()) {
        (NAMESPACE, name) => match Metric::ALL.iter().find(|it| it.name() == name) {
            Some(metric) => functions(&|function| reports(*metric, function)),
            None => Vec::new(),
        },
        ("AWS/Lambda", "Errors" | "Throttles" | "Duration") => functions(&|_| true),
        ("AWS/SQS", "ApproximateNumberOfMessagesVisible" | "ApproximateAgeOfOldestMessage") => {
            plan.queues.iter().map(|queue| owned(&[("QueueName", &queue.name)])).collect()
        }
        ("AWS/Events", "Invocations" | "FailedInvocations") => {
            let schedules = plan.schedules.iter().map(|it| owned(&[("RuleName", &it.name)]));
            // A rule on another bus than the default one has two dimensions.
            let rules = plan.rules.iter().map(|rule| match rule.bus.as_str() {
                "default" => owned(&[("RuleName", &rule.name)]),
                bus => owned(&[("RuleName", &rule.name), ("EventBusName", bus)]),
            });
            schedules.chain(rules).collect()
        }
        ("AWS/ApiGateway", "5xx") => plan.http_apis.iter().map(|api| owned(&[("ApiId", &api.id)])).collect(),
        ("AWS/CloudFront", "Requests" | "4xxErrorRate" | "5xxErrorRate") => {
            let one = |id: &str| owned(&[("DistributionId", id), ("Region", "Global")]);
            plan.distributions.iter().map(|it| one(&it.id)).collect()
        }
        _ => Vec::new(),
    }
}

fn reports(metric: Metric, function: &Function) -> bool {
    metric.functions().is_empty() || metric.functions().contains(&function.name.as_str())
}

fn is_watched(plan: &Plan, namespace: &str, name: &str, of: &[(&str, &str)]) -> bool {
    let wanted = dimensions(of);
    plan.alarms.iter().flat_map(|alarm| &alarm.metrics).any(|metric| {
        let found: Vec<_> = metric.dimensions.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        metric.namespace == namespace && metric.name == name && found == wanted
    })
}

#[test]
fn every_alarm_watches_a_metric_that_somebody_reports() -> TestResult {
    let plan = deployed()?;
    assert!(plan.alarms.len() > 20, "{}", plan.alarms.len());
    for alarm in &plan.alarms {
        for metric in &alarm.metrics {
            let given: Vec<_> = metric.dimensions.clone().into_iter().collect();
            let known = known(&plan, metric);
            assert!(known.contains(&given), "{} watches {metric:?}; known are {known:?}", alarm.id);
        }
    }
    Ok(())
}

#[test]
fn every_metric_of_ours_has_an_alarm_or_is_for_the_dashboard_only() -> TestResult {
    let plan = deployed()?;
    for metric in Metric::ALL {
        let functions: Vec<_> = plan.functions.iter().filter(|it| reports(*metric, it)).collect();
        assert!(!functions.is_empty(), "no function reports {metric:?}");
        for function in functions {
            let watched = is_watched(&plan, NAMESPACE, metric.name(), &[(DIMENSION, last(&function.arn))]);
            let wanted = !DASHBOARD_ONLY.contains(metric);
            assert_eq!(watched, wanted, "an alarm for {metric:?} of {}", function.name);
        }
    }
    Ok(())
}

#[test]
fn every_function_queue_rule_and_schedule_is_watched() -> TestResult {
    let plan = deployed()?;
    for function in &plan.functions {
        for name in ["Errors", "Throttles", "Duration"] {
            let of = [("FunctionName", last(&function.arn))];
            assert!(is_watched(&plan, "AWS/Lambda", name, &of), "{name} of {}", function.name);
        }
    }
    for queue in &plan.queues {
        let name = match queue.redrive {
            Some(_) => "ApproximateAgeOfOldestMessage",
            None => "ApproximateNumberOfMessagesVisible",
        };
        assert!(is_watched(&plan, "AWS/SQS", name, &[("QueueName", &queue.name)]), "{}", queue.name);
    }
    for rule in &plan.rules {
        let of: &[_] = match rule.bus.as_str() {
            "default" => &[("RuleName", rule.name.as_str())],
            bus => &[("RuleName", rule.name.as_str()), ("EventBusName", bus)],
        };
        assert!(is_watched(&plan, "AWS/Events", "FailedInvocations", of), "{}", rule.name);
    }
    for schedule in &plan.schedules {
        for name in ["Invocations", "FailedInvocations"] {
            assert!(is_watched(&plan, "AWS/Events", name, &[("RuleName", &schedule.name)]), "{name}");
        }
    }
    Ok(())
}

/// Lambda would drop lines below its own level, metrics included; `LOG_LEVEL` filters in the function.
#[test]
fn lambda_passes_every_log_line_on() -> TestResult {
    for function in deployed()?.functions {
        let lines = template(&function.name)?;
        for line in ["LogFormat: JSON", "ApplicationLogLevel: TRACE", "LOG_LEVEL: !Ref LogLevel"] {
            assert!(lines.contains(line), "{} has no {line}", function.name);
        }
    }
    Ok(())
}

/// `aws cloudformation package` takes the path from the function's own template.
#[test]
fn the_code_of_a_function_is_what_make_build_makes() -> TestResult {
    for function in deployed()?.functions {
        let code = format!("Code: ../../target/lambda/{}/bootstrap.zip", function.name);
        assert!(template(&function.name)?.contains(&code), "{code}");
    }
    Ok(())
}

/// The lines of a function's own template.
fn template(function: &str) -> TestResult<BTreeSet<String>> {
    let path = workspace().join(format!("infra/functions/{function}.yaml"));
    Ok(std::fs::read_to_string(path)?.lines().map(|line| line.trim().to_owned()).collect())
}
