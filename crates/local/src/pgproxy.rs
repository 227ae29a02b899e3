//! The way of the functions to `PostgreSQL`: records what they ask as turns, does to them what the faults say, and refuses
//! what a pooler in transaction mode would break.
//!
//! A *turn* is what a client sends after it had an answer, with all that it sends before the next one: a statement
//! and its answer, or several that were pipelined. It is called by the name in its first named statement's leading
//! comment (`-- start_call`), else by its first word. Turns are in the log of calls; connections being opened are
//! not, but faults find them as the operation `connect`.
//!
//! The faults' effects here:
//! - latency: a turn, or an opening, is passed on later;
//! - throttle, error: the client gets a FATAL error (53300, 57P01) and is cut; an error on all operations is a database
//!   that is down;
//! - drop: the turn takes effect, the connection ends without an answer;
//! - kill-before, kill-after: the caller is killed and nothing of the turn reached the server, or the server answered it.
//!
//! The pooler test answers with a FATAL error 0A000 and cuts the connection, which rolls back what was open: to named
//! prepared statements, to settings, locks, cursors and tables that live in the session, and to startup parameters that
//! pgbouncer does not take. Migrations go to the server directly.
//!
//! Between function and proxy there can be TLS ([`Proxy::start_with_tls`]); the way on to the server never leaves the machine.

mod requests;
mod session;
mod sql;
mod tls;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_rustls::TlsAcceptor;

use crate::calls::CallLog;
use crate::faults::Faults;
use crate::identity::Identities;
use session::{Before, Session};
pub use tls::{Certificate, CertificateError};
use wire::{Fatal, Opening};

/// The service's name in the log of calls and in faults.
pub const SERVICE: &str = "postgres";

/// The startup parameters that pgbouncer takes; all others set something in the session.
const STARTUP_PARAMETERS: [&str; 7] = [
    "user",
    "database",
    "application_name",
    "client_encoding",
    "datestyle",
    "timezone",
    "standard_conforming_strings",
];

/// The state shared by all connections.
#[derive(Clone)]
struct Backend {
    server: SocketAddr,
    identities: Identities,
    calls: CallLog,
    faults: Faults,
    tls: Option<TlsAcceptor>,
}

/// A running proxy. When it is dropped, it stops listening and cuts all connections.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    /// Whether the database is said to be down. Any change cuts the connections that there are.
    down: watch::Sender<bool>,
}

impl Proxy {
    /// Listens on this port of 127.0.0.1 (0: any that is free) and passes connections on to the server. A client that
    /// asks for TLS is answered that there is none.
    pub async fn start(
        server: SocketAddr,
        identities: Identities,
        calls: CallLog,
        faults: Faults,
        port: u16,
    ) -> io::Result<Self> {
        Self::listen(Backend { server, identities, calls, faults, tls: None }, port).await
    }

    /// The same with TLS for the clients that ask for it.
    pub async fn start_with_tls(
        server: SocketAddr,
        identities: Identities,
        calls: CallLog,
        faults: Faults,
        port: u16,
        certificate: &Certificate,
    ) -> io::Result<Self> {
        let tls = Some(certificate.acceptor());
        Self::listen(Backend { server, identities, calls, faults, tls }, port).await
    }

    async fn listen(backend: Backend, port: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let addr = listener.local_addr()?;
        let down = watch::Sender::new(false);
        tokio::spawn(listen(listener, Arc::new(backend), down.subscribe()));
        Ok(Self { addr, down })
    }

    /// Where it listens.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The database is down: existing connections are cut, new ones are closed before they got an answer. Nothing that
    /// is sent after this returned gets to the server.
    pub fn pause(&self) {
        self.down.send_replace(true);
    }

    /// The database is back.
    pub fn resume(&self) {
        self.down.send_replace(false);
    }
}

async fn listen(listener: TcpListener, backend: Arc<Backend>, mut down: watch::Receiver<bool>) {
    loop {
        let accepted = tokio::select! {
            biased;
            // The proxy was dropped.
            changed = down.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
            accepted = listener.accept() => accepted,
        };
        let client = match accepted {
            Ok((client, _)) => client,
            Err(error) => {
                // Out of descriptors, most likely: others must end first.
                tracing::warn!(%error, "cannot accept a connection");
                sleep(std::time::Duration::from_millis(50)).await;
                continue;
            }
        };
        let mut cut = down.clone();
        if *cut.borrow_and_update() {
            continue;
        }
        let backend = Backend::clone(&backend);
        tokio::spawn(async move {
            tokio::select! {
                biased;
                _ = cut.changed() => {}
                ended = serve(client, backend) => if let Err(error) = ended {
                    tracing::debug!(%error, "a connection ended");
                }
            }
        });
    }
}

async fn serve(mut client: TcpStream, backend: Backend) -> io::Result<()> {
    client.set_nodelay(true)?;
    loop {
        match (Opening::read(&mut client).await?, backend.tls.clone()) {
            (Opening::Tls, Some(tls)) => {
                client.write_all(b"S").await?;
                let mut client = tls.accept(client).await?;
                let opening = Opening::read(&mut client).await?;
                return proceed(client, backend, opening).await;
            }
            // Neither TLS nor Kerberos here; the client may go on without.
            (Opening::Tls, None) | (Opening::Gss, _) => client.write_all(b"N").await?,
            (opening, _) => return proceed(client, backend, opening).await,
        }
    }
}

async fn proceed<C>(client: C, backend: Backend, opening: Opening) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    match opening {
        Opening::Tls | Opening::Gss => Err(wire::malformed("encryption within encryption")),
        Opening::Cancel(message) => cancel(&backend, message).await,
        Opening::Startup { message, parameters } => converse(client, backend, message, &parameters).await,
    }
}

async fn converse<C>(
    mut client: C,
    backend: Backend,
    message: BytesMut,
    parameters: &[(String, String)],
) -> io::Result<()>
where
    C: AsyncRead + AsyncWrite + Unpin,
{
    let unknown = |name: &&str| !STARTUP_PARAMETERS.iter().any(|it| it.eq_ignore_ascii_case(name));
    if let Some(name) = parameters.iter().map(|(name, _)| name.as_str()).find(unknown) {
        return turn_away(&mut client, &Fatal::refused(&format!("the startup parameter {name}"))).await;
    }
    let application = parameters.iter().find(|(name, _)| name == "application_name");
    let caller = application.and_then(|(_, environment)| backend.identities.by_environment(environment));
    let function = caller.as_ref().map_or("", |caller| &caller.function);
    let effect = backend.faults.effect_on_connect(SERVICE, function);
    session::delay(effect.latency).await;
    match session::before(effect.fault) {
        Some(Before::Refuse(why)) => return turn_away(&mut client, &why).await,
        Some(Before::Kill) => {
            session::kill(caller.as_ref()).await;
            return Ok(());
        }
        None => {}
    }
    let server = TcpStream::connect(backend.server).await?;
    server.set_nodelay(true)?;
    Session::new(backend, caller, message, effect).run(client, server).await
}

async fn turn_away(client: &mut (impl AsyncWrite + Unpin), why: &Fatal) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    why.put(&mut bytes);
    client.write_all_buf(&mut bytes).await?;
    client.shutdown().await
}

/// The server answers by closing the connection, which shows the client that the request was processed.
async fn cancel(backend: &Backend, mut message: BytesMut) -> io::Result<()> {
    let mut server = TcpStream::connect(backend.server).await?;
    server.write_all_buf(&mut message).await?;
    tokio::io::copy(&mut server, &mut tokio::io::sink()).await.map(drop)
}
