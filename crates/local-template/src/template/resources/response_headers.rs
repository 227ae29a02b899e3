//! Response headers policies.

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::{Made, ResourceType, effect, identity, of_type, without_effect};
use crate::plan::{CorsHeaders, ResponseHeaders, SetHeader};

const POLICY: &str = "AWS::CloudFront::ResponseHeadersPolicy";

pub(super) const TYPES: &[ResourceType] = &[ResourceType {
    name: POLICY,
    properties: &[
        without_effect("ResponseHeadersPolicyConfig.Comment", "it is for people"),
        effect("ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowCredentials"),
        effect("ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowHeaders.Items"),
        effect("ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowMethods.Items"),
        effect("ResponseHeadersPolicyConfig.CorsConfig.AccessControlAllowOrigins.Items"),
        effect("ResponseHeadersPolicyConfig.CorsConfig.AccessControlMaxAgeSec"),
        effect("ResponseHeadersPolicyConfig.CorsConfig.OriginOverride"),
        effect("ResponseHeadersPolicyConfig.CustomHeadersConfig.Items.Header"),
        effect("ResponseHeadersPolicyConfig.CustomHeadersConfig.Items.Override"),
        effect("ResponseHeadersPolicyConfig.CustomHeadersConfig.Items.Value"),
        without_effect("ResponseHeadersPolicyConfig.Name", "it is for people"),
        effect("ResponseHeadersPolicyConfig.RemoveHeadersConfig.Items.Header"),
        effect(
            "ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentSecurityPolicy.ContentSecurityPolicy",
        ),
        effect("ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentSecurityPolicy.Override"),
        effect("ResponseHeadersPolicyConfig.SecurityHeadersConfig.ContentTypeOptions.Override"),
        effect("ResponseHeadersPolicyConfig.SecurityHeadersConfig.ReferrerPolicy.Override"),
        effect("ResponseHeadersPolicyConfig.SecurityHeadersConfig.ReferrerPolicy.ReferrerPolicy"),
        effect(
            "ResponseHeadersPolicyConfig.SecurityHeadersConfig.StrictTransportSecurity.AccessControlMaxAgeSec",
        ),
        effect("ResponseHeadersPolicyConfig.SecurityHeadersConfig.StrictTransportSecurity.IncludeSubdomains"),
        effect("ResponseHeadersPolicyConfig.SecurityHeadersConfig.StrictTransportSecurity.Override"),
    ],
    identify: |naming, _| {
        let id = naming.uuid();
        Ok(identity(POLICY, id.clone(), [("Id", id)]))
    },
}];

/// The policy with this id; none if no template makes it.
pub(super) fn policy(made: &[Made], id: &str) -> Result<Option<ResponseHeaders>, TemplateError> {
    let found = of_type(made, POLICY).find(|it| it.identity.reference == id);
    found.map(|it| read(&it.properties.required_fields("ResponseHeadersPolicyConfig")?)).transpose()
}

fn read(config: &Fields) -> Result<ResponseHeaders, TemplateError> {
    let mut set = Vec::new();
    if let Some(security) = config.fields("SecurityHeadersConfig")? {
        let mut add = |name: &str, key: &str, value: &dyn Fn(&Fields) -> Result<String, TemplateError>| {
            let Some(fields) = security.fields(key)? else { return Ok(()) };
            set.push(SetHeader {
                name: name.to_owned(),
                value: value(&fields)?,
                overrides: required_flag(&fields, "Override")?,
            });
            Ok::<_, TemplateError>(())
        };
        add("content-security-policy", "ContentSecurityPolicy", &|it| it.required("ContentSecurityPolicy"))?;
        add("x-content-type-options", "ContentTypeOptions", &|_| Ok("nosniff".to_owned()))?;
        add("referrer-policy", "ReferrerPolicy", &|it| it.required("ReferrerPolicy"))?;
        add("strict-transport-security", "StrictTransportSecurity", &|it| {
            let age: u32 =
                it.number("AccessControlMaxAgeSec")?.ok_or_else(|| it.missing("AccessControlMaxAgeSec"))?;
            let below = if it.flag("IncludeSubdomains")? == Some(true) { "; includeSubDomains" } else { "" };
            Ok(format!("max-age={age}{below}"))
        })?;
    }
    if let Some(custom) = config.fields("CustomHeadersConfig")? {
        for item in custom.items("Items")? {
            set.push(SetHeader {
                name: item.required("Header")?.to_lowercase(),
                value: item.required("Value")?,
                overrides: required_flag(&item, "Override")?,
            });
        }
    }
    let mut remove = Vec::new();
    if let Some(removed) = config.fields("RemoveHeadersConfig")? {
        for item in removed.items("Items")? {
            remove.push(item.required("Header")?.to_lowercase());
        }
    }
    let cors = config.fields("CorsConfig")?.map(|it| cors(&it)).transpose()?;
    for it in &set {
        if it.name.starts_with("access-control-") {
            let wanted = "CloudFront takes headers of CORS in CorsConfig only";
            return Err(config.unsupported("CustomHeadersConfig", &it.name, wanted));
        }
        // With a CorsConfig CloudFront sets Vary itself, and a custom one never reaches a viewer:
        // https://github.com/ttoss/ttoss/pull/1205
        if it.name == "vary" && cors.is_some() {
            let wanted = "CloudFront sets Vary itself in a policy with CORS";
            return Err(config.unsupported("CustomHeadersConfig", &it.name, wanted));
        }
    }
    Ok(ResponseHeaders { set, remove, cors })
}

fn cors(fields: &Fields) -> Result<CorsHeaders, TemplateError> {
    let items = |key: &str| fields.required_fields(key)?.texts("Items");
    Ok(CorsHeaders {
        origins: items("AccessControlAllowOrigins")?,
        methods: items("AccessControlAllowMethods")?,
        headers: items("AccessControlAllowHeaders")?,
        max_age: fields.number("AccessControlMaxAgeSec")?.unwrap_or(600),
        credentials: required_flag(fields, "AccessControlAllowCredentials")?,
        overrides: required_flag(fields, "OriginOverride")?,
    })
}

fn required_flag(fields: &Fields, key: &str) -> Result<bool, TemplateError> {
    fields.flag(key)?.ok_or_else(|| fields.missing(key))
}
