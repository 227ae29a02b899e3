//! Resources around a distribution that have no effect on one machine: the delivery of access logs, the firewall, the
//! domain's records.

use super::{DESCRIPTION, ResourceType, TAGS, identity, without_effect};

const SOURCE: &str = "AWS::Logs::DeliverySource";
const DESTINATION: &str = "AWS::Logs::DeliveryDestination";
const DELIVERY: &str = "AWS::Logs::Delivery";
const LOG_POLICY: &str = "AWS::Logs::ResourcePolicy";
const FIREWALL: &str = "AWS::WAFv2::WebACL";
const RECORDS: &str = "AWS::Route53::RecordSetGroup";

const NO_ACCESS_LOG: &str = "there is no access log here";
const NO_FIREWALL: &str = "only this machine can send requests";
const NO_DOMAIN: &str = "loopback has no domain";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: SOURCE,
        properties: &[
            without_effect("LogType", NO_ACCESS_LOG),
            without_effect("Name", NO_ACCESS_LOG),
            without_effect("ResourceArn", NO_ACCESS_LOG),
            TAGS,
        ],
        identify: |naming, properties| {
            let name = properties.required("Name")?;
            let arn = naming.arn("logs", &format!("delivery-source:{name}"));
            Ok(identity(SOURCE, name, [("Arn", arn)]))
        },
    },
    ResourceType {
        name: DESTINATION,
        properties: &[
            without_effect("DestinationResourceArn", NO_ACCESS_LOG),
            without_effect("Name", NO_ACCESS_LOG),
            without_effect("OutputFormat", NO_ACCESS_LOG),
            TAGS,
        ],
        identify: |naming, properties| {
            let name = properties.required("Name")?;
            let arn = naming.arn("logs", &format!("delivery-destination:{name}"));
            Ok(identity(DESTINATION, name, [("Arn", arn)]))
        },
    },
    ResourceType {
        name: DELIVERY,
        properties: &[
            without_effect("DeliveryDestinationArn", NO_ACCESS_LOG),
            without_effect("DeliverySourceName", NO_ACCESS_LOG),
            without_effect("RecordFields", NO_ACCESS_LOG),
            TAGS,
        ],
        identify: |naming, _| Ok(identity(DELIVERY, naming.letters(16), [])),
    },
    ResourceType {
        name: LOG_POLICY,
        properties: &[
            without_effect("PolicyDocument", NO_ACCESS_LOG),
            without_effect("PolicyName", NO_ACCESS_LOG),
        ],
        identify: |_, properties| Ok(identity(LOG_POLICY, properties.required("PolicyName")?, [])),
    },
    ResourceType {
        name: FIREWALL,
        properties: &[
            without_effect("DefaultAction", NO_FIREWALL),
            DESCRIPTION,
            without_effect("Rules", NO_FIREWALL),
            without_effect("Scope", NO_FIREWALL),
            TAGS,
            without_effect("VisibilityConfig", NO_FIREWALL),
        ],
        identify: |naming, _| {
            let (name, id) = (naming.name(), naming.uuid());
            let arn = naming.arn("wafv2", &format!("global/webacl/{name}/{id}"));
            Ok(identity(FIREWALL, format!("{name}|{id}|CLOUDFRONT"), [("Arn", arn)]))
        },
    },
    ResourceType {
        name: RECORDS,
        properties: &[without_effect("HostedZoneId", NO_DOMAIN), without_effect("RecordSets", NO_DOMAIN)],
        identify: |naming, _| Ok(identity(RECORDS, naming.name(), [])),
    },
];
