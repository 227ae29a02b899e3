//! An endpoint with everything behind it, and clients that call through it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use aws_credential_types::Credentials as SdkCredentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_chimesdkmediapipelines as pipelines;
use aws_sdk_chimesdkmeetings as meetings;
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_http_client::Builder;
use aws_smithy_runtime_api::client::behavior_version::BehaviorVersion;
use aws_smithy_types::retry::RetryConfig;
use aws_types::SdkConfig;
use aws_types::region::Region;
use axum::Router;
use axum::routing::get;
use local::calls::CallLog;
use local::chime::{Chime, EventDelivery, EventSink, Options};
use local::clock::Clock;
use local::comprehend_medical::ComprehendMedical;
use local::dynamodb::DynamoDb;
use local::endpoint::{Endpoint, serve};
use local::events::EventBridge;
use local::faults::Faults;
use local::identity::{Credentials, Identities};
use local::lambda::{self, Lambda};
use local::queues::Queues;
use local::s3::{S3, Surroundings};
use local::secrets::Secrets;
use local::service::{Authorize, Context};
use local::transcribe::{self, Transcribe};
use local_template::plan::{Bucket, EventBus, Plan, Principals, ResourceStatement, Statement, Table};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const BUS: &str = "medzen-test-calls";
pub(crate) const BUCKET: &str = "medzen-test-recordings";
pub(crate) const TABLE: &str = "medzen-test-meeting-audit";

/// The action and resource of a check against the role.
pub(crate) type RequestInfo = (String, Option<String>);

pub(crate) struct Fixture {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) calls: CallLog,
    pub(crate) faults: Faults,
    pub(crate) chime: Chime,
    pub(crate) s3: S3,
    pub(crate) transcribe: Transcribe,
    pub(crate) dynamodb: DynamoDb,
    pub(crate) secrets: Secrets,
    pub(crate) credentials: Credentials,
    pub(crate) events: Arc<Mutex<Vec<Value>>>,
    pub(crate) bridge: EventBridge,
    /// The events on all buses.
    pub(crate) received_events: Arc<Mutex<Vec<Value>>>,
    pub(crate) kills: Arc<AtomicUsize>,
    pub(crate) asked: Arc<Mutex<Vec<RequestInfo>>>,
    /// The condition keys of the last question.
    pub(crate) keys: Arc<Mutex<Context>>,
    /// Actions that the role lacks.
    pub(crate) denied: Arc<Mutex<Vec<&'static str>>>,
    server: JoinHandle<()>,
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Allows what is not `denied`, and keeps what was asked for and with which keys.
fn recording_authorization(
    asked: &Arc<Mutex<Vec<RequestInfo>>>,
    denied: &Arc<Mutex<Vec<&'static str>>>,
    keys: &Arc<Mutex<Context>>,
) -> Authorize {
    let (asked, denied, keys) = (asked.clone(), denied.clone(), keys.clone());
    Arc::new(move |_, action, resource, context| {
        let asking = (action.to_owned(), resource.map(ToOwned::to_owned));
        *keys.lock().expect("no test panics here") = context.clone();
        asked.lock().expect("no test panics here").push(asking);
        !denied.lock().expect("no test panics here").contains(&action)
    })
}

impl Fixture {
    pub(crate) async fn start() -> Self {
        Self::with(Options::default()).await
    }

