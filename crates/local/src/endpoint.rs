//! The one AWS endpoint: it knows callers by their signature and services by the credential scope, asks the role of
//! the caller, carries out the faults in force, and records each call.

mod answer;
mod route;
mod sigv4;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::request::Parts;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use time::OffsetDateTime;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use self::answer::plain_error;
pub(crate) use self::answer::{Answer, Service};
use self::route::{ArnScope, Need, Routed, route};
use self::sigv4::{Claim, Refusal};
use crate::calls::{CallLog, CallRequest};
use crate::chime::Chime;
use crate::dynamodb::DynamoDb;
use crate::events::EventBridge;
use crate::faults::{FaultKind, Faults};
use crate::identity::{Caller, Identities};
use crate::s3::S3;
use crate::secrets::Secrets;

/// `DynamoDB`'s limit is the greatest of the services here.
const GREATEST_BODY: usize = 16 * 1024 * 1024;

/// Condition keys of a call and their values, `aws:RequestedRegion` among them.
pub type Context = BTreeMap<String, String>;

/// Says whether the caller's role allows an action on a resource; None: the action has no resource type, so that
/// only `*` matches.
pub type Authorize = Arc<dyn Fn(&Caller, &str, Option<&str>, &Context) -> bool + Send + Sync>;

/// All that stands behind the endpoint.
pub struct Endpoint {
    /// The account's number.
    pub account: String,
    /// Who may sign.
    pub identities: Identities,
    /// Where calls are recorded.
    pub calls: CallLog,
    /// The faults in force.
    pub faults: Faults,
    /// The roles.
    pub authorize: Authorize,
    /// Credential scope `chime`.
    pub chime: Chime,
    /// Credential scope `dynamodb`.
    pub dynamodb: DynamoDb,
    /// Credential scope `events`.
    pub events: EventBridge,
    /// Credential scope `s3`.
    pub s3: S3,
    /// Credential scope `secretsmanager`.
    pub secrets: Secrets,
}

/// The connection closes without an answer.
#[derive(Debug, thiserror::Error)]
#[error("the connection is closed without an answer")]
struct Unanswered;

