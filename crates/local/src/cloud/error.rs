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
    #[error("the media plane did not start{}", media_setting(.0))]
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

/// The setting of `local run` that the error is about.
fn media_setting(error: &local_media::StartError) -> String {
    use local_media::StartError::{Certificate, Listen, Media, Thread, Unreachable};
    match error {
        Listen { port, .. } => format!(" with LOCAL_MEDIA_PORT={port}"),
        Media { address, .. } | Unreachable { address } => format!(" with LOCAL_MEDIA_ADDRESS={address}"),
        Certificate(_) | Thread(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_of_the_media_plane_names_the_setting() {
        let source = std::io::Error::from(std::io::ErrorKind::AddrInUse);
        let taken = StartError::from(local_media::StartError::Listen { port: 8082, source });
        assert_eq!(taken.to_string(), "the media plane did not start with LOCAL_MEDIA_PORT=8082");
        let address = std::net::Ipv4Addr::UNSPECIFIED.into();
        let unusable = StartError::from(local_media::StartError::Unreachable { address });
        assert_eq!(unusable.to_string(), "the media plane did not start with LOCAL_MEDIA_ADDRESS=0.0.0.0");
    }
}
