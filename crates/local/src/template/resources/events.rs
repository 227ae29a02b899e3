//! Rules that invoke a function on a schedule.

use std::time::Duration;

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::super::stack::Made;
use super::{DESCRIPTION, ResourceType, effect, function, identity, of_type, without_effect};
use crate::plan::Schedule;

const RULE: &str = "AWS::Events::Rule";

pub(super) const TYPES: &[ResourceType] = &[ResourceType {
    name: RULE,
    properties: &[
        DESCRIPTION,
        effect("Name"),
        effect("ScheduleExpression"),
        effect("State"),
        effect("Targets.Arn"),
        without_effect("Targets.Id", "a rule has one target here; it must be there"),
    ],
    identify: |naming, properties| {
        let name = properties.text("Name")?.unwrap_or_else(|| naming.short_name());
        let arn = naming.arn("events", &format!("rule/{name}"));
        Ok(identity(RULE, name, [("Arn", arn)]))
    },
}];

/// All schedules.
pub(super) fn read(made: &[Made]) -> Result<Vec<Schedule>, TemplateError> {
    of_type(made, RULE).map(|it| schedule(made, it)).collect()
}

fn schedule(made: &[Made], rule: &Made) -> Result<Schedule, TemplateError> {
    let properties = &rule.properties;
    let expression = properties.required("ScheduleExpression")?;
    let every = rate(&expression).ok_or_else(|| {
        let wanted = "only rate(1 minute), rate(5 minutes), hours and days are known";
        properties.unsupported("ScheduleExpression", &expression, wanted)
    })?;
    let enabled = match properties.text("State")?.as_deref() {
        None | Some("ENABLED") => true,
        Some("DISABLED") => false,
        Some(other) => {
            return Err(properties.unsupported("State", other, "only ENABLED and DISABLED are known"));
        }
    };
    let function = match &properties.items("Targets")?[..] {
        [target] => target_function(made, target)?,
        others => {
            let count = others.len().to_string();
            return Err(properties.unsupported("Targets", &count, "a schedule has one target here"));
        }
    };
    let (name, arn) = (rule.identity.reference.clone(), rule.arn().to_owned());
    Ok(Schedule { name, arn, function, every, enabled })
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
