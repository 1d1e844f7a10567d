//! What the user wrote as an address → where to connect, as whom.

use std::fmt;

use percent_encoding::percent_decode_str;
use thiserror::Error;

use crate::secret::Secret;

/// Port of a server whose address names none.
const DEFAULT_PORT: u16 = 6379;
/// Host of an address which names none.
const DEFAULT_HOST: &str = "localhost";

/// A server's address, and the credentials which stood in it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Where it is.
    pub place: Place,
    /// `rediss://` or `valkeys://`: nothing is sent in the clear.
    pub tls: bool,
    /// Selected after connecting; 0 is what a connection begins with.
    pub database: u32,
    /// `user` of `user:password@`.
    pub user: Option<String>,
    /// `password` of `user:password@`, or a lone `password@`, as `redis-cli` has it.
    pub password: Option<Secret>,
}

/// Where a server listens.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Place {
    /// A name or an IP address, without brackets.
    Tcp {
        /// Never empty.
        host: String,
        /// Never 0.
        port: u16,
    },
    /// The path of a socket.
    Unix(String),
}

/// Why a text is no address. The text is not repeated: a password may stand in it.
#[derive(Clone, Copy, Debug, Error, Eq, PartialEq)]
pub enum AddressError {
    /// Another scheme, or none in front of `://`.
    #[error("unknown scheme: expected redis(s)://, valkey(s)://, tcp:// or unix://")]
    Scheme,
    /// Not a number from 1 to 65535.
    #[error("the port is not a number from 1 to 65535")]
    Port,
    /// A character which no host name has; also several addresses in one.
    #[error("the host is not one name or IP address")]
    Host,
    /// The path is not a number.
    #[error("the database behind the last / is not a number")]
    Database,
    /// `unix://` without a path.
    #[error("unix:// is not followed by the path of a socket")]
    Socket,
}

impl Address {
    /// Reads `redis://[user[:password]@]host[:port][/database]`, the same with `valkey://` or
    /// `tcp://`, with `rediss://` or `valkeys://` for TLS, `unix:///path`, or just `host:port`.
    ///
    /// # Errors
    ///
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("redis", text));
        match scheme {
            "redis" | "valkey" | "tcp" => Self::parse_tcp(rest, false),
            "rediss" | "valkeys" => Self::parse_tcp(rest, true),
            "unix" if rest.is_empty() => Err(AddressError::Socket),
            "unix" => Ok(Self {
                place: Place::Unix(rest.to_owned()),
                tls: false,
                database: 0,
                user: None,
                password: None,
            }),
            _ => Err(AddressError::Scheme),
        }
    }

    fn parse_tcp(text: &str, tls: bool) -> Result<Self, AddressError> {
        let text = text.split(['?', '#']).next().unwrap_or_default();
        let (authority, path) = text.split_once('/').unwrap_or((text, ""));
        let (credentials, place) = match authority.rsplit_once('@') {
            Some((credentials, place)) => (Some(credentials), place),
            None => (None, authority),
        };
        let (user, password) = credentials.map_or((None, None), read_credentials);
        let database = match path {
            "" => 0,
            digits => digits.parse().map_err(|_error| AddressError::Database)?,
        };
        Ok(Self { place: read_place(place)?, tls, database, user, password })
    }

    /// With the scheme that `redis_exporter` writes, without credentials: a target for Prometheus.
    pub fn to_target(&self) -> String {
        let scheme = match (&self.place, self.tls) {
            (Place::Unix(_), _) => "unix",
            (Place::Tcp { .. }, true) => "rediss",
            (Place::Tcp { .. }, false) => "redis",
        };
        format!("{scheme}://{self}")
    }
}

/// Without credentials, so that it can be shown.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Place::Tcp { host, port } => write!(f, "{host}:{port}"),
            Place::Unix(path) => f.write_str(path),
        }
    }
}

/// `user:password`, `:password`, or `password`.
fn read_credentials(text: &str) -> (Option<String>, Option<Secret>) {
    let decode = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = text.split_once(':').unwrap_or(("", text));
    let filled = |text: &str| (!text.is_empty()).then(|| decode(text));
    (filled(user), filled(password).map(Secret::new))
}

fn read_place(text: &str) -> Result<Place, AddressError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(AddressError::Host)?;
            (host, port.strip_prefix(':').or_else(|| port.is_empty().then_some("")))
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, Some("")),
        },
    };
    let port = match port.ok_or(AddressError::Port)? {
        "" => DEFAULT_PORT,
        digits => digits.parse().ok().filter(|port| *port > 0).ok_or(AddressError::Port)?,
    };
    let known = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    if !host.chars().all(known) {
        return Err(AddressError::Host);
    }
    let host = if host.is_empty() { DEFAULT_HOST } else { host };
    Ok(Place::Tcp { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests;
