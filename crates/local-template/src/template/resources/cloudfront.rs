//! Distributions, with the functions, origin access controls and cache policies that they name.

use std::collections::BTreeMap;

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::{Made, ResourceType, TAGS, effect, identity, of_type, response_headers, s3, without_effect};
use crate::plan::{Behavior, Distribution, Origin, OriginKind};

const DISTRIBUTION: &str = "AWS::CloudFront::Distribution";
const FUNCTION: &str = "AWS::CloudFront::Function";
const ORIGIN_ACCESS: &str = "AWS::CloudFront::OriginAccessControl";
const CACHE_POLICY: &str = "AWS::CloudFront::CachePolicy";

/// Policies that `CloudFront` keeps itself.
const CACHING_DISABLED: &str = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad";
const ALL_VIEWER_EXCEPT_HOST: &str = "b689b0a8-53d0-40ab-baf2-68738e2966ac";

/// Headers that `CloudFront` cannot add to requests to an origin, by name or by the beginning of it:
/// <https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/add-origin-custom-headers.html#add-origin-custom-headers-denylist>
const NOT_ADDED: [&str; 19] = [
    "cache-control",
    "connection",
    "content-length",
    "cookie",
    "host",
    "if-",
    "max-forwards",
    "pragma",
    "proxy-",
    "range",
    "request-range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
    "x-amz-",
    "x-edge-",
    "x-real-ip",
];

/// The greatest code of a function, in bytes.
const GREATEST_CODE: usize = 10 * 1024;

const LOOPBACK: &str = "loopback has neither TLS nor a domain";
const ONLY_ERRORS: &str = "nothing but errors is kept at this edge";
const FOR_PEOPLE: &str = "it is for people";
const NEAR: &str = "the origin is this machine";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: DISTRIBUTION,
        properties: &[
            without_effect("DistributionConfig.Aliases", LOOPBACK),
            effect("DistributionConfig.CacheBehaviors.AllowedMethods"),
            effect("DistributionConfig.CacheBehaviors.CachePolicyId"),
            without_effect(
                "DistributionConfig.CacheBehaviors.Compress",
                "what is compressed is so in the bucket",
            ),
            effect("DistributionConfig.CacheBehaviors.FunctionAssociations.EventType"),
            effect("DistributionConfig.CacheBehaviors.FunctionAssociations.FunctionARN"),
            effect("DistributionConfig.CacheBehaviors.OriginRequestPolicyId"),
            effect("DistributionConfig.CacheBehaviors.PathPattern"),
            effect("DistributionConfig.CacheBehaviors.ResponseHeadersPolicyId"),
            effect("DistributionConfig.CacheBehaviors.TargetOriginId"),
            without_effect("DistributionConfig.CacheBehaviors.ViewerProtocolPolicy", LOOPBACK),
            without_effect("DistributionConfig.Comment", FOR_PEOPLE),
            effect("DistributionConfig.CustomErrorResponses.ErrorCachingMinTTL"),
            effect("DistributionConfig.CustomErrorResponses.ErrorCode"),
            effect("DistributionConfig.DefaultCacheBehavior.AllowedMethods"),
            effect("DistributionConfig.DefaultCacheBehavior.CachePolicyId"),
            effect("DistributionConfig.DefaultCacheBehavior.FunctionAssociations.EventType"),
            effect("DistributionConfig.DefaultCacheBehavior.FunctionAssociations.FunctionARN"),
            effect("DistributionConfig.DefaultCacheBehavior.ResponseHeadersPolicyId"),
            effect("DistributionConfig.DefaultCacheBehavior.TargetOriginId"),
            without_effect("DistributionConfig.DefaultCacheBehavior.ViewerProtocolPolicy", LOOPBACK),
            effect("DistributionConfig.Enabled"),
            without_effect("DistributionConfig.HttpVersion", "this edge speaks HTTP/1.1"),
            without_effect("DistributionConfig.IPV6Enabled", "it listens on [::1] where there is one"),
            without_effect("DistributionConfig.Origins.CustomOriginConfig.OriginKeepaliveTimeout", NEAR),
            without_effect("DistributionConfig.Origins.CustomOriginConfig.OriginProtocolPolicy", LOOPBACK),
            without_effect("DistributionConfig.Origins.CustomOriginConfig.OriginReadTimeout", NEAR),
            without_effect("DistributionConfig.Origins.CustomOriginConfig.OriginSSLProtocols", LOOPBACK),
            effect("DistributionConfig.Origins.DomainName"),
            effect("DistributionConfig.Origins.Id"),
            effect("DistributionConfig.Origins.OriginAccessControlId"),
            effect("DistributionConfig.Origins.OriginCustomHeaders.HeaderName"),
            effect("DistributionConfig.Origins.OriginCustomHeaders.HeaderValue"),
            effect("DistributionConfig.Origins.S3OriginConfig.OriginAccessIdentity"),
            without_effect("DistributionConfig.PriceClass", "there is one edge here"),
            without_effect("DistributionConfig.ViewerCertificate", LOOPBACK),
            without_effect("DistributionConfig.WebACLId", "nobody but this machine can knock"),
            TAGS,
        ],
        identify: |naming, _| {
            let id = format!("E{}", naming.letters(13).to_uppercase());
            let domain = format!("d{}.cloudfront.net", naming.letters(13));
            Ok(identity(DISTRIBUTION, id.clone(), [("DomainName", domain), ("Id", id)]))
        },
    },
    ResourceType {
        name: FUNCTION,
        properties: &[
            effect("AutoPublish"),
            effect("FunctionCode"),
            without_effect("FunctionConfig.Comment", FOR_PEOPLE),
            effect("FunctionConfig.Runtime"),
            effect("Name"),
        ],
        identify: |naming, properties| {
            let name = properties.required("Name")?;
            let arn = naming.global_arn("cloudfront", &format!("function/{name}"));
            let attributes = [("FunctionARN", arn.clone()), ("FunctionMetadata.FunctionARN", arn.clone())];
            Ok(identity(FUNCTION, arn, attributes))
        },
    },
    ResourceType {
        name: ORIGIN_ACCESS,
        properties: &[
            without_effect("OriginAccessControlConfig.Description", FOR_PEOPLE),
            without_effect("OriginAccessControlConfig.Name", FOR_PEOPLE),
            effect("OriginAccessControlConfig.OriginAccessControlOriginType"),
            effect("OriginAccessControlConfig.SigningBehavior"),
            effect("OriginAccessControlConfig.SigningProtocol"),
        ],
        identify: |naming, _| {
            let id = format!("E{}", naming.letters(13).to_uppercase());
            Ok(identity(ORIGIN_ACCESS, id.clone(), [("Id", id)]))
        },
    },
    ResourceType {
        name: CACHE_POLICY,
        properties: &[
            without_effect("CachePolicyConfig.Comment", FOR_PEOPLE),
            without_effect("CachePolicyConfig.DefaultTTL", ONLY_ERRORS),
            without_effect("CachePolicyConfig.MaxTTL", ONLY_ERRORS),
            without_effect("CachePolicyConfig.MinTTL", ONLY_ERRORS),
            without_effect("CachePolicyConfig.Name", FOR_PEOPLE),
            without_effect("CachePolicyConfig.ParametersInCacheKeyAndForwardedToOrigin", ONLY_ERRORS),
        ],
        identify: |naming, _| {
            let id = naming.uuid();
            Ok(identity(CACHE_POLICY, id.clone(), [("Id", id)]))
        },
    },
];

