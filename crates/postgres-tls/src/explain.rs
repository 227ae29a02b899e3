//! Why a connection could not be opened, and what to write instead: for the operator, in the log of a function and on the
//! terminal of a migration. It quotes addresses and names, never a password and nothing that the server sent.

use std::error::Error;
use std::io;

use rustls::CertificateError;

/// Where a connection was to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    pub host: String,
    pub port: u16,
    pub user: String,
    pub database: String,
}

/// The cause with the correction, for an error of opening a connection. `authority` is the setting that has the certificate
/// authority: `sslrootcert` or `DATABASE_CA`. None where the error says as much by itself.
#[must_use]
pub fn explain(error: &(dyn Error + 'static), at: &Address, authority: &str) -> Option<String> {
    let Address { host, port, .. } = at;
    let mut cause = Some(error);
    while let Some(one) = cause {
        if let Some(server) = one.downcast_ref::<tokio_postgres::error::DbError>() {
            return rejected(server.code().code(), at);
        }
        if let Some(tls) = one.downcast_ref::<rustls::Error>() {
            return Some(untrusted(tls, host, authority));
        }
        if let Some(network) = one.downcast_ref::<io::Error>() {
            // The inner error of an io::Error is not among its sources, only that error's source.
            if let Some(tls) = network.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return Some(untrusted(tls, host, authority));
            }
            return Some(unreachable(network, host, *port));
        }
        if one.to_string() == "server does not support TLS" {
            return Some(format!(
                "{host}:{port} does not offer TLS: switch it on in the server, or name the server's own address"
            ));
        }
        cause = one.source();
    }
    None
}

/// SQLSTATE of a connection that the server or a pooler refused (PostgreSQL documentation, appendix A). Poolers use the
/// codes of internal and protocol errors too.
fn rejected(code: &str, at: &Address) -> Option<String> {
    let Address { host, port, user, database } = at;
    let pooler = if host.ends_with(".pooler.supabase.com") && !user.contains('.') {
        ". Supabase's pooler takes the user as <role>.<project reference>"
    } else {
        ""
    };
    let text = match code {
        "28P01" | "28000" => format!(
            "{host}:{port} rejected the login of the user {user}: check the user's name, the password, and that the server \
             admits this user from here (pg_hba.conf){pooler}"
        ),
        "3D000" => format!("{host}:{port} has no database {database}: correct its name"),
        "42501" => format!(
            "the user {user} may not connect to the database {database}: make it a member of the deployment's role, or as \
             the database's owner GRANT CONNECT ON DATABASE \"{database}\" TO \"{user}\""
        ),
        "53300" => format!(
            "{host}:{port} has no free connection: raise the limit of the server or pooler, or close other connections"
        ),
        "57P03" => format!("{host}:{port} is starting or shutting down: try again"),
        "08P01" | "XX000" => format!(
            "{host}:{port} is a pooler that does not know the user {user} or the database {database}{pooler}"
        ),
        _ => return None,
    };
    Some(text)
}

fn untrusted(error: &rustls::Error, host: &str, authority: &str) -> String {
    match error {
        // An authority with the same name and another key gives a wrong signature.
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            // A secret of Secrets Manager has 65,536 bytes at most, that bundle 174,184:
            // https://docs.aws.amazon.com/secretsmanager/latest/userguide/reference_limits.html
            let global = if authority == "sslrootcert" {
                ", because the bundle of all regions is larger than the 64 KB of a secret"
            } else {
                ""
            };
            format!(
                "the certificate of {host} was issued by another authority than those in {authority}: put that of this \
                 server there (Supabase: Database Settings, SSL Configuration; RDS: <region>-bundle.pem of \
                 truststore.pki.rds.amazonaws.com{global})"
            )
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => format!(
            "the certificate of the server is for other names than {host}: write a host name that it has"
        ),
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => {
            format!("the certificate of {host} has expired: renew it on the server")
        }
        rustls::Error::InvalidCertificate(reason) => {
            format!(
                "the certificate of {host} is not accepted ({reason}): check the server's certificate and {authority}"
            )
        }
        other => format!("TLS with {host} failed ({other}): the port may be that of another service"),
    }
}