    pub(crate) async fn with(options: Options) -> Self {
        let (clock, identities) = (Clock::default(), Identities::default());
        let (calls, faults) = (CallLog::default(), Faults::default());
        let events: Arc<Mutex<Vec<Value>>> = Arc::default();
        let sink: EventSink = {
            let events = events.clone();
            Arc::new(move |event| events.lock().expect("no test panics here").push(event))
        };
        let chime = Chime::new(ACCOUNT, clock.clone(), options, sink.clone());
        let dynamodb = DynamoDb::start(&clock, &[audit_table()]).await.expect("the audit table is made");
        let secrets = Secrets::new(clock.clone());
        let bus = EventBus {
            name: BUS.to_owned(),
            arn: format!("arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{BUS}"),
        };
        let (account, region) = (ACCOUNT.to_owned(), REGION.to_owned());
        let plan = Plan { account, region, buses: vec![bus], ..Plan::default() };
        let nowhere = lambda::Settings::new(PathBuf::new(), identities.clone(), "");
        let lambda = Lambda::start(&[], nowhere).await.expect("there is nothing to start");
        let queues = Queues::new(&[], clock.clone());
        let bridge = EventBridge::new(&plan, clock.clone(), faults.clone(), queues, lambda);
        let received_events = bridge.received_events();
        let asked: Arc<Mutex<Vec<RequestInfo>>> = Arc::default();
        let denied: Arc<Mutex<Vec<&'static str>>> = Arc::default();
        let keys: Arc<Mutex<Context>> = Arc::default();
        let authorize = recording_authorization(&asked, &denied, &keys);
        let (credentials, mut orders) = identities.issue("meeting-manager", "environment-1");
        let kills = Arc::new(AtomicUsize::new(0));
        let killed = kills.clone();
        tokio::spawn(async move {
            while let Some(done) = orders.recv().await {
                killed.fetch_add(1, Ordering::SeqCst);
                let _waiting = done.send(());
            }
        });
        let around = Surroundings {
            identities: identities.clone(),
            calls: calls.clone(),
            faults: faults.clone(),
            authorize: Arc::clone(&authorize),
            clock: clock.clone(),
            keys: Vec::new(),
        };
        let s3 = S3::new(&[bucket()], around).expect("the bucket's policy is evaluated here");
        chime.attach_buckets(s3.clone(), REGION);
        let transcribe = Transcribe::new(transcribe::Surroundings {
            account: ACCOUNT.to_owned(),
            clock: clock.clone(),
            s3: s3.clone(),
            region: REGION.to_owned(),
            chime: chime.clone(),
            event_delivery: EventDelivery::Immediate,
            sink,
        });
        let endpoint = Endpoint {
            account: ACCOUNT.to_owned(),
            identities,
            calls: calls.clone(),
            faults: faults.clone(),
            authorize,
            services: vec![
                Arc::new(chime.clone()),
                Arc::new(chime.media_pipelines()),
                Arc::new(ComprehendMedical::default()),
                Arc::new(dynamodb.clone()),
                Arc::new(bridge.clone()),
                Arc::new(s3.clone()),
                Arc::new(secrets.clone()),
                Arc::new(transcribe.clone()),
            ],
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let local = Router::new().route("/_local/health", get(|| async { "well" }));
        let server = tokio::spawn(serve(listener, Arc::new(endpoint), local));
        Self {
            address,
            clock,
            calls,
            faults,
            chime,
            s3,
            transcribe,
            dynamodb,
            secrets,
            credentials,
            events,
            bridge,
            received_events,
            kills,
            asked,
            keys,
            denied,
            server,
        }
    }

    pub(crate) fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn chime_config(&self, credentials: &Credentials) -> meetings::config::Builder {
        meetings::Config::builder()
            .behavior_version(meetings::config::BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .endpoint_url(self.endpoint())
            .region(meetings::config::Region::new(REGION))
            .credentials_provider(sdk(credentials))
            .retry_config(meetings::config::retry::RetryConfig::disabled())
    }

    pub(crate) fn chime(&self) -> meetings::Client {
        meetings::Client::from_conf(self.chime_config(&self.credentials).build())
    }

    /// A client that signs with another time than the real one.
    pub(crate) fn chime_at(&self, seconds: i64) -> meetings::Client {
        let seconds = u64::try_from(seconds).expect("after 1970");
        let time = StaticTimeSource::from_secs(seconds);
        meetings::Client::from_conf(self.chime_config(&self.credentials).time_source(time).build())
    }

    pub(crate) fn chime_in(&self, region: &'static str) -> meetings::Client {
        let config = self.chime_config(&self.credentials).region(meetings::config::Region::new(region));
        meetings::Client::from_conf(config.build())
    }

    /// The configuration that the clients of the other services share.
    fn sdk_config(&self) -> SdkConfig {
        SdkConfig::builder()
            .behavior_version(BehaviorVersion::latest())
            .http_client(Builder::new().build_http())
            .endpoint_url(self.endpoint())
            .region(Region::new(REGION))
            .credentials_provider(SharedCredentialsProvider::new(sdk(&self.credentials)))
            .retry_config(RetryConfig::disabled())
            .build()
    }

    pub(crate) fn transcribe(&self) -> aws_sdk_transcribe::Client {
        aws_sdk_transcribe::Client::new(&self.sdk_config())
    }

    pub(crate) fn comprehend_medical(&self, region: &'static str) -> aws_sdk_comprehendmedical::Client {
        let config = self.sdk_config().into_builder().region(Region::new(region)).build();
        aws_sdk_comprehendmedical::Client::new(&config)
    }

    pub(crate) fn pipelines(&self) -> pipelines::Client {
        pipelines::Client::new(&self.sdk_config())
    }

    pub(crate) fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.sdk_config())
    }

