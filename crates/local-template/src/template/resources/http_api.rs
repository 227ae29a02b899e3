//! HTTP APIs: authorizers, integrations, routes and the stage.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::error::TemplateError;
use super::super::fields::Fields;
use super::{
    DESCRIPTION, Made, ResourceType, TAGS, effect, function, identity, monitoring, of_type, without_effect,
};
use crate::plan::{Cors, HttpApi, JwtAuthorizer, Route};

const API: &str = "AWS::ApiGatewayV2::Api";
const AUTHORIZER: &str = "AWS::ApiGatewayV2::Authorizer";
const INTEGRATION: &str = "AWS::ApiGatewayV2::Integration";
const ROUTE: &str = "AWS::ApiGatewayV2::Route";
const STAGE: &str = "AWS::ApiGatewayV2::Stage";

const NO_ACCESS_LOG: &str = "requests are logged to the terminal";

pub(super) const TYPES: &[ResourceType] = &[
    ResourceType {
        name: API,
        properties: &[
            effect("CorsConfiguration.AllowCredentials"),
            effect("CorsConfiguration.AllowHeaders"),
            effect("CorsConfiguration.AllowMethods"),
            effect("CorsConfiguration.AllowOrigins"),
            effect("CorsConfiguration.ExposeHeaders"),
            effect("CorsConfiguration.MaxAge"),
            DESCRIPTION,
            without_effect("Name", "it is for people"),
            effect("ProtocolType"),
            TAGS,
        ],
        identify: |naming, _| {
            let id = naming.letters(10);
            let suffix = super::super::naming::url_suffix(naming.region);
            let endpoint = format!("https://{id}.execute-api.{}.{suffix}", naming.region);
            Ok(identity(API, id.clone(), [("ApiEndpoint", endpoint), ("ApiId", id)]))
        },
    },
    ResourceType {
        name: AUTHORIZER,
        properties: &[
            effect("ApiId"),
            effect("AuthorizerType"),
            effect("IdentitySource"),
            effect("JwtConfiguration.Audience"),
            effect("JwtConfiguration.Issuer"),
            without_effect("Name", "it is for people"),
        ],
        identify: |naming, _| {
            let id = naming.letters(6);
            Ok(identity(AUTHORIZER, id.clone(), [("AuthorizerId", id)]))
        },
    },
    ResourceType {
        name: INTEGRATION,
        properties: &[
            effect("ApiId"),
            DESCRIPTION,
            effect("IntegrationType"),
            effect("IntegrationUri"),
            effect("PayloadFormatVersion"),
            effect("TimeoutInMillis"),
        ],
        identify: |naming, _| {
            let id = naming.letters(7);
            Ok(identity(INTEGRATION, id.clone(), [("IntegrationId", id)]))
        },
    },
    ResourceType {
        name: ROUTE,
        properties: &[
            effect("ApiId"),
            effect("AuthorizationType"),
            effect("AuthorizerId"),
            without_effect("OperationName", "it is for people"),
            effect("RouteKey"),
            effect("Target"),
        ],
        identify: |naming, _| {
            let id = naming.letters(7);
            Ok(identity(ROUTE, id.clone(), [("RouteId", id)]))
        },
    },
    ResourceType {
        name: STAGE,
        properties: &[
            effect("AccessLogSettings.DestinationArn"),
            without_effect("AccessLogSettings.Format", NO_ACCESS_LOG),
            effect("ApiId"),
            effect("AutoDeploy"),
            without_effect("DefaultRouteSettings.DetailedMetricsEnabled", "there are no metrics here"),
            effect("DefaultRouteSettings.ThrottlingBurstLimit"),
            effect("DefaultRouteSettings.ThrottlingRateLimit"),
            DESCRIPTION,
            effect("RouteSettings"),
            effect("StageName"),
            TAGS,
        ],
        identify: |_, properties| Ok(identity(STAGE, properties.required("StageName")?, [])),
    },
];

