//! The whole local cloud: every part started from the templates, and stopped together.

mod edge;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::calls::CallLog;
use crate::chime::{self, Chime};
use crate::clock::Clock;
use crate::control_api;
use crate::database_secret::{self, DatabaseSecret};
use crate::dynamodb::{self, DynamoDb};
use crate::endpoint::{self, Endpoint};
use crate::events::{DEFAULT_BUS, EventBridge};
use crate::faults::Faults;
use crate::gateway::{Gateway, InvalidRouteKey};
use crate::identity::{Identities, OPERATOR};
use crate::lambda::{self, Lambda};
use crate::listen::{self, Listening};
use crate::page::PageError;
use crate::pgproxy::{Certificate, CertificateError, Proxy};
use crate::queues::{Pollers, Queues};
use crate::s3::{S3, Surroundings};
use crate::schedules::Schedules;
use crate::secrets::Secrets;
use crate::seed::{self, Host, Seed};
use crate::service::Authorize;
use crate::tokens::{Issuer, TokenError};
use crate::{invoke, tokens};
use local_postgres::Server;
use local_postgres::database::{self, Database};
use local_template::iam::{Iam, IamError};
use local_template::plan::Plan;
use local_template::template::{self, TemplateError};

/// Ports; 0 takes a free one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ports {
    /// The AWS endpoint with the control API under `/_local/`.
    pub aws: u16,
    /// The HTTP API.
    pub api: u16,
    /// The Invoke API.
    pub invoke: u16,
    /// The proxy through which functions reach PostgreSQL.
    pub postgres: u16,
    /// The call page's distribution.
    pub page: u16,
}

/// How to run.
#[derive(Clone, Debug)]
pub struct Options {
    /// The repository: `infra/` with the templates, `target/` for PostgreSQL.
    pub workspace: PathBuf,
    /// The directory with the functions' executables.
    pub binaries: PathBuf,
    pub ports: Ports,
    /// The database's name; one of that name is dropped first.
    pub database: String,
    /// The host application's part of the database.
    pub host: Host,
    /// Whether schedules run by themselves; else only on demand.
    pub auto_schedules: bool,
    /// Whether queues are read only when that is asked for ([`Pollers::release`]).
    pub hold_queues: bool,
    /// Whether the functions' log lines are shown.
    pub echo: bool,
    /// The limits of the Chime engine.
    pub chime: chime::Options,
    /// Where the call page was built; without one its bucket is empty.
    pub page: Option<PathBuf>,
    /// Parameters of the templates, laid over those of `infra/params/local.json`.
    pub parameters: BTreeMap<String, String>,
}

