//! What the operator wrote about a server, and what we connect with; passwords stay covered.
//!
//! The forms are those of libpq and of Go's `lib/pq`: `postgres://user:pass@host:port/db?key=value`
//! and `host=… user=… password='…'`. What a text leaves out comes from the `PG*` environment
//! variables, then from defaults.

use std::{collections::BTreeMap, fmt, path::PathBuf, time::Duration};

use thiserror::Error;

use crate::credentials::Lookups;

mod keyvalue;
mod url;

/// Port of a server which is given without one.
const PORT_DEFAULT: u16 = 5432;
/// What the server shows in `pg_stat_activity` unless the data source says otherwise.
const APPLICATION_NAME: &str = "postgres-exporter";

/// A text which is never shown.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Covers `text`.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Uncovers the text, for the one who logs in with it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// `sslmode`: how much the connection is protected, the least first.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub enum SslMode {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server insists.
    Allow,
    /// Encrypted if the server can.
    Prefer,
    /// Encrypted, whoever answers. The default, as in `lib/pq`.
    #[default]
    Require,
    /// Encrypted, and the certificate is signed by a known authority.
    VerifyCa,
    /// As `verify-ca`, and the certificate is the host's.
    VerifyFull,
}

/// `sslmode` and the files which belong to it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Ssl {
    /// See [`SslMode`].
    pub mode: SslMode,
    /// `sslrootcert`: a PEM file with authorities, its text, or `system` for the built-in ones.
    pub root_cert: Option<String>,
    /// `sslcert`: a PEM file with the client's certificate, or its text.
    pub cert: Option<String>,
    /// `sslkey`: a PEM file with the client's private key, or its text, which is covered.
    pub key: Option<Secret>,
    /// Where the files are that nothing names: `~/.postgresql`.
    pub folder: Option<PathBuf>,
}

/// One server and how to log in there, complete and checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Dsn {
    /// A name, an address, or a folder with a socket (it begins with `/` or `@`).
    pub host: String,
    /// See `PORT_DEFAULT`.
    pub port: u16,
    /// The role to log in as.
    pub user: String,
    /// Its password, where it needs one.
    pub password: Option<Secret>,
    /// Where to look for a login besides.
    pub lookups: Lookups,
    /// The database to connect to; the role's name where it is not given.
    pub database: String,
    /// Protection of the connection.
    pub ssl: Ssl,
    /// `connect_timeout`, where it is given and not 0.
    pub connect_timeout: Option<Duration>,
    /// How the server names us in `pg_stat_activity`.
    pub application_name: String,
    /// `options`, as libpq hands it to the server.
    pub options: Option<String>,
    /// Keys which are not ours: run-time parameters of the session, for example `search_path`.
    pub settings: BTreeMap<String, String>,
}

/// Why a text is no data source. It quotes nothing of the text, since all of it may be a password.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum DsnError {
    /// Neither form.
    #[error("expected postgresql://user:password@host:port/database or key=value pairs")]
    Form,
    /// A `%` which is not followed by two hexadecimal digits, or bytes which are not UTF-8.
    #[error("a percent sign does not begin a valid escape; write % as %25")]
    Escape,
    /// No port number.
    #[error(
        "the port is not a number from 1 to 65535; write @, :, / and ? in a password as %40, %3A, %2F and %3F"
    )]
    Port,
    /// A `'` or `\` which is not followed by what it asks for.
    #[error("a quoted value does not end")]
    Quote,
    /// A key without `=`.
    #[error("a key has no value; quote values with spaces as 'a b'")]
    NoValue,
    /// A key which is no identifier.
    #[error("a key is not made of letters, digits, dots and underscores")]
    Key,
    /// An `sslmode` nobody knows.
    #[error("sslmode must be disable, allow, prefer, require, verify-ca or verify-full")]
    SslMode,
    /// A `connect_timeout` which is no number.
    #[error("connect_timeout is not a whole number of seconds")]
    ConnectTimeout,
    /// A zero byte, which the protocol cannot carry.
    #[error("a value contains a zero byte")]
    Zero,
}

/// Where defaults come from: the environment, or a table in tests.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Keys and values of a text, in its order, decoded but not yet understood.
pub(crate) type Pairs = Vec<(String, String)>;

/// Keys which libpq knows and which change nothing here.
const IGNORED: [&str; 17] = [
    "binary_parameters",
    "channel_binding",
    "client_encoding",
    "fallback_application_name",
    "gssencmode",
    "keepalives",
    "keepalives_count",
    "keepalives_idle",
    "keepalives_interval",
    "krbsrvname",
    "krbspn",
    "sslcompression",
    "sslinline",
    "sslnegotiation",
    "sslsni",
    "target_session_attrs",
    "tcp_user_timeout",
];

impl Dsn {
    /// Reads one data source.
    ///
    /// # Errors
    ///
    /// See [`DsnError`].
    pub fn parse(text: &str, environment: Lookup<'_>) -> Result<Self, DsnError> {
        let text = text.trim();
        let pairs = match url::strip_scheme(text) {
            Some(rest) => url::parse(rest)?,
            None => keyvalue::parse(text)?,
        };
        Self::from_pairs(pairs, environment)
    }