/// All HTTP APIs.
pub(super) fn read(made: &[Made]) -> Result<Vec<HttpApi>, TemplateError> {
    // A part of an API that no template makes would else be left out silently.
    for part in [AUTHORIZER, INTEGRATION, ROUTE, STAGE].into_iter().flat_map(|kind| of_type(made, kind)) {
        let api = part.properties.required("ApiId")?;
        if !of_type(made, API).any(|it| it.identity.reference == api) {
            return Err(part.properties.dangling("ApiId", &api));
        }
    }
    of_type(made, API).map(|it| api(made, it)).collect()
}

fn api(made: &[Made], api: &Made) -> Result<HttpApi, TemplateError> {
    let (id, properties) = (&api.identity.reference, &api.properties);
    properties.only("ProtocolType", "HTTP")?;
    let parts = |kind| {
        of_type(made, kind).filter(move |it| it.properties.text("ApiId").ok().flatten().as_ref() == Some(id))
    };
    let stages: Vec<_> = parts(STAGE).collect();
    let [stage] = stages[..] else {
        let wanted = "an API has one stage here";
        return Err(properties.unsupported("stages", &stages.len().to_string(), wanted));
    };
    stage.properties.only("AutoDeploy", "true")?;
    access_log(made, &stage.properties)?;
    let throttling = Throttling::read(made, stage)?;
    let mut routes: Vec<Route> = Vec::new();
    for it in parts(ROUTE) {
        let mut route = route(made, id, &it.properties)?;
        route.throttling = throttling.of(&route.key);
        if routes.iter().any(|other| other.key == route.key) {
            return Err(it.properties.unsupported("RouteKey", &route.key, "another route of the API has it"));
        }
        routes.push(route);
    }
    Ok(HttpApi {
        id: id.clone(),
        name: properties.required("Name")?,
        cors: properties.fields("CorsConfiguration")?.map(|it| cors(&it)).transpose()?,
        stage: stage.identity.reference.clone(),
        routes,
    })
}

fn cors(fields: &Fields) -> Result<Cors, TemplateError> {
    Ok(Cors {
        allow_origins: fields.texts("AllowOrigins")?,
        allow_methods: fields.texts("AllowMethods")?,
        allow_headers: fields.texts("AllowHeaders")?,
        expose_headers: fields.texts("ExposeHeaders")?,
        max_age: fields.within("MaxAge", 0..=86_400)?,
        allow_credentials: fields.flag("AllowCredentials")?.unwrap_or(false),
    })
}

/// API Gateway adds what writes the log to the log group's resource policy, which has 5,120 characters; log groups under
/// `/aws/vendedlogs/` are covered by one statement.
/// <https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-and-resource-policy.html>
fn access_log(made: &[Made], stage: &Fields) -> Result<(), TemplateError> {
    let Some(settings) = stage.fields("AccessLogSettings")? else { return Ok(()) };
    let arn = settings.required("DestinationArn")?;
    let name = arn.split(":log-group:").nth(1).unwrap_or_default();
    if !monitoring::is_log_group(made, name) {
        return Err(settings.dangling("DestinationArn", &arn));
    }
    if !name.starts_with("/aws/vendedlogs/") {
        return Err(settings.unsupported(
            "DestinationArn",
            name,
            "its name must begin with /aws/vendedlogs/",
        ));
    }
    Ok(())
}

/// The limits of a stage, for each route by itself.
struct Throttling {
    default: Option<(f64, u32)>,
    /// By route key.
    routes: BTreeMap<String, Option<(f64, u32)>>,
}

impl Throttling {
    fn read(made: &[Made], stage: &Made) -> Result<Self, TemplateError> {
        let default = stage.properties.fields("DefaultRouteSettings")?;
        let default = default.map(|it| limits(&it)).transpose()?.flatten();
        let mut routes = BTreeMap::new();
        if let Some(settings) = stage.properties.fields("RouteSettings")? {
            // API Gateway refuses settings of a route that it does not have yet, so the stage depends on the route.
            let before = made.iter().take_while(|it| !std::ptr::eq(*it, stage));
            let before: Vec<_> = before.filter(|it| it.kind.name == ROUTE).collect();
            for key in settings.map.keys() {
                let there = |it: &&Made| it.properties.text("RouteKey").ok().flatten().as_ref() == Some(key);
                if !before.iter().any(there) {
                    let wanted = "the stage must depend on the route, which must be there first";
                    return Err(stage.properties.unsupported("RouteSettings", key, wanted));
                }
                routes.insert(key.clone(), limits(&settings.required_fields(key)?)?);
            }
        }
        Ok(Self { default, routes })
    }