/// Why the cloud did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The parameters cannot be read.
    #[error("infra/params/local.json cannot be read")]
    Parameters(#[source] io::Error),
    /// The templates are refused.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// A role is refused.
    #[error(transparent)]
    Iam(#[from] IamError),
    /// PostgreSQL did not start.
    #[error(transparent)]
    Postgres(#[from] local_postgres::Error),
    /// The database could not be made.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The way to the database could not be secured.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The world could not be seeded.
    #[error(transparent)]
    Seed(#[from] seed::Error),
    /// A port is taken.
    #[error("the {what} cannot listen on port {port}")]
    Listen {
        /// The server that needs it.
        what: &'static str,
        port: u16,
        #[source]
        source: io::Error,
    },
    /// DynamoDB did not start.
    #[error(transparent)]
    DynamoDb(#[from] dynamodb::Error),
    /// The functions did not start.
    #[error(transparent)]
    Lambda(#[from] lambda::StartError),
    /// The issuer has no key.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The call page is not as its manifest says.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The templates describe no distribution for the page, or more than one.
    #[error("the templates must describe one distribution; they describe {0}")]
    Distributions(usize),
    /// A route's key cannot be read.
    #[error(transparent)]
    Route(#[from] InvalidRouteKey),
    /// The templates describe no HTTP API, or more than one.
    #[error("the templates must describe one HTTP API; they describe {0}")]
    Apis(usize),
}

/// The parts that the control API and the tests use. Cheap to share.
pub struct Parts {
    /// The resolved templates.
    pub plan: Plan,
    pub clock: Clock,
    /// The calls that functions made.
    pub calls: CallLog,
    /// The faults in force.
    pub faults: Faults,
    pub iam: Arc<Iam>,
    /// The Chime engine.
    pub chime: Chime,
    pub dynamodb: DynamoDb,
    pub s3: S3,
    /// The known credentials.
    pub identities: Identities,
    /// `http://127.0.0.1:8081`, the call page's distribution.
    pub page_url: String,
    pub secrets: Secrets,
    pub lambda: Lambda,
    pub schedules: Schedules,
    /// The issuer of tokens.
    pub issuer: Issuer,
    /// The functions' database.
    pub database: Database,
    /// The secret with the database's address and login.
    pub database_secret: DatabaseSecret,
    /// The way to it.
    pub proxy: Proxy,
    /// The seeded users and appointments.
    pub seed: Seed,
    /// All events that came to a bus, in order.
    pub bus: Arc<Mutex<Vec<Value>>>,
    /// The buses and their rules.
    pub events: EventBridge,
    pub queues: Queues,
    /// The pollers of the queues.
    pub pollers: Pollers,
}

impl Parts {
    /// The used, unused and denied permissions of each function. Logs count as used by functions that ran.
    #[must_use]
    pub fn iam_usage(&self) -> Value {
        for line in self.lambda.logs() {
            self.iam.mark_implied(&line.function, "logs");
        }
        serde_json::to_value(self.iam.usage()).unwrap_or_default()
    }
}

/// A running local cloud. Dropping it ends everything but the PostgreSQL server, which others may share.
pub struct Cloud {
    parts: Arc<Parts>,
    aws: std::net::SocketAddr,
    api: Listening,
    invoke: Listening,
    page: Listening,
    endpoint: JoinHandle<()>,
    chime: JoinHandle<()>,
}

impl Drop for Cloud {
    fn drop(&mut self) {
        self.endpoint.abort();
        self.chime.abort();
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
        let params = params(&options, aws)?;
        let plan = template::deploy(&options.workspace.join("infra"), &params, REGION)?;
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
        };
        let api_url = format!("http://{}", api.address());
        let (s3, page) = edge::serve(&options, &plan, around, api_url).await?;
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
                Arc::new(dynamodb.clone()),
                Arc::new(events.clone()),
                Arc::new(s3.clone()),
                Arc::new(secrets.clone()),
            ],
        };
        let parts = Arc::new(Parts {
            plan,
            clock,
            calls,
            faults,
            iam,
            chime,
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
        Ok(Self { parts, aws, api, invoke, page, endpoint, chime })
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

/// The region everything is deployed in.
pub const REGION: &str = "us-east-1";

async fn serve(what: &'static str, port: u16, router: axum::Router) -> Result<Listening, StartError> {
    listen::serve(port, router).await.map_err(|source| StartError::Listen { what, port, source })
}

async fn bind(what: &'static str, port: u16) -> Result<(TcpListener, std::net::SocketAddr), StartError> {
    let refused = |source| StartError::Listen { what, port, source };
    let listener = TcpListener::bind(("127.0.0.1", port)).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

fn params(options: &Options, aws: std::net::SocketAddr) -> Result<BTreeMap<String, String>, StartError> {
    let path = options.workspace.join("infra/params/local.json");
    let text = std::fs::read_to_string(path).map_err(StartError::Parameters)?;
    let mut params: BTreeMap<String, String> =
        serde_json::from_str(&text).map_err(|error| StartError::Parameters(error.into()))?;
    // The control API plays the app that embeds the page, on whatever port it listens.
    params.insert("EmbeddingOrigins".to_owned(), format!("http://{aws}"));
    params.extend(options.parameters.clone());
    Ok(params)
}

fn no_port(what: &'static str, port: u16) -> impl Fn(io::Error) -> StartError {
    move |source| StartError::Listen { what, port, source }
}

fn authorize(iam: Arc<Iam>) -> Authorize {
    Arc::new(move |caller, action, resource, context| {
        if caller.function == OPERATOR {
            return action.starts_with("s3:");
        }
        let context: Vec<(&str, &str)> =
            context.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
        iam.check(&caller.function, action, resource, &context).is_allowed()
    })
}

impl Parts {
    /// A token for `claims`, laid over those of a valid provider's token.
    ///
    /// # Errors
    /// When the claims are no object.
    pub fn token(&self, claims: &Value, expires_in: i64, key: tokens::Key) -> Result<String, TokenError> {
        let mut all = serde_json::json!({
            "aud": self.seed.audience(),
            "sub": self.seed.first().provider.firebase_uid,
        });
        if let (Some(all), Some(claims)) = (all.as_object_mut(), claims.as_object()) {
            for (name, value) in claims {
                all.insert(name.clone(), value.clone());
            }
        }
        self.issuer.issue(all, expires_in, key)
    }
}
