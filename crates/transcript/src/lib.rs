#![doc = include_str!("../README.md")]

mod batch;
mod complete;
mod comprehend;
mod config;
mod control;
mod entities;
mod events;
mod evidence;
mod jobs;
mod languages;
mod reading;
mod runs;
mod schedule;
mod search;
mod sound;
mod text;

use api::transcripts::{SearchRequest, StartTranscriptionRequest, TranscriptRequest, TranscriptSelector};
use calls::{Calls, RequestInfo};
use domain::Error;
use domain::error::Reason;
use domain::id::TranscriptId;
use domain::recording::rights::Rights;
use domain::transcript::budget::Limits;
use objects::Objects;
use runtime::{Answer, Function, Request, Route, handlers, secret_reader};
use store::Store;

pub use config::Config;
pub use languages::Policy;

use comprehend::Comprehend;
use control::Started;
use jobs::Jobs;

/// The function's routes, and what its other triggers do.
pub const FUNCTION: Function<App> = Function {
    routes: handlers! {
        "POST /appointments/{appointmentId}/call/transcription" => start,
        "DELETE /appointments/{appointmentId}/call/transcription" => stop,
        "GET /transcription/languages" => languages,
        "GET /appointments/{appointmentId}/transcript" => read,
        "DELETE /transcripts/{transcriptId}" => delete,
        "POST /transcripts/search" => search,
    },
    actions: handlers! {
        "start" => start,
        "stop" => stop,
        "languages" => languages,
        "read" => read,
        "delete" => delete,
        "search" => search,
    },
    on_schedule: Some(|app, origin| Box::pin(app.run(origin))),
    on_messages: Some(|app, messages| Box::pin(app.handle(messages))),
    on_denial: Some(|app, request, reason| Box::pin(audit_denial(app, request, reason))),
    ..Function::EMPTY
};

/// The function's backends.
#[derive(Debug)]
pub struct App {
    calls: Calls,
    objects: Objects,
    jobs: Jobs,
    /// The bucket in which the sound of captures is.
    bucket_arn: String,
    rights: Rights,
    limits: Limits,
    policy: Policy,
    /// Where media is processed unless a start names another region.
    media_region: String,
    retention: time::Duration,
    /// The prefix of the names of jobs.
    project: String,
    fill_gaps: bool,
    speech_retention: time::Duration,
    /// `None`: no medical entities are found.
    comprehend: Option<Comprehend>,
}

impl App {
    /// Builds the clients and tries the connections. A backend that is down is no reason to fail.
    ///
    /// # Errors
    /// When the configuration is incomplete.
    pub async fn connect(config: &Config) -> Result<Self, runtime::Error> {
        let sdk = runtime::sdk_config()?;
        let base = &config.base;
        let store = Store::connect(secret_reader(&sdk, &base.database_secret_arn), &base.environment).await;
        let settings = config.calls.settings.clone();
        let media_region = settings.media_regions.default.clone();
        Ok(Self {
            calls: Calls::new(store, &sdk, &config.calls.bus, settings),
            objects: Objects::new(&sdk, &config.bucket),
            jobs: Jobs::new(&sdk, &config.bucket, &config.key_arn),
            bucket_arn: config.bucket_arn.clone(),
            rights: config.rights.clone(),
            limits: config.limits,
            policy: config.policy.clone(),
            media_region,
            retention: time::Duration::days(config.retention_days.into()),
            project: config.project.clone(),
            fill_gaps: config.fill_gaps,
            speech_retention: time::Duration::days(config.speech_retention_days.into()),
            comprehend: config
                .medical_entities
                .then(|| Comprehend::new(&sdk, &config.comprehend_medical_region)),
        })
    }
}

async fn start(app: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    let body: StartTranscriptionRequest = request.json()?;
    let Started { transcription, new } =
        app.start(request.actor()?, appointment, &body, &request.origin).await?;
    Answer::json(if new { 201 } else { 200 }, &transcription)
}

async fn stop(app: &App, request: &Request) -> Result<Answer, Error> {
    Answer::json(200, &app.stop(request.actor()?, request.appointment()?, &request.origin).await?)
}

async fn languages(app: &App, request: &Request) -> Result<Answer, Error> {
    request.actor()?;
    Answer::json(200, &app.languages(request.origin.now).await?)
}

async fn read(app: &App, request: &Request) -> Result<Answer, Error> {
    let appointment = request.appointment()?;
    app.transcript(request.actor()?, appointment, &wanted(request)?, &request.origin).await
}

/// The view that the request asks for: in the query and the headers, else in the body.
fn wanted(request: &Request) -> Result<TranscriptRequest, Error> {
    match request.route {
        Route::Http(_) => Ok(TranscriptRequest {
            session_id: request.query("sessionId")?,
            view: request.query("view")?,
            accept: request.accept().map(str::to_owned),
        }),
        Route::Direct => request.json(),
    }
}

async fn delete(app: &App, request: &Request) -> Result<Answer, Error> {
    let transcript: TranscriptId = if request.has_parameter("transcriptId") {
        request.path("transcriptId")?
    } else {
        let TranscriptSelector { transcript_id } = request.json()?;
        transcript_id
    };
    Answer::json(202, &app.delete(request.actor()?, transcript, &request.origin).await?)
}

async fn search(app: &App, request: &Request) -> Result<Answer, Error> {
    let search: SearchRequest = request.json()?;
    Answer::json(200, &app.search(request.actor()?, &search, &request.origin).await?)
}

async fn audit_denial(app: &App, request: &Request, reason: Reason<403>) {
    let info = RequestInfo {
        actor: request.actor().ok(),
        target: request.target().ok(),
        ids: request.named_ids(),
        route: request.route.name(),
        origin: &request.origin,
    };
    app.calls.audit_denial(info, reason).await;
}
