//! The whole local cloud: every part started from the templates, and stopped together.

mod edge;
mod error;
mod options;

pub use self::error::StartError;
pub use self::options::{Options, Ports};
pub use crate::parts::Parts;

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::calls::CallLog;
use crate::chime::Chime;
use crate::clock::Clock;
use crate::comprehend_medical::ComprehendMedical;
use crate::database_secret::{self, DatabaseSecret};
use crate::dynamodb::DynamoDb;
use crate::endpoint::{self, Endpoint};
use crate::events::{DEFAULT_BUS, EventBridge};
use crate::faults::Faults;
use crate::gateway::Gateway;
use crate::identity::{Identities, OPERATOR};
use crate::lambda::{self, Lambda};
use crate::listen::{self, Bound, Listening};
use crate::media::{Media, Signaling};
use crate::pgproxy::{Certificate, Proxy};
use crate::queues::{Pollers, Queues};
use crate::s3::Surroundings;
use crate::schedules::Schedules;
use crate::secrets::Secrets;
use crate::seed::Seed;
use crate::service::Authorize;
use crate::sts::Sts;
use crate::tokens::{Issuer, TokenError};
use crate::transcribe::{self, Transcribe};
use crate::{control_api, invoke};
use local_postgres::Server;
use local_postgres::database::Database;
use local_template::iam::Iam;
use local_template::template;

/// A running local cloud. Dropping it ends everything but the PostgreSQL server, which others may share.
pub struct Cloud {
    parts: Arc<Parts>,
    aws: std::net::SocketAddr,
    api: Listening,
    invoke: Listening,
    page: Listening,
    endpoint: JoinHandle<()>,
    chime: JoinHandle<()>,
    transcribe: JoinHandle<()>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.endpoint.abort();
        self.chime.abort();
        self.transcribe.abort();
        self.parts.schedules.stop();
        self.parts.pollers.stop();
    }
}