    fn of(&self, key: &str) -> Option<(f64, u32)> {
        self.routes.get(key).copied().flatten().or(self.default)
    }
}

fn limits(settings: &Fields) -> Result<Option<(f64, u32)>, TemplateError> {
    settings.only_keys(&["DetailedMetricsEnabled", "ThrottlingBurstLimit", "ThrottlingRateLimit"])?;
    match (settings.number("ThrottlingRateLimit")?, settings.number("ThrottlingBurstLimit")?) {
        (Some(rate), Some(burst)) => Ok(Some((rate, burst))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(settings.missing("ThrottlingBurstLimit")),
        (None, Some(_)) => Err(settings.missing("ThrottlingRateLimit")),
    }
}

fn route(made: &[Made], api: &str, properties: &Fields) -> Result<Route, TemplateError> {
    let key = properties.required("RouteKey")?;
    if key != "$default" && !key.split_once(' ').is_some_and(|(_, path)| path.starts_with('/')) {
        return Err(properties.unsupported("RouteKey", &key, "it must be a method and a path, or $default"));
    }
    let target = properties.required("Target")?;
    let integration = target.strip_prefix("integrations/").and_then(|id| part(made, INTEGRATION, api, id));
    let integration = &integration.ok_or_else(|| properties.dangling("Target", &target))?.properties;
    let authorizer = match properties.text("AuthorizationType")?.as_deref() {
        None | Some("NONE") => None,
        Some("JWT") => {
            let id = properties.required("AuthorizerId")?;
            let found =
                part(made, AUTHORIZER, api, &id).ok_or_else(|| properties.dangling("AuthorizerId", &id))?;
            Some(authorizer(&found.properties)?)
        }
        Some(other) => {
            return Err(properties.unsupported("AuthorizationType", other, "only NONE and JWT are known"));
        }
    };
    integration.only("IntegrationType", "AWS_PROXY")?;
    integration.only("PayloadFormatVersion", "2.0")?;
    let uri = integration.required("IntegrationUri")?;
    // Either the function itself, or the older way of writing it as a path of Lambda's API.
    let arn =
        uri.split_once("/functions/").and_then(|(_, it)| it.strip_suffix("/invocations")).unwrap_or(&uri);
    let function = function(made, arn).filter(|it| it.arn() == arn);
    let function = function.ok_or_else(|| integration.dangling("IntegrationUri", &uri))?.template.clone();
    let timeout = integration.within("TimeoutInMillis", 50..=30_000)?.unwrap_or(30_000);
    let timeout = Duration::from_millis(timeout.into());
    Ok(Route { key, authorizer, function, timeout, throttling: None })
}

fn part<'a>(made: &'a [Made], kind: &'static str, api: &str, id: &str) -> Option<&'a Made> {
    let of_api = |it: &&Made| it.properties.text("ApiId").ok().flatten().as_deref() == Some(api);
    of_type(made, kind).filter(of_api).find(|it| it.identity.reference == id)
}

fn authorizer(properties: &Fields) -> Result<JwtAuthorizer, TemplateError> {
    properties.only("AuthorizerType", "JWT")?;
    let jwt = properties.required_fields("JwtConfiguration")?;
    let source = properties.texts("IdentitySource")?;
    let header = match &source[..] {
        [one] => one.strip_prefix("$request.header."),
        _ => None,
    };
    let wanted = "only one $request.header.Name is known";
    let header =
        header.ok_or_else(|| properties.unsupported("IdentitySource", &source.join(", "), wanted))?;
    let (issuer, audience) = (jwt.required("Issuer")?, jwt.texts("Audience")?);
    if audience.is_empty() {
        return Err(jwt.missing("Audience"));
    }
    Ok(JwtAuthorizer { issuer, audience, header: header.to_lowercase() })
}
