//! Queues and their policies.

use std::time::Duration;

use super::super::error::TemplateError;
use super::policy;
use super::{Made, ResourceType, TAGS, effect, identity, kms, of_type, without_effect};
use crate::plan::{Queue, Redrive};

const QUEUE: &str = "AWS::SQS::Queue";
const QUEUE_POLICY: &str = "AWS::SQS::QueuePolicy";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: QUEUE,
        // No FifoQueue and what belongs to it: EventBridge's events have no order to keep.
        properties: &[
            effect("DelaySeconds"),
            without_effect("KmsDataKeyReusePeriodSeconds", "nothing is encrypted at rest on one machine"),
            effect("KmsMasterKeyId"),
            effect("MaximumMessageSize"),
            effect("MessageRetentionPeriod"),
            effect("QueueName"),
            without_effect(
                "ReceiveMessageWaitTimeSeconds",
                "Lambda alone reads queues, and waits as long as it takes",
            ),
            effect("RedrivePolicy.deadLetterTargetArn"),
            effect("RedrivePolicy.maxReceiveCount"),
            without_effect("SqsManagedSseEnabled", "nothing is encrypted at rest on one machine"),
            TAGS,
            effect("VisibilityTimeout"),
        ],
        identify: |naming, properties| {
            let name = properties.text("QueueName")?.unwrap_or_else(|| naming.short_name());
            let arn = naming.arn("sqs", &name);
            let url = format!("https://sqs.{}.amazonaws.com/{}/{name}", naming.region, super::super::ACCOUNT);
            let attributes = [("Arn", arn), ("QueueName", name), ("QueueUrl", url.clone())];
            Ok(identity(QUEUE, url, attributes))
        },
    },
    ResourceType {
        name: QUEUE_POLICY,
        properties: &[effect("PolicyDocument"), effect("Queues")],
        identify: |naming, _| Ok(identity(QUEUE_POLICY, naming.name(), [])),
    },
];

/// All queues with their policies.
pub(super) fn read(made: &[Made]) -> Result<Vec<Queue>, TemplateError> {
    let mut queues = of_type(made, QUEUE).map(|it| queue(made, it)).collect::<Result<Vec<_>, _>>()?;
    for it in of_type(made, QUEUE_POLICY) {
        let policy = policy::statements(&it.properties.required_fields("PolicyDocument")?)?;
        let urls = it.properties.texts("Queues")?;
        if urls.is_empty() {
            return Err(it.properties.missing("Queues"));
        }
        for url in urls {
            let named = of_type(made, QUEUE).find(|queue| queue.identity.reference == url);
            let named = named.ok_or_else(|| it.properties.dangling("Queues", &url))?;
            let found = queues.iter_mut().find(|queue| queue.arn == named.arn());
            let queue = found.ok_or_else(|| it.properties.dangling("Queues", &url))?;
            if !queue.policy.is_empty() {
                let wanted = "a queue has one policy: the last to be deployed would replace the others";
                return Err(it.properties.unsupported("Queues", &url, wanted));
            }
            queue.policy.clone_from(&policy);
        }
    }
    Ok(queues)
}

/// The queue of this ARN.
pub(super) fn is_queue(made: &[Made], arn: &str) -> bool {
    of_type(made, QUEUE).any(|it| it.arn() == arn)
}

fn queue(made: &[Made], it: &Made) -> Result<Queue, TemplateError> {
    let properties = &it.properties;
    let seconds = |key, limits, default: u32| {
        let seconds = properties.within(key, limits)?.unwrap_or(default);
        Ok::<_, TemplateError>(Duration::from_secs(seconds.into()))
    };
    let redrive = match properties.fields("RedrivePolicy")? {
        None => None,
        Some(policy) => {
            let queue = policy.required("deadLetterTargetArn")?;
            if !is_queue(made, &queue) {
                return Err(policy.dangling("deadLetterTargetArn", &queue));
            }
            let most = policy.within("maxReceiveCount", 1..=1000)?;
            Some(Redrive { queue, most_receives: most.ok_or_else(|| policy.missing("maxReceiveCount"))? })
        }
    };
    let greatest = properties.within("MaximumMessageSize", 1024..=1_048_576)?.unwrap_or(1_048_576);
    Ok(Queue {
        name: it.identity.attributes.get("QueueName").cloned().unwrap_or_default(),
        arn: it.arn().to_owned(),
        visibility: seconds("VisibilityTimeout", 0..=43_200, 30)?,
        delay: seconds("DelaySeconds", 0..=900, 0)?,
        retention: seconds("MessageRetentionPeriod", 60..=1_209_600, 345_600)?,
        greatest: usize::try_from(greatest).unwrap_or(usize::MAX),
        redrive,
        key: properties.text("KmsMasterKeyId")?.map(|key| kms::arn_of(made, &key)),
        policy: Vec::new(),
    })
}
