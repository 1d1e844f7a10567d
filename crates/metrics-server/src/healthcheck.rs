//! The `healthcheck` subcommand: images built from nothing have no shell and no `wget`.
//!
//! It sends no secret and looks at no certificate, so it needs neither the password nor the
//! authority of the exporter it asks. An exporter which asks for a password, for a client
//! certificate or for patience answers, and counts as alive.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    os::unix::net::UnixStream,
    sync::Arc,
    time::Duration,
};

use rustls::{
    AlertDescription, ClientConfig, ClientConnection, Error, crypto::ring::default_provider,
    pki_types::ServerName,
};

use crate::{Unverified, http::unix_path};

/// Time to connect, and to read.
const LIMIT: Duration = Duration::from_secs(3);
/// More than the head and the body of any answer.
const ANSWER_BYTES_MAX: u64 = 4_096;

/// Asks `<prefix>/health/live` at `address`, an address as the server listens on.
///
/// # Errors
///
/// Nobody answers there, or not as a process that can do its job.
pub(crate) fn check(address: &str, prefix: &str) -> io::Result<()> {
    let outcome = match ask(connect(address)?, prefix) {
        // Either nobody speaks HTTP there, or they speak it over TLS.
        Ok(Verdict::Other(_)) | Err(_) => ask_over_tls(connect(address)?, prefix),
        outcome => outcome,
    };
    match outcome {
        Ok(Verdict::Alive) => Ok(()),
        Ok(Verdict::Failing(answer) | Verdict::Other(answer)) => {
            Err(io::Error::other(format!("{address}: {answer}")))
        }
        Err(error) => Err(io::Error::new(error.kind(), format!("{address}: {error}"))),
    }
}

/// What an answer means.
#[derive(Debug, Eq, PartialEq)]
enum Verdict {
    Alive,
    /// The process says that it cannot do its job.
    Failing(String),
    /// Not the answer of our own server to a good request.
    Other(String),
}

fn verdict(answer: &[u8]) -> Verdict {
    let answer = String::from_utf8_lossy(answer);
    let mut words = answer.split([' ', '\r']);
    let http = words.next().is_some_and(|version| version.starts_with("HTTP/1."));
    match words.next().filter(|_status| http) {
        // 401: a password is wanted; 429: too many asked. Both come before the question is heard.
        Some("200" | "401" | "429") => Verdict::Alive,
        Some(status @ "400") => Verdict::Other(format!("answered {status}")),
        Some(status) => Verdict::Failing(format!("answered {status}")),
        None => Verdict::Other("answered no HTTP".to_owned()),
    }
}

trait Stream: Read + Write {}

impl<S: Read + Write> Stream for S {}

fn connect(address: &str) -> io::Result<Box<dyn Stream>> {
    let context = |error: io::Error| io::Error::new(error.kind(), format!("{address}: {error}"));
    if let Some(path) = unix_path(address) {
        let stream = UnixStream::connect(path).map_err(context)?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        return Ok(Box::new(stream));
    }
    let stream = TcpStream::connect_timeout(&local(address)?, LIMIT).map_err(context)?;
    stream.set_read_timeout(Some(LIMIT))?;
    stream.set_write_timeout(Some(LIMIT))?;
    Ok(Box::new(stream))
}

fn ask(mut stream: impl Stream, prefix: &str) -> io::Result<Verdict> {
    let request = format!(
        "GET {prefix}/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes())?;
    let mut answer = Vec::new();
    match stream.take(ANSWER_BYTES_MAX).read_to_end(&mut answer) {
        Err(error) if answer.is_empty() => Err(error),
        // A peer that hangs up without farewell has answered nevertheless.
        _ => Ok(verdict(&answer)),
    }
}

fn ask_over_tls(stream: impl Stream, prefix: &str) -> io::Result<Verdict> {
    let provider = Arc::new(default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        // Nothing secret is sent, and nothing but a status is believed.
        .with_custom_certificate_verifier(Arc::new(Unverified::new(provider)))
        .with_no_client_auth();
    let name = ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into());
    let connection = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    match ask(rustls::StreamOwned::new(connection, stream), prefix) {
        Err(error) if wants_certificate(&error) => Ok(Verdict::Alive),
        outcome => outcome,
    }
}

/// Whether the peer ended the handshake because we have no certificate to show.
fn wants_certificate(error: &io::Error) -> bool {
    let alert = error.get_ref().and_then(|error| error.downcast_ref());
    matches!(
        alert,
        Some(Error::AlertReceived(
            AlertDescription::CertificateRequired | AlertDescription::HandshakeFailure
        ))
    )
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
    use super::{Verdict, local, verdict};

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

    #[test]
    fn who_answers_is_alive_unless_it_says_otherwise() {
        for (answer, expected) in [
            ("HTTP/1.1 200 OK\r\n\r\nok\n", Verdict::Alive),
            ("HTTP/1.1 401 Unauthorized\r\n\r\n", Verdict::Alive),
            ("HTTP/1.1 429 Too Many Requests\r\n\r\n", Verdict::Alive),
            ("HTTP/1.1 503 Service Unavailable\r\n", Verdict::Failing("answered 503".to_owned())),
            ("HTTP/1.1 404\r\n", Verdict::Failing("answered 404".to_owned())),
            ("HTTP/1.0 400 Bad Request\r\n", Verdict::Other("answered 400".to_owned())),
            ("200 200", Verdict::Other("answered no HTTP".to_owned())),
            ("", Verdict::Other("answered no HTTP".to_owned())),
        ] {
            assert_eq!(verdict(answer.as_bytes()), expected, "{answer}");
        }
    }
}
