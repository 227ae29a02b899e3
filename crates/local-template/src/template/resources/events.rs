//! Buses, and rules that invoke a function on a schedule or send events on.

mod pattern;

use std::time::Duration;

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::{
    DESCRIPTION, Made, ResourceType, TAGS, effect, function, identity, of_type, sqs, without_effect,
};
use crate::plan::{Asynchronous, EventBus, EventRule, RuleTarget, Schedule, Target};

const BUS: &str = "AWS::Events::EventBus";
const RULE: &str = "AWS::Events::Rule";

/// The bus of AWS services' events, which every account has.
const DEFAULT: &str = "default";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: BUS,
        properties: &[DESCRIPTION, effect("Name"), TAGS],
        identify: |naming, properties| {
            let name = properties.required("Name")?;
            if name == DEFAULT {
                return Err(properties.unsupported("Name", &name, "every account has that one already"));
            }
            let arn = naming.arn("events", &format!("event-bus/{name}"));
            Ok(identity(BUS, name.clone(), [("Arn", arn), ("Name", name)]))
        },
    },
    ResourceType {
        name: RULE,
        properties: &[
            DESCRIPTION,
            effect("EventBusName"),
            effect("EventPattern"),
            effect("Name"),
            effect("ScheduleExpression"),
            effect("State"),
            TAGS,
            effect("Targets.Arn"),
            effect("Targets.DeadLetterConfig.Arn"),
            without_effect("Targets.Id", "it is for people; it must be there"),
            effect("Targets.RetryPolicy.MaximumEventAgeInSeconds"),
            effect("Targets.RetryPolicy.MaximumRetryAttempts"),
        ],
        identify: |naming, properties| {
            let name = properties.text("Name")?.unwrap_or_else(|| naming.short_name());
            // `Ref` of a rule on another bus than the default one has the bus's name too:
            // https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1131
            let (reference, path) = match bus(properties)?.as_str() {
                DEFAULT => (name.clone(), name),
                bus => (format!("{bus}|{name}"), format!("{bus}/{name}")),
            };
            Ok(identity(RULE, reference, [("Arn", naming.arn("events", &format!("rule/{path}")))]))
        },
    },
];

/// All buses that templates make.
pub(super) fn buses(made: &[Made]) -> Vec<EventBus> {
    let bus = |it: &Made| EventBus { name: it.identity.reference.clone(), arn: it.arn().to_owned() };
    of_type(made, BUS).map(bus).collect()
}

/// All rules on a schedule.
pub(super) fn schedules(made: &[Made]) -> Result<Vec<Schedule>, TemplateError> {
    let scheduled = |it: &&Made| !it.properties.map.contains_key("EventPattern");
    of_type(made, RULE).filter(scheduled).map(|it| schedule(made, it)).collect()
}

/// All rules that pick events.
pub(super) fn rules(made: &[Made]) -> Result<Vec<EventRule>, TemplateError> {
    let picking = |it: &&Made| it.properties.map.contains_key("EventPattern");
    of_type(made, RULE).filter(picking).map(|it| rule(made, it)).collect()
}

fn schedule(made: &[Made], rule: &Made) -> Result<Schedule, TemplateError> {
    let properties = &rule.properties;
    let expression = properties.required("ScheduleExpression")?;
    let every = rate(&expression).ok_or_else(|| {
        let wanted = "only rate(1 minute), rate(5 minutes), hours and days are known";
        properties.unsupported("ScheduleExpression", &expression, wanted)
    })?;
    if bus(properties)? != DEFAULT {
        return Err(properties.unsupported(
            "EventBusName",
            &bus(properties)?,
            "schedules are on the default bus",
        ));
    }
    let (function, delivery, dead_letters) = match &properties.items("Targets")?[..] {
        [target] => (target_function(made, target)?, delivery(target)?, dead_letters(made, target)?),
        others => {
            let count = others.len().to_string();
            return Err(properties.unsupported("Targets", &count, "a schedule has one target here"));
        }
    };
    let (name, arn) = (name(rule), rule.arn().to_owned());
    let enabled = enabled(properties)?;
    Ok(Schedule { name, arn, function, delivery, dead_letters, every, enabled })
}

