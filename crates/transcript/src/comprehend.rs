//! Amazon Comprehend Medical: medical entities and ICD-10-CM codes of English text, in the region that the operator names.

use std::time::Duration;

use aws_sdk_comprehendmedical::Client;
use aws_sdk_comprehendmedical::config::Region;
use aws_sdk_comprehendmedical::error::{ProvideErrorMetadata, SdkError};
use aws_smithy_runtime_api::http::Response;
use aws_smithy_types::timeout::TimeoutConfig;
use aws_types::SdkConfig;
use domain::Error;
use domain::error::Source;
use domain::transcript::entities::{Concept, Found, Kind};

/// Time for one attempt: 20,000 bytes of text take seconds.
const ATTEMPT_TIMEOUT: Duration = Duration::from_secs(7);
/// Time for a request with its retries.
const DEADLINE: Duration = Duration::from_secs(15);

/// The service. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Comprehend {
    client: Client,
}

impl Comprehend {
    pub(crate) fn new(sdk: &SdkConfig, region: &str) -> Self {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(ATTEMPT_TIMEOUT)
            .operation_timeout(DEADLINE)
            .build();
        let config = aws_sdk_comprehendmedical::config::Builder::from(sdk)
            .region(Region::new(region.to_owned()))
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(config) }
    }

    /// The entities of a text, or why the service refuses it, which it would do again.
    ///
    /// # Errors
    /// The service is throttled or down, or the function may not use it.
    pub(crate) async fn find(&self, kind: Kind, text: &str) -> Result<Result<Vec<Found>, String>, Error> {
        let found = match kind {
            Kind::Entities => self.detect(text).await,
            Kind::Icd10Cm => self.infer(text).await,
        };
        match found {
            Ok(found) => Ok(Ok(found)),
            Err(Failure::Refused(code)) => Ok(Err(code)),
            Err(Failure::Other(error)) => Err(error),
        }
    }

    async fn detect(&self, text: &str) -> Result<Vec<Found>, Failure> {
        let answer = self.client.detect_entities_v2().text(text).send().await.map_err(failure)?;
        let found = answer.entities().iter().filter_map(|entity| {
            let names = (entity.category()?.as_str(), entity.r#type()?.as_str());
            let traits = entity.traits().iter().filter_map(|one| Some(one.name()?.as_str().to_owned()));
            let place = (entity.begin_offset(), entity.end_offset());
            found(place, names, entity.score(), traits.collect(), Vec::new())
        });
        Ok(found.collect())
    }

    async fn infer(&self, text: &str) -> Result<Vec<Found>, Failure> {
        let answer = self.client.infer_icd10_cm().text(text).send().await.map_err(failure)?;
        let found = answer.entities().iter().filter_map(|entity| {
            let names = (entity.category()?.as_str(), entity.r#type()?.as_str());
            let traits = entity.traits().iter().filter_map(|one| Some(one.name()?.as_str().to_owned()));
            let concepts = entity.icd10_cm_concepts().iter().filter_map(|concept| {
                Some(Concept {
                    code: concept.code()?.to_owned(),
                    description: concept.description().unwrap_or_default().to_owned(),
                    score: concept.score().map(f64::from),
                })
            });
            let place = (entity.begin_offset(), entity.end_offset());
            found(place, names, entity.score(), traits.collect(), concepts.collect())
        });
        Ok(found.collect())
    }
}

/// An entity as both services describe it; none without a place.
fn found(
    (begin, end): (Option<i32>, Option<i32>),
    (category, kind): (&str, &str),
    score: Option<f32>,
    traits: Vec<String>,
    concepts: Vec<Concept>,
) -> Option<Found> {
    Some(Found {
        begin: offset(begin)?,
        end: offset(end)?,
        category: category.to_owned(),
        kind: kind.to_owned(),
        score: score.map(f64::from),
        traits,
        concepts,
    })
}

fn offset(offset: Option<i32>) -> Option<u32> {
    u32::try_from(offset?).ok()
}

/// The codes with which the service refuses a text.
const REFUSALS: [&str; 3] =
    ["TextSizeLimitExceededException", "InvalidRequestException", "InvalidEncodingException"];

/// Why a request failed.
enum Failure {
    /// The service refuses this text, with its code.
    Refused(String),
    Other(Error),
}

fn failure<E>(error: SdkError<E, Response>) -> Failure
where
    E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = error.code().unwrap_or_default();
    if REFUSALS.contains(&code) {
        return Failure::Refused(code.to_owned());
    }
    let status = error.raw_response().map(|response| response.status().as_u16());
    let throttled = matches!(code, "TooManyRequestsException" | "ThrottlingException");
    let source: Source = Box::new(error);
    Failure::Other(match status {
        Some(400..=428 | 430..=499) if !throttled => Error::Internal(source),
        _ => Error::Unavailable { backend: "comprehendmedical", source },
    })
}
