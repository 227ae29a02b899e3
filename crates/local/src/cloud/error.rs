//! Why a local cloud did not start.

use std::io;

use local_postgres::database;
use local_template::iam::IamError;
use local_template::template::TemplateError;

use crate::gateway::InvalidRouteKey;
use crate::page::PageError;
use crate::pgproxy::CertificateError;
use crate::tokens::TokenError;
use crate::{dynamodb, lambda, seed};

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
    /// The database could not be created.
    #[error(transparent)]
    Database(#[from] database::Error),
    /// The media plane did not start.
    #[error(transparent)]
    Media(#[from] local_media::StartError),
    /// The way to the database could not be secured.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// The fixtures could not be inserted.
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
