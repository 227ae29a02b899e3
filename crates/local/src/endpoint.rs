//! The one AWS endpoint: identifies callers by their signature and services by the credential scope, asks the role of the
//! caller, carries out the faults in force, and records each call. Knows no service, only [`AwsService`].

mod sigv4;

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

use self::sigv4::{Claim, Refusal};
use crate::calls::{CallLog, CallRequest};
use crate::faults::{FaultKind, Faults};
use crate::identity::{Caller, Identities};
use crate::service::{
    Answer, ArnScope, Authorize, AwsService, Operation, Permission, Protocol, REST_JSON, Unanswered,
};

/// `DynamoDB`'s limit, the greatest of the services here.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;

/// The services of the endpoint, and the state that it checks calls against.
pub struct Endpoint {
    /// The account's number.
    pub account: String,
    /// The known credentials.
    pub identities: Identities,
    /// Where calls are recorded.
    pub calls: CallLog,
    /// The faults in force.
    pub faults: Faults,
    /// The roles.
    pub authorize: Authorize,
    pub services: Vec<Arc<dyn AwsService>>,
}

/// Serves until it is dropped, which ends all connections too. `local` gets what is under `/_local/`, unsigned and
/// with its whole path.
pub async fn serve(listener: TcpListener, endpoint: Arc<Endpoint>, local: Router) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, endpoint.clone(), local.clone()));
                }
                // Out of descriptors, or the client disconnected: the next accept shows which.
                Err(error) => {
                    tracing::warn!(%error, "a connection to the AWS endpoint was not accepted");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, endpoint: Arc<Endpoint>, local: Router) {
    // Answers are small and calls follow each other on one connection.
    let _best_effort = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let (endpoint, local) = (endpoint.clone(), local.clone());
        async move {
            if request.uri().path().starts_with("/_local/") {
                return TowerToHyperService::new(local)
                    .call(request)
                    .await
                    .map_err(|never: Infallible| match never {});
            }
            if let Some(service) = endpoint.services.iter().find(|service| service.recognizes(&request)) {
                let service = Arc::clone(service);
                return tokio::spawn(async move { service.take(request).await })
                    .await
                    .map_err(|_| Unanswered)?;
            }
            // In a task of its own, because a call that arrived takes effect also when its client gives up.
            match tokio::spawn(endpoint.check(request)).await {
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
    async fn check(self: Arc<Self>, request: Request<Incoming>) -> Result<Answer, Unanswered> {
        let (mut request, body) = request.into_parts();
        let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
            let (status, message) = (StatusCode::PAYLOAD_TOO_LARGE, "Body too large");
            return Ok(REST_JSON.error(status, "RequestEntityTooLarge", message));
        };
        let body = body.to_bytes();
        let headers = request.headers.clone();
        let claim = match Claim::read(&headers) {
            Ok(claim) => claim,
            Err(refusal) => return Ok(refuse(None, &refusal)),
        };
        let arns = ArnScope { account: &self.account, region: claim.region };
        // The operations distinguish services of one scope.
        let of_scope = || self.services.iter().filter(|service| service.scope() == claim.service);
        let knows = |service: &&Arc<dyn AwsService>| service.operation(arns, &request, &body).is_some();
        let service = of_scope().find(knows).or_else(|| of_scope().next()).map(AsRef::as_ref);
        // The real clock: signatures are about networks, not about the cloud's clock, which tests advance.
        match claim.verify(&self.identities, &request, &body, OffsetDateTime::now_utc()) {
            Ok(caller) => {
                // A service may give the caller something: a role.
                request.extensions.insert(caller.clone());
                self.carry_out(&caller, service, &claim, &request, body).await
            }
            Err(refusal) => Ok(refuse(service.map(|it| it.protocol_of(&request)), &refusal)),
        }
    }

    async fn carry_out(
        &self,
        caller: &Caller,
        service: Option<&dyn AwsService>,
        claim: &Claim<'_>,
        request: &Parts,
        body: Bytes,
    ) -> Result<Answer, Unanswered> {
        let arns = ArnScope { account: &self.account, region: claim.region };
        let known = service.and_then(|service| Some((service, service.operation(arns, request, &body)?)));
        let sent = CallRequest {
            method: request.method.to_string(),
            path: request.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
            body: String::from_utf8_lossy(&body).into_owned(),
        };
        let Some((service, operation)) = known else {
            let n = self.calls.begin(&caller.function, claim.service, "Unknown", sent);
            let message = format!("The local cloud knows no such operation of {}.", claim.service);
            let protocol = service.map_or(&REST_JSON, |it| it.protocol_of(request));
            let answer = protocol.error(StatusCode::NOT_FOUND, "UnknownOperationException", &message);
            self.calls.end(n, true, answer.status().as_u16());
            return Ok(answer);
        };
        let protocol = service.protocol_of(request);

        let n = self.calls.begin(&caller.function, claim.service, &operation.name, sent);
        let refused = self.refused(caller, claim.region, &operation);
        let allowed = refused.is_none();
        let effect = self.faults.effect(claim.service, &operation.name, &caller.function);
        tokio::time::sleep(effect.latency).await;
        if effect.fault == Some(FaultKind::KillBefore) {
            self.calls.end(n, allowed, 0);
            caller.kill().await;
            return Err(Unanswered);
        }
        let answer = match (refused, effect.fault) {
            (Some(message), _) => protocol.error(protocol.refusal_status, "AccessDeniedException", &message),
            (None, Some(FaultKind::Throttle)) => service.throttled(request),
            (None, Some(FaultKind::Error)) => protocol.failed(),
            (None, _) => service.answer(claim.region, request, body).await,
        };
        match effect.fault {
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
    fn refused(&self, caller: &Caller, region: &str, operation: &Operation) -> Option<String> {
        let allows = |permission: &&Permission| {
            let mut context = permission.context.clone();
            context.insert("aws:RequestedRegion".to_owned(), region.to_owned());
            (self.authorize)(caller, &permission.action, permission.resource.as_deref(), &context)
        };
        // All are asked, so that each is known as used or refused.
        let denied: Vec<_> = operation.permissions.iter().filter(|permission| !allows(permission)).collect();
        let permission = denied.first()?;
        Some(format!(
            "User: arn:aws:sts::{}:assumed-role/{function}/{function} is not authorized to perform: {action} on \
             resource: {} because no identity-based policy allows the {action} action",
            self.account,
            permission.resource.as_deref().unwrap_or("*"),
            function = caller.function,
            action = permission.action,
        ))
    }
}

fn refuse(protocol: Option<&'static Protocol>, refusal: &Refusal) -> Answer {
    let protocol = protocol.unwrap_or(&REST_JSON);
    protocol.error(protocol.refusal_status, refusal.code(), &refusal.to_string())
}
