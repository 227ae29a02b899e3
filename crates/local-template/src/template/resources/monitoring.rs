//! Log groups, alarms and the topic that alarms go to. They are there to be referred to; of alarms the plan has what they
//! watch, for tests.

use std::collections::BTreeMap;

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::{Made, ResourceType, TAGS, effect, identity, of_type, without_effect};
use crate::plan::{Alarm, AlarmMetric};

const LOG_GROUP: &str = "AWS::Logs::LogGroup";
const ALARM: &str = "AWS::CloudWatch::Alarm";
const TOPIC: &str = "AWS::SNS::Topic";
const TOPIC_POLICY: &str = "AWS::SNS::TopicPolicy";

const LOGS: &str = "logs go to the terminal";
const NO_METRICS: &str = "there are no metrics here to raise an alarm";
const METRIC_FILTER: &str = "AWS::Logs::MetricFilter";
const NO_ALARMS: &str = "no alarm is raised here that could be published";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: LOG_GROUP,
        properties: &[
            effect("LogGroupName"),
            without_effect("DataProtectionPolicy", LOGS),
            without_effect("KmsKeyId", LOGS),
            without_effect("LogGroupClass", LOGS),
            without_effect("RetentionInDays", LOGS),
            TAGS,
        ],
        identify: |naming, properties| {
            let name = properties.text("LogGroupName")?.unwrap_or_else(|| naming.name());
            let arn = naming.arn("logs", &format!("log-group:{name}:*"));
            Ok(identity(LOG_GROUP, name, [("Arn", arn)]))
        },
    },
    ResourceType {
        name: METRIC_FILTER,
        properties: &[
            without_effect("FilterName", NO_METRICS),
            without_effect("FilterPattern", NO_METRICS),
            without_effect("LogGroupName", NO_METRICS),
            without_effect("MetricTransformations.DefaultValue", NO_METRICS),
            without_effect("MetricTransformations.Dimensions", NO_METRICS),
            without_effect("MetricTransformations.MetricName", NO_METRICS),
            without_effect("MetricTransformations.MetricNamespace", NO_METRICS),
            without_effect("MetricTransformations.MetricValue", NO_METRICS),
            without_effect("MetricTransformations.Unit", NO_METRICS),
        ],
        identify: |naming, _| Ok(identity(METRIC_FILTER, naming.name(), [])),
    },
    ResourceType {
        name: ALARM,
        properties: &[
            effect("AlarmName"),
            without_effect("ActionsEnabled", NO_METRICS),
            without_effect("AlarmActions", NO_METRICS),
            effect("AlarmDescription"),
            without_effect("ComparisonOperator", NO_METRICS),
            without_effect("DatapointsToAlarm", NO_METRICS),
            effect("Dimensions.Name"),
            effect("Dimensions.Value"),
            without_effect("EvaluateLowSampleCountPercentile", NO_METRICS),
            without_effect("EvaluationPeriods", NO_METRICS),
            without_effect("ExtendedStatistic", NO_METRICS),
            without_effect("InsufficientDataActions", NO_METRICS),
            effect("MetricName"),
            effect("Metrics"),
            effect("Namespace"),
            without_effect("OKActions", NO_METRICS),
            without_effect("Period", NO_METRICS),
            without_effect("Statistic", NO_METRICS),
            without_effect("Threshold", NO_METRICS),
            effect("TreatMissingData"),
            without_effect("Unit", NO_METRICS),
            TAGS,
        ],
        identify: |naming, properties| {
            let name = properties.text("AlarmName")?.unwrap_or_else(|| naming.name());
            let arn = naming.arn("cloudwatch", &format!("alarm:{name}"));
            Ok(identity(ALARM, name, [("Arn", arn)]))
        },
    },
    ResourceType {
        name: TOPIC,
        properties: &[
            effect("TopicName"),
            without_effect("DisplayName", NO_ALARMS),
            without_effect("KmsMasterKeyId", NO_ALARMS),
            without_effect("Subscription.Endpoint", NO_ALARMS),
            without_effect("Subscription.Protocol", NO_ALARMS),
            TAGS,
        ],
        identify: |naming, properties| {
            let name = properties.text("TopicName")?.unwrap_or_else(|| naming.name());
            let arn = naming.arn("sns", &name);
            Ok(identity(TOPIC, arn.clone(), [("TopicArn", arn), ("TopicName", name)]))
        },
    },
    ResourceType {
        name: TOPIC_POLICY,
        properties: &[without_effect("PolicyDocument", NO_ALARMS), without_effect("Topics", NO_ALARMS)],
        identify: |naming, _| Ok(identity(TOPIC_POLICY, naming.name(), [])),
    },
];

/// Whether a template makes the log group of this name.
pub(super) fn is_log_group(made: &[Made], name: &str) -> bool {
    of_type(made, LOG_GROUP).any(|it| it.identity.reference == name)
}

/// All alarms with the metrics that they watch.
pub(super) fn alarms(made: &[Made]) -> Result<Vec<Alarm>, TemplateError> {
    of_type(made, ALARM).map(alarm).collect()
}

fn alarm(it: &Made) -> Result<Alarm, TemplateError> {
    let properties = &it.properties;
    let mut metrics = Vec::new();
    if properties.map.contains_key("MetricName") {
        metrics.push(metric(properties)?);
    }
    for query in properties.items("Metrics")? {
        // An entry without MetricStat is an expression over the others.
        if let Some(stat) = query.fields("MetricStat")? {
            metrics.push(metric(&stat.required_fields("Metric")?)?);
        }
    }
    if metrics.is_empty() {
        return Err(properties.missing("MetricName"));
    }
    Ok(Alarm {
        id: properties.path.clone(),
        template: it.template.clone(),
        description: properties.text("AlarmDescription")?.unwrap_or_default(),
        metrics,
        treat_missing_data: properties.text("TreatMissingData")?.unwrap_or_else(|| "missing".to_owned()),
    })
}

fn metric(fields: &Fields) -> Result<AlarmMetric, TemplateError> {
    let mut dimensions = BTreeMap::new();
    for dimension in fields.items("Dimensions")? {
        dimensions.insert(dimension.required("Name")?, dimension.required("Value")?);
    }
    let (namespace, name) = (fields.required("Namespace")?, fields.required("MetricName")?);
    Ok(AlarmMetric { namespace, name, dimensions })
}
