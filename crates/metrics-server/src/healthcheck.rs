//! The `healthcheck` subcommand: images built from nothing have no shell and no `wget`.

use std::{
    io::{self, Read as _, Write as _},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

/// Time to connect, and to read.
const LIMIT: Duration = Duration::from_secs(3);

/// Asks `/health/live` at `address`, an address as the server listens on.
///
/// # Errors
///
/// Nobody answers there, or not with 200.
pub(crate) fn check(address: &str) -> io::Result<()> {
    let failure = |text: String| io::Error::other(format!("{address}: {text}"));
    let mut stream = TcpStream::connect_timeout(&local(address)?, LIMIT)
        .map_err(|error| failure(error.to_string()))?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(4_096).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or("no HTTP");
    if status == "200" { Ok(()) } else { Err(failure(format!("answered {status}"))) }
}

/// How to reach a listening address from the same machine.
fn local(address: &str) -> io::Result<SocketAddr> {
    let wrong =
        || io::Error::new(io::ErrorKind::InvalidInput, format!("invalid address {address}"));
    let (host, port) = address.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_error| wrong())?;
    let ip = match host.trim_matches(['[', ']']) {
        "" | "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.parse().map_err(|_error| wrong())?,
    };
    let ip = match ip {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_listening_address_is_reached_locally() {
        for (address, expected) in [
            (":9102", Some("127.0.0.1:9102")),
            ("0.0.0.0:9102", Some("127.0.0.1:9102")),
            ("[::]:9102", Some("[::1]:9102")),
            ("10.1.2.3:80", Some("10.1.2.3:80")),
            ("localhost:80", Some("127.0.0.1:80")),
            ("9102", None),
            ("host:port", None),
        ] {
            let reached = local(address).ok().map(|address| address.to_string());
            assert_eq!(reached.as_deref(), expected, "{address}");
        }
    }
}
