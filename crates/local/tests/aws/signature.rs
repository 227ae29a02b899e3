//! A call is accepted only if everything that was signed arrived unchanged.

use std::fmt;
use std::sync::Arc;

use aws_sdk_chimesdkmeetings::Client;
use aws_sdk_chimesdkmeetings::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::context::BeforeTransmitInterceptorContextMut;
use aws_smithy_runtime_api::client::interceptors::{Intercept, dyn_dispatch_hint};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioExecutor;
use local::identity::Credentials;

use crate::fixture::{Fixture, create};

type Change = Arc<dyn Fn(&mut HttpRequest) + Send + Sync>;

/// Changes a request after it was signed.
#[derive(Clone)]
struct Tamper(Change);

impl fmt::Debug for Tamper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tamper")
    }
}

#[dyn_dispatch_hint]
impl Intercept for Tamper {
    fn name(&self) -> &'static str {
        "Tamper"
    }

    fn modify_before_transmit(
        &self,
        context: &mut BeforeTransmitInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        (self.0)(context.request_mut());
        Ok(())
    }
}

/// Error code and HTTP status of a `CreateMeeting`.
async fn refusal(client: &Client, tamper: Option<Change>) -> (String, u16) {
    let request = create(client, "token-1").customize();
    let request = match tamper {
        Some(change) => request.interceptor(Tamper(change)),
        None => request,
    };
    let error = request.send().await.expect_err("it must be refused");
    let status = error.raw_response().map_or(0, |response| response.status().as_u16());
    (error.code().unwrap_or("no code").to_owned(), status)
}

#[tokio::test]
async fn a_call_that_was_changed_on_its_way_is_refused() {
    let fixture = Fixture::start().await;
    let table: Vec<(&str, Change)> = vec![
        (
            "body",
            Arc::new(|request| {
                let body = request.body().bytes().expect("it is in memory").to_vec();
                let body = String::from_utf8(body).expect("JSON").replace("medzen-session", "medzen-sessiom");
                *request.body_mut() = SdkBody::from(body);
            }),
        ),
        (
            "query",
            Arc::new(|request| {
                request.set_uri(format!("{}?operation=create-attendees", request.uri())).expect("a URI");
            }),
        ),
        ("path", Arc::new(|request| request.set_uri(format!("{}/x", request.uri())).expect("a URI"))),
        ("method", Arc::new(|request| request.set_method("GET").expect("a method"))),
        (
            "signed header",
            Arc::new(|request| {
                request.headers_mut().insert("x-amz-user-agent", "somebody else");
            }),
        ),
        (
            "header that must be signed",
            Arc::new(|request| {
                request.headers_mut().insert("x-amz-content-sha256", "UNSIGNED-PAYLOAD");
            }),
        ),
        (
            "region",
            Arc::new(|request| {
                let signed = request
                    .headers()
                    .get("authorization")
                    .expect("it is signed")
                    .replace("eu-central-1", "us-east-1");
                request.headers_mut().insert("authorization", signed);
            }),
        ),
    ];
    for (what, change) in table {
        let answer = refusal(&fixture.chime(), Some(change)).await;
        assert_eq!(answer, ("InvalidSignatureException".to_owned(), 403), "changed: {what}");
    }
    assert!(fixture.meetings().is_empty(), "none of them had an effect");
    assert!(fixture.calls.since(0).is_empty(), "nobody made these calls");
}

#[tokio::test]
async fn a_wrong_secret_key_or_token_is_refused() {
    let fixture = Fixture::start().await;
    let own = &fixture.credentials;
    let table = [
        (Credentials { secret_access_key: "guess".to_owned(), ..own.clone() }, "InvalidSignatureException"),
        (
            Credentials { access_key_id: "LOCALUNKNOWN".to_owned(), ..own.clone() },
            "UnrecognizedClientException",
        ),
        (Credentials { session_token: "stale".to_owned(), ..own.clone() }, "UnrecognizedClientException"),
    ];
    for (credentials, code) in table {
        let client = Client::from_conf(fixture.chime_config(&credentials).build());
        assert_eq!(refusal(&client, None).await, (code.to_owned(), 403));
    }
    assert!(fixture.meetings().is_empty());
}

#[tokio::test]
async fn a_signature_is_good_for_fifteen_minutes_of_real_time() {
    let fixture = Fixture::start().await;
    fixture.clock.advance(86_400);
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    for skew in [-14 * 60, 14 * 60] {
        create(&fixture.chime_at(now + skew), "token-1").send().await.expect("within fifteen minutes");
    }
    for skew in [-16 * 60, 16 * 60] {
        let answer = refusal(&fixture.chime_at(now + skew), None).await;
        assert_eq!(answer, ("InvalidSignatureException".to_owned(), 403), "{skew} s off");
    }
}

#[tokio::test]
async fn an_unsigned_request_is_refused_and_is_no_call() {
    let fixture = Fixture::start().await;
    let client = hyper_util::client::legacy::Client::builder(TokioExecutor::new()).build_http();
    let ask = async |path: &str| {
        let uri = format!("{}{path}", fixture.endpoint());
        let request = Request::get(uri).body(Empty::<Bytes>::new()).expect("a request");
        let answer = client.request(request).await.expect("an answer");
        let (head, body) = answer.into_parts();
        let body = body.collect().await.expect("a body").to_bytes();
        (head.status, String::from_utf8(body.to_vec()).expect("text"))
    };
    let (status, body) = ask("/").await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert!(body.contains("Missing Authentication Token"), "{body}");
    assert!(fixture.calls.since(0).is_empty(), "connections are opened so; that is no call");
    assert_eq!(
        ask("/_local/health").await,
        (StatusCode::OK, "well".to_owned()),
        "the own door needs no signature"
    );
}

#[tokio::test]
async fn an_id_with_characters_to_encode_is_believed() {
    let fixture = Fixture::start().await;
    let error = fixture.chime().get_meeting().meeting_id("a b/ü%+'").send().await.expect_err("no such id");
    assert_eq!(error.code(), Some("BadRequestException"), "the signature holds, the id does not: {error:?}");
    let calls = fixture.calls.since(0);
    assert_eq!((calls[0].operation.as_str(), calls[0].status), ("GetMeeting", 400));
}
