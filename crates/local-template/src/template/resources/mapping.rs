//! Queues that Lambda reads for functions.

use std::time::Duration;

use super::super::error::TemplateError;
use super::{Made, ResourceType, TAGS, effect, function, identity, of_type};
use crate::plan::{Function, Mapping, Queue};

const MAPPING: &str = "AWS::Lambda::EventSourceMapping";

pub(super) const TYPES: &[ResourceType] = &[ResourceType {
    name: MAPPING,
    // No FilterCriteria: the events that a function receives are selected once, in its rule.
    properties: &[
        effect("BatchSize"),
        effect("Enabled"),
        effect("EventSourceArn"),
        effect("FunctionName"),
        effect("FunctionResponseTypes"),
        effect("MaximumBatchingWindowInSeconds"),
        effect("ScalingConfig.MaximumConcurrency"),
        TAGS,
    ],
    identify: |naming, _| {
        let id = naming.uuid();
        let arn = naming.arn("lambda", &format!("event-source-mapping:{id}"));
        Ok(identity(MAPPING, id.clone(), [("EventSourceMappingArn", arn), ("Id", id)]))
    },
}];

/// All mappings, checked against their queues and functions as Lambda checks them.
pub(super) fn read(
    made: &[Made],
    functions: &[Function],
    queues: &[Queue],
) -> Result<Vec<Mapping>, TemplateError> {
    of_type(made, MAPPING).map(|it| mapping(made, it, functions, queues)).collect()
}

fn mapping(
    made: &[Made],
    it: &Made,
    functions: &[Function],
    queues: &[Queue],
) -> Result<Mapping, TemplateError> {
    let properties = &it.properties;
    let (queue, name) = (properties.required("EventSourceArn")?, properties.required("FunctionName")?);
    let source = queues.iter().find(|it| it.arn == queue);
    let source = source.ok_or_else(|| properties.dangling("EventSourceArn", &queue))?;
    let dangling = || properties.dangling("FunctionName", &name);
    let template = &function(made, &name).ok_or_else(dangling)?.template;
    let function = functions.iter().find(|it| it.name == *template).ok_or_else(dangling)?;
    if source.visibility < function.timeout {
        let wanted = "the queue's VisibilityTimeout must not be less than the function's Timeout";
        return Err(properties.unsupported("EventSourceArn", &queue, wanted));
    }
    let batch = properties.within("BatchSize", 1..=10_000)?.unwrap_or(10);
    let window = properties.within("MaximumBatchingWindowInSeconds", 0..=300)?.unwrap_or(0);
    if batch > 10 && window == 0 {
        let wanted = "more than 10 need a MaximumBatchingWindowInSeconds of at least 1";
        return Err(properties.unsupported("BatchSize", &batch.to_string(), wanted));
    }
    let types = properties.texts("FunctionResponseTypes")?;
    if let Some(other) = types.iter().find(|it| *it != "ReportBatchItemFailures") {
        let wanted = "only ReportBatchItemFailures is known";
        return Err(properties.unsupported("FunctionResponseTypes", other, wanted));
    }
    let scaling = properties.fields("ScalingConfig")?;
    Ok(Mapping {
        function: function.name.clone(),
        queue,
        batch: usize::try_from(batch).unwrap_or(usize::MAX),
        window: Duration::from_secs(window.into()),
        partial: !types.is_empty(),
        concurrency: scaling.map(|it| it.within("MaximumConcurrency", 2..=1000)).transpose()?.flatten(),
        enabled: properties.flag("Enabled")?.unwrap_or(true),
    })
}