/// Serves until it is dropped, which ends all connections too. `local` gets what is under `/_local/`, unsigned and
/// with its whole path.
pub async fn serve(listener: TcpListener, front: Arc<Endpoint>, local: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, front.clone(), local.clone()));
                }
                // Out of descriptors, or the client went: the next accept tells.
                Err(error) => {
                    tracing::warn!(%error, "a connection to the AWS endpoint was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, front: Arc<Endpoint>, local: Router) {
    // Answers are small and calls follow each other on one connection.
    let _best_effort = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let (front, local) = (front.clone(), local.clone());
        async move {
            if request.uri().path().starts_with("/_local/") {
                return TowerToHyperService::new(local)
                    .call(request)
                    .await
                    .map_err(|never: Infallible| match never {});
            }
            // S3 has a protocol of its own, presigned links among it, and bodies of any size.
            if S3::is_meant(&request) {
                let carried_out = tokio::spawn(async move { front.s3.answer(request).await }).await;
                let answer = carried_out.map_err(|_| Unanswered)?.map_err(|_| Unanswered)?;
                return Ok(answer.map(Body::new));
            }
            // In a task of its own, because a call that arrived takes effect also when its client gives up.
            match tokio::spawn(front.take(request)).await {
                Ok(Ok(answer)) => Ok(answer.map(Body::from)),
                Ok(Err(unanswered)) => Err(unanswered),
                Err(error) => {
                    tracing::error!(%error, "a call was not carried out");
                    Err(Unanswered)
                }
            }
        }
    });
    // An error here is a client that went, or a connection that was to be closed.
    let _closed = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Endpoint {
    async fn take(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Unanswered> {
        let (request, body) = request.into_parts();
        let body = match Limited::new(body, GREATEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => {
                return Ok(plain_error(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "RequestEntityTooLarge",
                    "Body too large",
                ));
            }
        };
        let claim = match Claim::read(&request.headers) {
            Ok(claim) => claim,
            Err(refusal) => return Ok(refuse(None, &refusal)),
        };
        let service = Service::from_scope(claim.service);
        // The real clock: signatures are about networks, not about the time of the world that is played.
        match claim.verify(&self.identities, &request, &body, OffsetDateTime::now_utc()) {
            Ok(caller) => self.carry_out(&caller, service, &claim, &request, body).await,
            Err(refusal) => Ok(refuse(service, &refusal)),
        }
    }

    async fn carry_out(
        &self,
        caller: &Caller,
        service: Option<Service>,
        claim: &Claim<'_>,
        request: &Parts,
        body: Bytes,
    ) -> Result<Answer, Unanswered> {
        let place = ArnScope { account: &self.account, region: claim.region };
        let routed = service.and_then(|service| {
            route(service, &place, &self.secrets, request, &body).map(|routed| (service, routed))
        });
        let sent = CallRequest {
            method: request.method.to_string(),
            path: request.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let Some((service, routed)) = routed else {
            let n = self.calls.begin(&caller.function, claim.service, "Unknown", sent);
            let message = format!("The local cloud knows no such operation of {}.", claim.service);
            let answer = match service {
                Some(service) => service.error(StatusCode::NOT_FOUND, "UnknownOperationException", &message),
                None => plain_error(StatusCode::NOT_FOUND, "UnknownOperationException", &message),
            };
            self.calls.end(n, true, answer.status().as_u16());
            return Ok(answer);
        };

        let n = self.calls.begin(&caller.function, claim.service, &routed.operation, sent);
        let refused = self.refused(caller, claim.region, &routed);
        let allowed = refused.is_none();
        let fate = self.faults.fate(claim.service, &routed.operation, &caller.function);
        tokio::time::sleep(fate.latency).await;
        if fate.fault == Some(FaultKind::KillBefore) {
            self.calls.end(n, allowed, 0);
            caller.kill().await;
            return Err(Unanswered);
        }
        let answer = match (refused, fate.fault) {
            (Some(message), _) => service.error(service.refusal_status(), "AccessDeniedException", &message),
            (None, Some(FaultKind::Throttle)) => service.throttled(),
            (None, Some(FaultKind::Error)) => service.broken(),
            (None, _) => self.perform(service, claim.region, request, body).await,
        };
        match fate.fault {
            Some(FaultKind::Drop) => {
                self.calls.end(n, allowed, 0);
                Err(Unanswered)
            }
            Some(FaultKind::KillAfter) => {
                self.calls.end(n, allowed, 0);
                caller.kill().await;
                Err(Unanswered)
            }
            _ => {
                self.calls.end(n, allowed, answer.status().as_u16());
                Ok(answer)
            }
        }
    }

    /// The message of AWS's refusal, if the role does not allow all that the call needs.
    fn refused(&self, caller: &Caller, region: &str, routed: &Routed) -> Option<String> {
        let allows = |need: &&Need| {
            let mut context = need.context.clone();
            context.insert("aws:RequestedRegion".to_owned(), region.to_owned());
            (self.authorize)(caller, &need.action, need.resource.as_deref(), &context)
        };
        // All are asked, so that each is known as used or refused.
        let denied: Vec<_> = routed.needs.iter().filter(|need| !allows(need)).collect();
        let need = denied.first()?;
        Some(format!(
            "User: arn:aws:sts::{}:assumed-role/{function}/{function} is not authorized to perform: {action} on \
             resource: {} because no identity-based policy allows the {action} action",
            self.account,
            need.resource.as_deref().unwrap_or("*"),
            function = caller.function,
            action = need.action,
        ))
    }

    async fn perform(&self, service: Service, region: &str, request: &Parts, body: Bytes) -> Answer {
        match service {
            Service::Chime => self.chime.answer(region, request, &body),
            Service::Events => self.events.answer(request, &body),
            Service::SecretsManager => self.secrets.answer(request, &body),
            Service::DynamoDb => self.dynamodb.forward(request, body).await.unwrap_or_else(|error| {
                tracing::error!(
                    error = &error as &dyn std::error::Error,
                    "the DynamoDB engine did not answer"
                );
                service.broken()
            }),
        }
    }
}

fn refuse(service: Option<Service>, refusal: &Refusal) -> Answer {
    let (code, message) = (refusal.code(), refusal.to_string());
    match service {
        Some(service) => service.error(service.refusal_status(), code, &message),
        None => plain_error(StatusCode::FORBIDDEN, code, &message),
    }
}
