//! Listening on loopback, and nowhere else.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::Router;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A server that runs until this is dropped.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    _servers: JoinSet<io::Result<()>>,
}

impl Listening {
    /// Where it listens, on IPv4. Where the machine has IPv6, `[::1]` has the same port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A port that is held and not served yet: what is made before its server can name it.
#[derive(Debug)]
pub struct Bound {
    address: SocketAddr,
    v4: TcpListener,
    v6: Option<TcpListener>,
}

impl Bound {
    /// Where it listens, on IPv4.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves on it. Handlers find the peer in `axum::extract::ConnectInfo<SocketAddr>`.
    #[must_use]
    pub fn serve(self, router: Router) -> Listening {
        let mut servers = JoinSet::new();
        if let Some(v6) = self.v6 {
            spawn(&mut servers, v6, router.clone());
        }
        spawn(&mut servers, self.v4, router);
        Listening { address: self.address, _servers: servers }
    }
}

/// Listens on `127.0.0.1` and, where there is IPv6, on `[::1]`. Port 0 takes a free one.
pub async fn bind(port: u16) -> io::Result<Bound> {
    let v4 = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = v4.local_addr()?;
    // A machine without IPv6 refuses this, and so does a port that someone else holds there: IPv4 is enough for
    // all but tools that ask for `localhost` and try IPv6 only.
    let v6 = TcpListener::bind((Ipv6Addr::LOCALHOST, address.port())).await;
    let v6 =
        v6.inspect_err(|error| tracing::debug!(%error, port = address.port(), "not listening on [::1]")).ok();
    Ok(Bound { address, v4, v6 })
}

fn spawn(servers: &mut JoinSet<io::Result<()>>, listener: TcpListener, router: Router) {
    let service = router.into_make_service_with_connect_info::<SocketAddr>();
    servers.spawn(async move { axum::serve(listener, service).await });
}