fn unreachable(error: &io::Error, host: &str, port: u16) -> String {
    use io::ErrorKind as Kind;
    match error.kind() {
        Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::AddrNotAvailable => format!(
            "there is no route to {host}:{port}. Supabase's db.<reference>.supabase.co has IPv6 addresses only, and this \
             network or function has IPv4 only: use the pooler's host, aws-<n>-<region>.pooler.supabase.com"
        ),
        Kind::ConnectionRefused => {
            format!("nothing listens at {host}:{port}: correct host and port, or start the server")
        }
        Kind::TimedOut => format!(
            "{host}:{port} did not answer: check the port, the firewall or security group, and that this network reaches it"
        ),
        Kind::ConnectionReset | Kind::ConnectionAborted | Kind::UnexpectedEof | Kind::BrokenPipe => {
            format!(
                "{host}:{port} closed the connection: the port may be that of another service, or the server is overloaded"
            )
        }
        // A failed look-up of the name has no kind of its own.
        _ if error.to_string().contains("lookup address") => {
            format!("the name {host} cannot be resolved: correct the host")
        }
        _ => format!("{host}:{port} cannot be reached ({error})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(host: &str) -> Address {
        Address { host: host.into(), port: 5432, user: "medzen_app".into(), database: "clinic".into() }
    }

    #[test]
    fn a_network_error_names_the_address_and_the_correction() {
        let text = |kind: io::ErrorKind| {
            explain(&io::Error::from(kind), &at("db.example.com"), "sslrootcert").unwrap_or_default()
        };
        let ipv6 = text(io::ErrorKind::NetworkUnreachable);
        assert!(
            ipv6.contains("db.example.com:5432")
                && ipv6.contains("IPv6")
                && ipv6.contains("pooler.supabase.com"),
            "{ipv6}"
        );
        assert!(text(io::ErrorKind::ConnectionRefused).contains("nothing listens at db.example.com:5432"));
        assert!(text(io::ErrorKind::TimedOut).contains("firewall"));
        let lookup = io::Error::other("failed to lookup address information: Name or service not known");
        let lookup = explain(&lookup, &at("db.exmple.com"), "sslrootcert").unwrap_or_default();
        assert!(lookup.contains("db.exmple.com cannot be resolved"), "{lookup}");
    }

    #[test]
    fn a_certificate_names_the_setting_that_is_wrong() {
        let text = |reason| {
            let tls = rustls::Error::InvalidCertificate(reason);
            explain(&io::Error::new(io::ErrorKind::InvalidData, tls), &at("db.example.com"), "DATABASE_CA")
                .unwrap_or_default()
        };
        assert!(text(CertificateError::UnknownIssuer).contains("those in DATABASE_CA"));
        assert!(text(CertificateError::NotValidForName).contains("other names than db.example.com"));
        assert!(text(CertificateError::Expired).contains("expired"));
    }

    /// A secret has 64 KB at most, the global bundle of RDS 174,184 bytes.
    #[test]
    fn the_authority_of_rds_is_the_bundle_of_its_region() {
        let tls = |authority| {
            let tls = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
            explain(&io::Error::new(io::ErrorKind::InvalidData, tls), &at("db.example.com"), authority)
                .unwrap_or_default()
        };
        for authority in ["sslrootcert", "DATABASE_CA"] {
            let text = tls(authority);
            assert!(text.contains("RDS: <region>-bundle.pem") && !text.contains("global-bundle"), "{text}");
        }
        assert!(tls("sslrootcert").contains("64 KB") && !tls("DATABASE_CA").contains("64 KB"));
    }

    #[test]
    fn a_rejected_login_names_the_user_and_the_form_of_a_pooler() {
        let pooler = at("aws-0-eu-central-1.pooler.supabase.com");
        for code in ["28P01", "XX000"] {
            let text = rejected(code, &pooler).unwrap_or_default();
            assert!(text.contains("medzen_app") && text.contains("<role>.<project reference>"), "{text}");
        }
        assert!(rejected("28P01", &at("db.example.com")).is_some_and(|text| !text.contains("Supabase")));
        assert!(
            rejected("3D000", &at("db.example.com")).is_some_and(|text| text.contains("no database clinic"))
        );
        assert!(rejected("42501", &at("db.example.com")).is_some_and(|text| text.contains("GRANT CONNECT")));
        assert_eq!(rejected("22012", &at("db.example.com")), None);
    }
}