/// All distributions.
pub(super) fn read(made: &[Made]) -> Result<Vec<Distribution>, TemplateError> {
    for access in of_type(made, ORIGIN_ACCESS) {
        let config = access.properties.required_fields("OriginAccessControlConfig")?;
        config.only("OriginAccessControlOriginType", "s3")?;
        config.only("SigningBehavior", "always")?;
        config.only("SigningProtocol", "sigv4")?;
    }
    of_type(made, DISTRIBUTION).map(|it| distribution(made, it)).collect()
}

fn distribution(made: &[Made], it: &Made) -> Result<Distribution, TemplateError> {
    let config = it.properties.required_fields("DistributionConfig")?;
    config.only("Enabled", "true")?;
    let origins = config.items("Origins")?;
    let origins = origins.iter().map(|it| origin(made, it)).collect::<Result<Vec<_>, _>>()?;
    let mut behaviors = Vec::new();
    for fields in config.items("CacheBehaviors")? {
        behaviors.push(behavior(made, &origins, &fields, fields.required("PathPattern")?)?);
    }
    let default = config.required_fields("DefaultCacheBehavior")?;
    behaviors.push(behavior(made, &origins, &default, "*".to_owned())?);
    let mut error_ttl = BTreeMap::new();
    for error in config.items("CustomErrorResponses")? {
        let code = error.within("ErrorCode", 400..=599)?.ok_or_else(|| error.missing("ErrorCode"))?;
        let ttl = error.number("ErrorCachingMinTTL")?.ok_or_else(|| error.missing("ErrorCachingMinTTL"))?;
        error_ttl.insert(u16::try_from(code).map_err(|_| error.shape("ErrorCode", "a status"))?, ttl);
    }
    let id = it.identity.reference.clone();
    Ok(Distribution {
        arn: format!("arn:aws:cloudfront::{}:distribution/{id}", super::super::ACCOUNT),
        domain: it.identity.attributes.get("DomainName").cloned().unwrap_or_default(),
        id,
        origins,
        behaviors,
        error_ttl,
    })
}