fn rule(made: &[Made], rule: &Made) -> Result<EventRule, TemplateError> {
    let properties = &rule.properties;
    if properties.map.contains_key("ScheduleExpression") {
        let wanted = "a rule has an EventPattern or a schedule here, not both";
        return Err(properties.unsupported("ScheduleExpression", "with an EventPattern", wanted));
    }
    let bus = bus(properties)?;
    if bus != DEFAULT && !of_type(made, BUS).any(|it| it.identity.reference == bus) {
        return Err(properties.dangling("EventBusName", &bus));
    }
    let targets = properties.items("Targets")?;
    if targets.is_empty() {
        return Err(properties.missing("Targets"));
    }
    Ok(EventRule {
        name: name(rule),
        arn: rule.arn().to_owned(),
        bus,
        pattern: pattern::read(properties)?,
        enabled: enabled(properties)?,
        targets: targets.iter().map(|it| target(made, it)).collect::<Result<_, _>>()?,
    })
}

/// The rule's name without its bus.
fn name(rule: &Made) -> String {
    rule.arn().rsplit('/').next().unwrap_or_default().to_owned()
}

/// The bus's name, of a name or an ARN.
fn bus(properties: &Fields) -> Result<String, TemplateError> {
    let given = properties.text("EventBusName")?.unwrap_or_else(|| DEFAULT.to_owned());
    Ok(given.rsplit_once("event-bus/").map_or(given.as_str(), |(_, name)| name).to_owned())
}

fn enabled(properties: &Fields) -> Result<bool, TemplateError> {
    match properties.text("State")?.as_deref() {
        None | Some("ENABLED") => Ok(true),
        Some("DISABLED") => Ok(false),
        Some(other) => Err(properties.unsupported("State", other, "only ENABLED and DISABLED are known")),
    }
}

fn target(made: &[Made], target: &Fields) -> Result<RuleTarget, TemplateError> {
    delivery(target)?;
    let (arn, dead_letters) = (target.required("Arn")?, dead_letters(made, target)?);
    let target = if sqs::is_queue(made, &arn) {
        target.required("Id")?;
        Target::Queue(arn)
    } else {
        target_function(made, target).map(Target::Function)?
    };
    Ok(RuleTarget { target, dead_letters })
}

/// A delivery here succeeds at once or cannot; so of a target other than a schedule's this is only read.
fn delivery(target: &Fields) -> Result<Asynchronous, TemplateError> {
    let mut delivery = Asynchronous::OF_EVENT_BRIDGE;
    if let Some(policy) = target.fields("RetryPolicy")? {
        let retries = policy.within("MaximumRetryAttempts", 0..=185)?;
        let seconds = policy.within("MaximumEventAgeInSeconds", 60..=86_400)?;
        delivery.retries = retries.unwrap_or(delivery.retries);
        delivery.max_age = seconds.map_or(delivery.max_age, |it| Duration::from_secs(it.into()));
    }
    Ok(delivery)
}

fn dead_letters(made: &[Made], target: &Fields) -> Result<Option<String>, TemplateError> {
    let Some(config) = target.fields("DeadLetterConfig")? else { return Ok(None) };
    let arn = config.required("Arn")?;
    if sqs::is_queue(made, &arn) { Ok(Some(arn)) } else { Err(config.dangling("Arn", &arn)) }
}

fn target_function(made: &[Made], target: &Fields) -> Result<String, TemplateError> {
    target.required("Id")?;
    let arn = target.required("Arn")?;
    let function = function(made, &arn).filter(|it| it.arn() == arn);
    Ok(function.ok_or_else(|| target.dangling("Arn", &arn))?.template.clone())
}

/// Reads `rate(5 minutes)`. As on AWS, one is singular and only one is.
fn rate(expression: &str) -> Option<Duration> {
    let (count, unit) = expression.strip_prefix("rate(")?.strip_suffix(')')?.split_once(' ')?;
    let count: u32 = count.parse().ok().filter(|count| *count > 0)?;
    let unit = if count == 1 { unit } else { unit.strip_suffix('s')? };
    let seconds = match unit {
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(u64::from(count) * seconds))
}