    /// Takes apart what `/probe` calls a target: also an address without a scheme.
    ///
    /// # Errors
    ///
    /// See [`DsnError`].
    pub(crate) fn pairs(text: &str) -> Result<Pairs, DsnError> {
        let text = text.trim();
        let after_key = text.trim_start_matches(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let is_pairs = after_key.len() < text.len() && after_key.trim_start().starts_with('=');
        match url::strip_scheme(text) {
            Some(rest) => url::parse(rest),
            None if is_pairs => keyvalue::parse(text),
            None => url::parse(text),
        }
    }

    /// Understands `pairs`; of two equal keys the later one counts.
    ///
    /// # Errors
    ///
    /// See [`DsnError`].
    pub fn from_pairs(pairs: Pairs, environment: Lookup<'_>) -> Result<Self, DsnError> {
        if pairs.iter().any(|(key, value)| key.contains('\0') || value.contains('\0')) {
            return Err(DsnError::Zero);
        }
        let mut given: BTreeMap<String, String> =
            pairs.into_iter().map(|(key, value)| (canonical(key), value)).collect();
        let mut take = |key: &str, variable: &str| {
            let written = given.remove(key).filter(|value| !value.is_empty());
            written.or_else(|| environment(variable).filter(|value| !value.is_empty()))
        };
        let home = environment("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        let host = take("host", "PGHOST");
        let hostaddr = take("hostaddr", "PGHOSTADDR");
        let system_user = || environment("USER").filter(|user| !user.is_empty());
        let user = take("user", "PGUSER").or_else(system_user);
        let user = user.unwrap_or_else(|| "postgres".to_owned());
        let dsn = Self {
            host: hostaddr.or(host).unwrap_or_else(|| "localhost".to_owned()),
            port: take("port", "PGPORT").map_or(Ok(PORT_DEFAULT), |port| parse_port(&port))?,
            password: take("password", "PGPASSWORD").map(Secret),
            lookups: Lookups {
                passfile: take("passfile", "PGPASSFILE")
                    .map(PathBuf::from)
                    .or_else(|| Some(home.as_ref()?.join(".pgpass"))),
                ..Lookups::default()
            },
            database: take("dbname", "PGDATABASE").unwrap_or_else(|| user.clone()),
            user,
            ssl: Ssl {
                mode: take("sslmode", "PGSSLMODE").map_or(Ok(SslMode::default()), parse_mode)?,
                root_cert: take("sslrootcert", "PGSSLROOTCERT"),
                cert: take("sslcert", "PGSSLCERT"),
                key: take("sslkey", "PGSSLKEY").map(Secret),
                folder: home.as_ref().map(|home| home.join(".postgresql")),
            },
            connect_timeout: take("connect_timeout", "PGCONNECT_TIMEOUT")
                .map(|text| text.parse().map_err(|_error| DsnError::ConnectTimeout))
                .transpose()?
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
            application_name: take("application_name", "PGAPPNAME")
                .unwrap_or_else(|| APPLICATION_NAME.to_owned()),
            options: take("options", "PGOPTIONS"),
            settings: given,
        };
        dsn.checked()
    }

    /// Replaces role and password, where they are given.
    #[must_use]
    pub fn with_login(mut self, user: Option<String>, password: Option<Secret>) -> Self {
        if let Some(user) = user.filter(|user| !user.is_empty()) {
            self.user = user;
        }
        if password.is_some() {
            self.password = password;
        }
        self
    }

    /// `host:port`, the `server` label.
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the host is a folder with a socket.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with(['/', '@'])
    }

    /// Whether the operator sets this run-time parameter, so that we leave it alone.
    pub fn sets(&self, parameter: &str) -> bool {
        let in_options = |options: &str| options.contains(parameter);
        self.settings.contains_key(parameter) || self.options.as_deref().is_some_and(in_options)
    }

    /// `options` and [`settings`](Self::settings) in the one form that the protocol has for them.
    pub fn startup_options(&self) -> Option<String> {
        let mut words: Vec<String> = self.options.iter().cloned().collect();
        let settings = self.settings.iter();
        words.extend(settings.map(|(key, value)| format!("-c {key}={}", escape_option(value))));
        (!words.is_empty()).then(|| words.join(" "))
    }

    fn checked(mut self) -> Result<Self, DsnError> {
        if self.is_socket() {
            // No server speaks TLS there, and `lib/pq` does not ask for it either.
            self.ssl.mode = SslMode::Disable;
        }
        self.settings.retain(|key, _| !IGNORED.contains(&key.as_str()));
        let is_key = |key: &str| {
            key.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
                && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
        };
        if self.settings.keys().all(|key| is_key(key)) { Ok(self) } else { Err(DsnError::Key) }
    }
}

/// `database` is what `lib/pq` takes besides `dbname`.
fn canonical(key: String) -> String {
    if key == "database" { "dbname".to_owned() } else { key }
}

fn parse_port(text: &str) -> Result<u16, DsnError> {
    text.parse().ok().filter(|port| *port > 0).ok_or(DsnError::Port)
}

pub(crate) fn parse_mode(text: impl AsRef<str>) -> Result<SslMode, DsnError> {
    match text.as_ref() {
        "disable" => Ok(SslMode::Disable),
        "allow" => Ok(SslMode::Allow),
        "prefer" => Ok(SslMode::Prefer),
        "require" => Ok(SslMode::Require),
        "verify-ca" => Ok(SslMode::VerifyCa),
        "verify-full" => Ok(SslMode::VerifyFull),
        _ => Err(DsnError::SslMode),
    }
}

/// A space ends an option unless a backslash stands before it.
fn escape_option(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for character in value.chars() {
        if character == '\\' || character.is_ascii_whitespace() {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}

#[cfg(test)]
mod tests;
