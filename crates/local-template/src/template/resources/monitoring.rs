//! Log groups, alarms and the topic that alarms go to. They are there to be referred to.

use super::{ResourceType, TAGS, effect, identity, without_effect};

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
            without_effect("AlarmDescription", NO_METRICS),
            without_effect("ComparisonOperator", NO_METRICS),
            without_effect("DatapointsToAlarm", NO_METRICS),
            without_effect("Dimensions.Name", NO_METRICS),
            without_effect("Dimensions.Value", NO_METRICS),
            without_effect("EvaluateLowSampleCountPercentile", NO_METRICS),
            without_effect("EvaluationPeriods", NO_METRICS),
            without_effect("ExtendedStatistic", NO_METRICS),
            without_effect("InsufficientDataActions", NO_METRICS),
            without_effect("MetricName", NO_METRICS),
            without_effect("Metrics", NO_METRICS),
            without_effect("Namespace", NO_METRICS),
            without_effect("OKActions", NO_METRICS),
            without_effect("Period", NO_METRICS),
            without_effect("Statistic", NO_METRICS),
            without_effect("Threshold", NO_METRICS),
            without_effect("TreatMissingData", NO_METRICS),
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
