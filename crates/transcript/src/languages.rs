//! The languages of this deployment: which it transcribes, where and how.

use api::transcripts::{LanguageSupport, LanguagesResponse, LiveSupport, StartTranscriptionRequest};
use domain::Error;
use domain::transcript::language::{
    self, Attempt, Attempts, Request, Resolution, Specialty, Vocabularies, table,
};
use domain::transcript::settings::{BatchSettings, LiveSettings, RunSettings};
use runtime::Env;
use time::OffsetDateTime;

use crate::App;

/// The languages of a deployment.
#[derive(Clone, Debug)]
pub struct Policy {
    pub rules: language::Policy,
    /// The language of a call that names none.
    pub default: String,
}

impl Policy {
    /// Reads the environment.
    #[must_use]
    pub fn read(env: &mut Env) -> Self {
        let mut regions = env
            .text("TRANSCRIPTION_REGIONS")
            .split(',')
            .map(str::trim)
            .map(str::to_owned)
            .collect::<Vec<_>>();
        regions.retain(|region| !region.is_empty());
        Self {
            rules: language::Policy {
                allowed_regions: regions,
                storage_region: env.text("AWS_REGION"),
                attempt_unconfirmed: env.parse::<OnOff>("TRANSCRIPTION_UNLISTED_LANGUAGES").0,
                mark_content: env.parse::<OnOff>("TRANSCRIPTION_MARK_CONTENT").0,
                vocabularies: env.parse_optional::<Vocabularies>("TRANSCRIPTION_VOCABULARIES"),
            },
            default: env.text("TRANSCRIPTION_LANGUAGE"),
        }
    }
}

/// A switch of the template: `on` or `off`.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct OnOff(pub(crate) bool);

impl std::str::FromStr for OnOff {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "on" => Ok(Self(true)),
            "off" => Ok(Self(false)),
            _ => Err("must be on or off"),
        }
    }
}

/// The options of a start.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted<'a> {
    /// `None`: the deployment's.
    language: Option<&'a str>,
    options: &'a [String],
    specialty: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    /// A request of the provider; without a language that of the call.
    pub(crate) fn of(request: &'a StartTranscriptionRequest, of_call: Option<&'a str>) -> Self {
        Self {
            language: request.language.as_deref().or(of_call),
            options: &request.language_options,
            specialty: request.specialty.as_deref(),
        }
    }

    /// The start that a call makes by itself.
    pub(crate) const fn by_itself(of_call: Option<&'a str>) -> Self {
        Self { language: of_call, options: &[], specialty: None }
    }
}

impl App {
    /// Resolves what is asked for to what Chime or Transcribe is asked for.
    ///
    /// # Errors
    /// 422 where it is not transcribed, with the reason; 503 when the database is down.
    pub(crate) async fn resolve(
        &self,
        wanted: &Wanted<'_>,
        media_region: &str,
        now: OffsetDateTime,
    ) -> Result<RunSettings, Error> {
        let language = self.language(wanted);
        let refused = |reason: &language::Reason| Error::invalid(reason.field(), reason.to_string());
        let specialty = wanted.specialty.map(str::parse::<Specialty>).transpose();
        let specialty = specialty.map_err(|error| Error::invalid("specialty", error.to_string()))?;
        let wanted = language::Wanted::parse(language, wanted.options).map_err(|reason| refused(&reason))?;
        let request = Request { wanted, specialty };
        let attempts = self.attempts(now).await?;
        let (live, batch) = match language::resolve(&request, media_region, &self.policy.rules, &attempts) {
            Resolution::Live(live) => (Some(live), language::resolve_batch(&request, &self.policy.rules)),
            Resolution::Batch(batch, _) => (None, Some(batch)),
            Resolution::Unsupported(reason) => return Err(refused(&reason)),
        };
        Ok(RunSettings {
            language: language.to_owned(),
            unconfirmed: live.as_ref().is_some_and(|live| live.unconfirmed),
            live: live.map(LiveSettings::from),
            batch: batch.map(BatchSettings::from),
        })
    }

    /// The language that is asked for.
    pub(crate) fn language<'a>(&'a self, wanted: &Wanted<'a>) -> &'a str {
        wanted.language.unwrap_or(&self.policy.default)
    }

    async fn attempts(&self, now: OffsetDateTime) -> Result<Attempts, Error> {
        let known = self.calls.store().known_languages(now).await?;
        let attempt = |confirmed| if confirmed { Attempt::Confirmed } else { Attempt::Failed };
        Ok(known.languages.into_iter().map(|one| (one.code, one.region, attempt(one.confirmed))).collect())
    }

    /// The languages, for calls in the deployment's media region.
    ///
    /// # Errors
    /// 503 when the database is down.
    pub(crate) async fn languages(&self, now: OffsetDateTime) -> Result<LanguagesResponse, Error> {
        let attempts = self.attempts(now).await?;
        let entries = language::entries(&self.media_region, &self.policy.rules, &attempts);
        let languages = entries
            .into_iter()
            .map(|entry| LanguageSupport {
                code: entry.code,
                name: entry.name,
                live: entry.live.map(|live| LiveSupport {
                    engine: live.engine,
                    region: live.region,
                    unconfirmed: live.unconfirmed,
                }),
                batch: entry.batch.is_some(),
                reason: entry.reason.map(|reason| reason.to_string()),
            })
            .collect();
        Ok(LanguagesResponse { languages, source: table::SOURCE, as_of: table::AS_OF })
    }
}