fn origin(made: &[Made], fields: &Fields) -> Result<Origin, TemplateError> {
    let domain = fields.required("DomainName")?;
    let dangling = || fields.dangling("DomainName", &domain);
    let kind = if let Some(s3_config) = fields.fields("S3OriginConfig")? {
        s3_config.only("OriginAccessIdentity", "")?;
        let control = fields.text("OriginAccessControlId")?;
        if let Some(id) = &control
            && !of_type(made, ORIGIN_ACCESS).any(|it| it.identity.reference == *id)
        {
            return Err(fields.dangling("OriginAccessControlId", id));
        }
        let bucket = s3::read(made)?.into_iter().find(|it| it.domain == domain).ok_or_else(dangling)?;
        OriginKind::Bucket { name: bucket.name, signed: control.is_some() }
    } else {
        fields.required_fields("CustomOriginConfig")?;
        let apis = super::http_api::read(made)?;
        let of_api = |id: &str| domain.split_once(".execute-api.").is_some_and(|(it, _)| it == id);
        OriginKind::Api(apis.into_iter().find(|it| of_api(&it.id)).ok_or_else(dangling)?.id)
    };
    let mut headers = Vec::new();
    for header in fields.items("OriginCustomHeaders")? {
        let name = header.required("HeaderName")?.to_lowercase();
        if NOT_ADDED.iter().any(|it| name == *it || (it.ends_with('-') && name.starts_with(it))) {
            return Err(header.unsupported("HeaderName", &name, "CloudFront adds no header of this name"));
        }
        headers.push((name, header.required("HeaderValue")?));
    }
    Ok(Origin { id: fields.required("Id")?, kind, headers })
}

fn behavior(
    made: &[Made],
    origins: &[Origin],
    fields: &Fields,
    pattern: String,
) -> Result<Behavior, TemplateError> {
    let origin = fields.required("TargetOriginId")?;
    if !origins.iter().any(|it| it.id == origin) {
        return Err(fields.dangling("TargetOriginId", &origin));
    }
    let cache = fields.required("CachePolicyId")?;
    if cache != CACHING_DISABLED && !of_type(made, CACHE_POLICY).any(|it| it.identity.reference == cache) {
        return Err(fields.dangling("CachePolicyId", &cache));
    }
    let forwards_viewer = match fields.text("OriginRequestPolicyId")?.as_deref() {
        None => false,
        Some(ALL_VIEWER_EXCEPT_HOST) => true,
        Some(other) => {
            let wanted = "only AllViewerExceptHostHeader is known";
            return Err(fields.unsupported("OriginRequestPolicyId", other, wanted));
        }
    };
    let headers = match fields.text("ResponseHeadersPolicyId")? {
        None => None,
        Some(id) => {
            let policy = response_headers::policy(made, &id)?;
            Some(policy.ok_or_else(|| fields.dangling("ResponseHeadersPolicyId", &id))?)
        }
    };
    let mut methods = fields.texts("AllowedMethods")?;
    if methods.is_empty() {
        methods = vec!["GET".to_owned(), "HEAD".to_owned()];
    }
    let function = match &fields.items("FunctionAssociations")?[..] {
        [] => None,
        [one] => {
            one.only("EventType", "viewer-request")?;
            Some(code(made, one)?)
        }
        more => {
            let count = more.len().to_string();
            return Err(fields.unsupported("FunctionAssociations", &count, "one is known here"));
        }
    };
    if function.is_some() && forwards_viewer {
        // The function might change what is forwarded; only its path is looked at here.
        let wanted = "a function before an origin request policy is not known";
        return Err(fields.unsupported("FunctionAssociations", "viewer-request", wanted));
    }
    Ok(Behavior { pattern, origin, methods, forwards_viewer, function, headers })
}

fn code(made: &[Made], association: &Fields) -> Result<String, TemplateError> {
    let arn = association.required("FunctionARN")?;
    let function = of_type(made, FUNCTION).find(|it| it.identity.reference == arn);
    let function = &function.ok_or_else(|| association.dangling("FunctionARN", &arn))?.properties;
    function.only("AutoPublish", "true")?;
    function.required_fields("FunctionConfig")?.only("Runtime", "cloudfront-js-2.0")?;
    let code = function.required("FunctionCode")?;
    if code.len() > GREATEST_CODE {
        let length = format!("{} bytes", code.len());
        return Err(function.unsupported("FunctionCode", &length, "CloudFront takes 10 KB"));
    }
    Ok(code)
}