impl Cloud {
    /// Starts it and seeds a world.
    ///
    /// # Errors
    /// When the templates ask for what the local cloud does not know, a port is taken, or PostgreSQL does not start.
    #[expect(
        clippy::too_many_lines,
        reason = "one line for each part, in the order in which they need each other"
    )]
    pub async fn start(options: Options) -> Result<Self, StartError> {
        let port = options.ports.aws;
        let (listener, aws) = bind("AWS endpoint", port).await?;
        let page = listen("call page", options.ports.page).await?;
        let params = params(&options, aws, page.address())?;
        // Where the templates demand that the application is.
        let region = params.get("ControlRegion").map_or(REGION, String::as_str);
        let plan = template::deploy(&options.workspace.join("infra"), &params, region)?;
        let iam = Arc::new(Iam::new(&plan)?);
        let clock = Clock::default();
        let calls = CallLog::default();
        let faults = Faults::default();
        let identities = Identities::default();

        // The issuer's key takes a moment of computing, PostgreSQL one of waiting.
        let issuer_url = params.get("JwtIssuer").cloned().unwrap_or_default();
        let issuer_clock = clock.clone();
        let issuer = tokio::task::spawn_blocking(move || Issuer::new(issuer_url, issuer_clock));
        let server = Server::ensure(&options.workspace).await?;
        let address = server.addr();
        let database = Database::make(server, &options.database, &options.host.before).await?;
        let port = options.ports.postgres;
        let certificate = Certificate::make()?;
        let (ids, log, bad) = (identities.clone(), calls.clone(), faults.clone());
        let proxy = Proxy::start_with_tls(address, ids, log, bad, port, &certificate)
            .await
            .map_err(no_port("PostgreSQL proxy", port))?;
        let issuer = issuer.await.map_err(|error| TokenError::Key(error.to_string()))??;

        let secrets = Secrets::new(clock.clone());
        let arn = params.get("DatabaseSecretArn").cloned().unwrap_or_default();
        let database_secret = DatabaseSecret::new(arn, secrets.clone());
        database_secret.set(&database_secret::first_value(&database, &proxy, &certificate));
        let dynamodb = DynamoDb::start(&clock, &plan.tables).await?;

        let mut settings =
            lambda::Settings::new(options.binaries.clone(), identities.clone(), format!("http://{aws}"));
        settings.echo = options.echo;
        settings.clock = clock.clone();
        let lambda = Lambda::start(&plan.functions, settings).await?;

        let queues = Queues::new(&plan.queues, clock.clone());
        let events = EventBridge::new(&plan, clock.clone(), faults.clone(), queues.clone(), lambda.clone());
        let sink = events.clone();
        let chime = Chime::new(
            &plan.account,
            clock.clone(),
            options.chime,
            Arc::new(move |event| sink.publish(DEFAULT_BUS, &event)),
        );
        let media = match options.media {
            Some(media) => Some(Media::start(&chime, media)?),
            None => None,
        };
        let [http_api] = plan.http_apis.as_slice() else {
            return Err(StartError::Apis(plan.http_apis.len()));
        };
        let gateway = Gateway::new(&plan, http_api, lambda.clone(), issuer.verifier()?, clock.clone())?;
        let api = serve("HTTP API", options.ports.api, gateway.router()).await?;
        let invoke = serve("Invoke API", options.ports.invoke, invoke::router(lambda.clone())).await?;
        let authorize = authorize(Arc::clone(&iam));
        let around = Surroundings {
            identities: identities.clone(),
            calls: calls.clone(),
            faults: faults.clone(),
            authorize: Arc::clone(&authorize),
            clock: clock.clone(),
            keys: plan.keys.clone(),
        };
        let api_url = format!("http://{}", api.address());
        let loopback = options.media.filter(|media| media.signaling == Signaling::Loopback);
        let signaling = loopback.and(media.as_ref()).map(Media::signaling);
        let (s3, page) = edge::serve(&options, &plan, around, api_url, signaling, page)?;
        chime.attach_buckets(s3.clone(), &plan.region);
        let sink = events.clone();
        let transcribe = Transcribe::new(transcribe::Surroundings {
            account: plan.account.clone(),
            clock: clock.clone(),
            s3: s3.clone(),
            region: plan.region.clone(),
            chime: chime.clone(),
            event_delivery: options.chime.event_delivery,
            sink: Arc::new(move |event| sink.publish(DEFAULT_BUS, &event)),
        });
        let schedules = Schedules::start(&plan, lambda.clone(), clock.clone(), options.auto_schedules);
        let pollers =
            Pollers::start(&plan, queues.clone(), lambda.clone(), Arc::clone(&iam), options.hold_queues);
        let audience = params.get("JwtAudience").cloned().unwrap_or_default();
        let seed = Seed::insert(&database.url(), options.host, format!("http://{}", api.address()), audience)
            .await?;

        let endpoint = Endpoint {
            account: plan.account.clone(),
            identities: identities.clone(),
            calls: calls.clone(),
            faults: faults.clone(),
            authorize,
            services: vec![
                Arc::new(chime.clone()),
                Arc::new(chime.media_pipelines()),
                Arc::new(ComprehendMedical::default()),
                Arc::new(dynamodb.clone()),
                Arc::new(events.clone()),
                Arc::new(s3.clone()),
                Arc::new(secrets.clone()),
                Arc::new(Sts::new(Arc::clone(&iam), identities.clone(), clock.clone())),
                Arc::new(transcribe.clone()),
            ],
        };
        let parts = Arc::new(Parts {
            plan,
            clock,
            calls,
            faults,
            iam,
            chime,
            transcribe,
            media,
            dynamodb,
            s3,
            identities,
            page_url: format!("http://{}", page.address()),
            secrets,
            lambda,
            schedules,
            issuer,
            database,
            database_secret,
            proxy,
            seed,
            bus: events.received_events(),
            events,
            queues,
            pollers,
        });
        let endpoint = tokio::spawn(endpoint::serve(
            listener,
            Arc::new(endpoint),
            control_api::router(Arc::clone(&parts)),
        ));
        let chime = parts.chime.spawn_event_delivery();
        let transcribe = parts.transcribe.spawn_jobs();
        Ok(Self { parts, aws, api, invoke, page, endpoint, chime, transcribe })
    }

    /// The cloud's parts.
    #[must_use]
    pub fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// `http://127.0.0.1:4566`, the AWS endpoint with the control API under `/_local`.
    #[must_use]
    pub fn aws_url(&self) -> String {
        format!("http://{}", self.aws)
    }

    /// `http://127.0.0.1:8080`, the HTTP API.
    #[must_use]
    pub fn api_url(&self) -> String {
        format!("http://{}", self.api.address())
    }

    /// `http://127.0.0.1:8081`, the call page's distribution.
    #[must_use]
    pub fn page_url(&self) -> String {
        format!("http://{}", self.page.address())
    }

    /// `http://127.0.0.1:9000`, the Invoke API.
    #[must_use]
    pub fn invoke_url(&self) -> String {
        format!("http://{}", self.invoke.address())
    }

    /// The Invoke API's port, on `127.0.0.1` and `[::1]`.
    #[must_use]
    pub fn invoke_port(&self) -> u16 {
        self.invoke.address().port()
    }

    /// The database, directly, as its owner.
    #[must_use]
    pub fn database_url(&self) -> String {
        self.parts.database.url()
    }

    /// The database's name.
    #[must_use]
    pub fn database(&self) -> &str {
        self.parts.database.name()
    }

    /// The PostgreSQL server.
    #[must_use]
    pub fn server(&self) -> &Server {
        self.parts.database.server()
    }

    /// Ends the functions and drops the database. The PostgreSQL server goes on, for others may share it.
    ///
    /// # Errors
    /// When the database cannot be dropped.
    pub async fn stop(self) -> Result<(), local_postgres::Error> {
        self.parts.schedules.stop();
        self.parts.pollers.stop();
        self.parts.lambda.stop().await;
        self.endpoint.abort();
        self.parts.database.drop().await
    }
}