    pub(crate) fn eventbridge(&self) -> aws_sdk_eventbridge::Client {
        aws_sdk_eventbridge::Client::new(&self.sdk_config())
    }

    pub(crate) fn secrets(&self) -> aws_sdk_secretsmanager::Client {
        aws_sdk_secretsmanager::Client::new(&self.sdk_config())
    }

    /// The engine's meetings, as `/_local/chime/meetings` lists them.
    pub(crate) fn meetings(&self) -> Vec<Value> {
        self.chime.meetings()["meetings"].as_array().expect("a list").clone()
    }

    pub(crate) fn live(&self) -> usize {
        self.meetings().iter().filter(|meeting| meeting["live"] == true).count()
    }

    pub(crate) fn last_asked(&self) -> RequestInfo {
        self.asked.lock().expect("no test panics here").last().expect("the role was asked").clone()
    }

    pub(crate) fn deny(&self, action: &'static str) {
        self.denied.lock().expect("no test panics here").push(action);
    }
}

pub(crate) fn sdk(credentials: &Credentials) -> SdkCredentials {
    SdkCredentials::new(
        &credentials.access_key_id,
        &credentials.secret_access_key,
        Some(credentials.session_token.clone()),
        None,
        "test",
    )
}

/// A meeting made by this token.
pub(crate) fn create(
    client: &meetings::Client,
    token: &str,
) -> meetings::operation::create_meeting::builders::CreateMeetingFluentBuilder {
    client
        .create_meeting()
        .client_request_token(token)
        .media_region(REGION)
        .external_meeting_id("medzen-session")
}

fn audit_table() -> Table {
    let create = json!({
        "TableName": TABLE,
        "BillingMode": "PAY_PER_REQUEST",
        "AttributeDefinitions": [
            { "AttributeName": "pk", "AttributeType": "S" },
            { "AttributeName": "sk", "AttributeType": "S" },
            { "AttributeName": "meetingId", "AttributeType": "S" },
            { "AttributeName": "at", "AttributeType": "S" },
        ],
        "KeySchema": [
            { "AttributeName": "pk", "KeyType": "HASH" },
            { "AttributeName": "sk", "KeyType": "RANGE" },
        ],
        "GlobalSecondaryIndexes": [{
            "IndexName": "by-meeting",
            "KeySchema": [
                { "AttributeName": "meetingId", "KeyType": "HASH" },
                { "AttributeName": "at", "KeyType": "RANGE" },
            ],
            "Projection": { "ProjectionType": "ALL" },
        }],
        "StreamSpecification": { "StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES" },
    });
    Table {
        name: TABLE.to_owned(),
        arn: format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{TABLE}"),
        create,
        ttl_attribute: Some("expiresAt".to_owned()),
    }
}

/// A bucket that keeps what is replaced, as the templates' do, and lets media pipelines put and read.
fn bucket() -> Bucket {
    Bucket {
        name: BUCKET.to_owned(),
        arn: format!("arn:aws:s3:::{BUCKET}"),
        domain: format!("{BUCKET}.s3.{REGION}.amazonaws.com"),
        versioned: true,
        encryption: "AES256".to_owned(),
        lock: true,
        policy: vec![ResourceStatement {
            principals: Principals::Services(vec!["mediapipelines.chime.amazonaws.com".to_owned()]),
            statement: Statement {
                sid: "MediaPipelines".to_owned(),
                allow: true,
                actions: ["s3:PutObject", "s3:PutObjectAcl", "s3:GetObject", "s3:ListBucket"]
                    .map(ToOwned::to_owned)
                    .into(),
                resources: vec![format!("arn:aws:s3:::{BUCKET}"), format!("arn:aws:s3:::{BUCKET}/*")],
                conditions: Vec::new(),
            },
        }],
        ..Bucket::default()
    }
}