/// The region everything is deployed in, unless `ControlRegion` names another.
pub const REGION: &str = "us-east-1";

async fn serve(what: &'static str, port: u16, router: axum::Router) -> Result<Listening, StartError> {
    Ok(listen(what, port).await?.serve(router))
}

async fn listen(what: &'static str, port: u16) -> Result<Bound, StartError> {
    listen::bind(port).await.map_err(|source| StartError::Listen { what, port, source })
}

async fn bind(what: &'static str, port: u16) -> Result<(TcpListener, std::net::SocketAddr), StartError> {
    let refused = |source| StartError::Listen { what, port, source };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

fn params(
    options: &Options,
    aws: std::net::SocketAddr,
    page: std::net::SocketAddr,
) -> Result<BTreeMap<String, String>, StartError> {
    let path = options.workspace.join("infra/params/local.json");
    let text = std::fs::read_to_string(path).map_err(StartError::Parameters)?;
    let mut params: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|error| StartError::Parameters(error.into()))?;
    params.insert("WebLinkBase".to_owned(), format!("http://{page}/call"));
    // Links to recordings lead to the AWS endpoint, which has no bucket in its name.
    params.insert("RecordingsOrigin".to_owned(), format!("http://{aws}"));
    params.extend(options.parameters.clone());
    // The control API plays the app that embeds the page, on whatever port it listens, beside the given ones.
    let given = options.parameters.get("EmbeddingOrigins").filter(|given| !given.is_empty());
    let origins = given.map_or_else(|| format!("http://{aws}"), |given| format!("http://{aws},{given}"));
    params.insert("EmbeddingOrigins".to_owned(), origins);
    Ok(params)
}

fn no_port(what: &'static str, port: u16) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Listen { what, port, source }
}

/// Asks the roles: that of a session, else the function's own.
pub fn authorize(iam: Arc<Iam>) -> Authorize {
    Arc::new(move |caller, action, resource, context| {
        if caller.function == OPERATOR {
            return action.starts_with("s3:") || action.starts_with("kms:");
        }
        let context: Vec<(&str, &str)> =
            context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        if let Some(session) = &caller.session {
            return iam.check_session(&session.role, action, resource, &context).is_allowed();
        }
        iam.check(&caller.function, action, resource, &context).is_allowed()
    })
}
