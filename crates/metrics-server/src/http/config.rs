//! `--web.config.file`: what it says, and how it is read again while the exporter runs.

use std::{
    collections::BTreeMap,
    fmt,
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use prometheus::{Gauge, Registry};
use ring::digest::{Digest, SHA256, digest};
use tokio::time::timeout;
use tracing::{info, warn};

use super::{
    auth::{Authenticator, Users},
    rate::{Bucket, Rate},
    tls,
};

pub(super) mod schema;

/// How often the files are looked at, at most.
const RECHECK: Duration = Duration::from_secs(1);
/// Time for one look, so that a file system which hangs does not hold up requests.
const LOOK_LIMIT: Duration = Duration::from_secs(1);
/// More than any configuration, certificate chain or bundle of authorities has.
const FILE_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Headers which may be set, and the values they may have where these are known.
const HEADERS: [(&str, &[&str]); 5] = [
    ("Strict-Transport-Security", &[]),
    ("X-Content-Type-Options", &["nosniff"]),
    ("X-Frame-Options", &["deny", "sameorigin"]),
    ("X-XSS-Protection", &[]),
    ("Content-Security-Policy", &[]),
];

/// What flags of an exporter say of its HTTP side, in place of a web configuration file. Files are
/// read again when they change.
#[derive(Clone, Debug, Default)]
pub struct WebSettings {
    /// PEM file of the certificate and those which vouch for it; empty for plain HTTP.
    pub cert_file: String,
    /// PEM file of its key.
    pub key_file: String,
    /// PEM file of those who sign the certificates that clients have to show; empty to ask for none.
    pub client_ca_file: String,
    /// `TLS10` to `TLS13`.
    pub min_version: String,
    /// The one user who is let in; `None` for everybody.
    pub user: Option<WebUser>,
    /// What a browser is told that the password is for.
    pub realm: String,
}

impl WebSettings {
    /// Whether they ask for nothing.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.cert_file.is_empty() && self.user.is_none()
    }
}

/// A user of basic authentication.
#[derive(Clone)]
pub struct WebUser {
    /// The name, as a client sends it.
    pub name: String,
    /// The password, or its bcrypt hash.
    pub password: String,
    /// Whether `password` is a hash.
    pub hashed: bool,
}

impl fmt::Debug for WebUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebUser").field("name", &self.name).finish_non_exhaustive()
    }
}

/// What a web configuration file says, checked and with its certificates loaded.
#[derive(Debug)]
pub(super) struct Loaded {
    /// `None` for plain HTTP.
    pub(super) tls: Option<Arc<rustls::ServerConfig>>,
    /// Whether HTTP/2 is offered over TLS.
    http2: bool,
    pub(super) headers: HeaderMap,
    pub(super) users: Users,
    rate: Option<Rate>,
    /// What stands behind `Basic` where a password is asked for.
    pub(super) challenge: HeaderValue,
    /// What is done differently than the file asks.
    pub(super) warnings: Vec<String>,
}

/// Reads a file named in the configuration.
pub(super) type ReadFile<'a> = dyn FnMut(&Path) -> io::Result<Vec<u8>> + 'a;

impl Loaded {
    /// Reads the file at `path`, and by `read` whatever it names.
    ///
    /// # Errors
    ///
    /// One line: what is wrong, and where.
    pub(super) fn read(path: &Path, read: &mut ReadFile<'_>) -> Result<Self, String> {
        let context = |reason: String| format!("{}: {reason}", path.display());
        let text = read(path).map_err(|error| context(error.to_string()))?;
        let text = String::from_utf8(text).map_err(|_error| context("not UTF-8".to_owned()))?;
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::parse(&text, folder, read).map_err(context)
    }

    fn parse(text: &str, folder: &Path, read: &mut ReadFile<'_>) -> Result<Self, String> {
        let file = schema::parse(text)?;
        let http = file.http_server_config.unwrap_or_default();
        let http2 = http.http2.is_none_or(|http2| http2.0);
        let headers = headers(&http.headers.unwrap_or_default().0)
            .map_err(|reason| format!("http_server_config: {reason}"))?;
        let users = Users::new(file.basic_auth_users.unwrap_or_default().0)
            .map_err(|reason| format!("basic_auth_users: {reason}"))?;
        let rate = file.rate_limit.unwrap_or_default();
        let interval = rate.interval.map_or(Duration::ZERO, |interval| interval.0);
        let rate =
            (!interval.is_zero()).then(|| Rate { interval, burst: rate.burst.unwrap_or_default() });
        let mut warnings = Vec::new();
        let tls = tls::server_config(
            &file.tls_server_config.unwrap_or_default(),
            http2,
            &mut |path| read(&folder.join(path)),
            &mut warnings,
        )
        .map_err(|reason| format!("tls_server_config: {reason}"))?;
        let challenge = HeaderValue::from_static("Basic");
        Ok(Self { tls: tls.map(Arc::new), http2, headers, users, rate, challenge, warnings })
    }

    fn of_settings(settings: &WebSettings, read: &mut ReadFile<'_>) -> Result<Self, String> {
        let filled = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let client_ca_file = filled(&settings.client_ca_file);
        let file = schema::Tls {
            cert_file: filled(&settings.cert_file),
            key_file: filled(&settings.key_file),
            client_auth_type: client_ca_file
                .is_some()
                .then(|| "RequireAndVerifyClientCert".to_owned()),
            client_ca_file,
            min_version: filled(&settings.min_version),
            ..schema::Tls::default()
        };
        let mut warnings = Vec::new();
        let tls = tls::server_config(&file, true, read, &mut warnings)?;
        let users = match &settings.user {
            None => Users::default(),
            Some(WebUser { name, password, hashed: true }) => {
                Users::new([(name.clone(), password.clone())].into())?
            }
            Some(WebUser { name, password, hashed: false }) => {
                Users::plain(name.clone(), schema::Secret(password.clone()))
            }
        };
        let challenge = HeaderValue::from_str(&format!("Basic realm=\"{}\"", settings.realm))
            .map_err(|_error| format!("{:?} is no realm", settings.realm))?;
        Ok(Self {
            tls: tls.map(Arc::new),
            http2: true,
            headers: HeaderMap::new(),
            users,
            rate: None,
            challenge,
            warnings,
        })
    }
}

fn headers(wanted: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in wanted {
        let Some((known, values)) = HEADERS.iter().find(|(known, _)| known == name) else {
            return Err(format!("header {name:?} cannot be set"));
        };
        if !values.is_empty() && !values.contains(&value.as_str()) {
            return Err(format!("header {name}: expected {}, not {value:?}", values.join(" or ")));
        }
        let value = HeaderValue::from_str(value)
            .map_err(|_error| format!("header {name}: {value:?} is no header's value"))?;
        let name = HeaderName::from_bytes(known.as_bytes()).map_err(|error| error.to_string())?;
        headers.insert(name, value);
    }
    Ok(headers)
}

/// The configuration in force. Cloning gives another handle on the same one.
///
/// `state` is locked for a few instructions only; `look` is held while files are read, and who
/// does not get it goes on with what is in force.
#[derive(Clone, Debug)]
pub(super) struct WebConfig(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    source: Source,
    state: Mutex<State>,
    look: Arc<tokio::sync::Mutex<Look>>,
    authenticator: Authenticator,
    /// Set once there is a registry.
    metrics: OnceLock<Metrics>,
}

/// Where a configuration comes from.
#[derive(Clone, Debug)]
enum Source {
    File(PathBuf),
    Settings(WebSettings),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Settings(_) => f.write_str("the flags"),
        }
    }
}

/// How reading went the last time.
#[derive(Debug)]
struct Metrics {
    successful: Gauge,
    success_seconds: Gauge,
}

impl Metrics {
    fn record(&self, successful: bool) {
        self.successful.set(f64::from(u8::from(successful)));
        if successful {
            #[expect(clippy::disallowed_methods, reason = "the time of a reload is shown")]
            let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
            self.success_seconds.set(since.unwrap_or_default().as_secs_f64());
        }
    }
}

#[derive(Clone, Debug)]
struct State {
    loaded: Arc<Loaded>,
    bucket: Option<Arc<Bucket>>,
}

/// What was seen when the files were read last.
#[derive(Debug)]
struct Look {
    at: Instant,
    files: Vec<(PathBuf, Seen)>,
}

/// The content of a file, or why there is none.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Seen {
    Content([u8; 32]),
    Failed(io::ErrorKind),
}

impl WebConfig {
    /// Reads `path` for the first time.
    ///
    /// # Errors
    ///
    /// One line: what is wrong, and where.
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::start(Source::File(path.to_owned()))
    }

    /// Reads the files which `settings` name for the first time.
    ///
    /// # Errors
    ///
    /// One line: what is wrong, and where.
    pub(super) fn of_settings(settings: &WebSettings) -> io::Result<Self> {
        Self::start(Source::Settings(settings.clone()))
    }

    fn start(source: Source) -> io::Result<Self> {
        let (files, loaded) = look(&source);
        let loaded = loaded.map_err(|reason| {
            io::Error::new(io::ErrorKind::InvalidInput, format!("cannot use {reason}"))
        })?;
        for warning in &loaded.warnings {
            warn!(file = %source, "{warning}");
        }
        let bucket = loaded.rate.map(|rate| Arc::new(Bucket::new(rate)));
        Ok(Self(Arc::new(Inner {
            source,
            state: Mutex::new(State { loaded: Arc::new(loaded), bucket }),
            look: Arc::new(tokio::sync::Mutex::new(Look { at: now(), files })),
            authenticator: Authenticator::new(),
            metrics: OnceLock::new(),
        })))
    }

    /// Shows how reading went in `registry`; `name` begins the names.
    pub(super) fn register(
        &self,
        name: &str,
        registry: &Registry,
    ) -> Result<(), prometheus::Error> {
        let successful = Gauge::new(
            format!("{name}_web_config_last_reload_successful"),
            "Whether the web configuration file is in force as it is.",
        )?;
        let success_seconds = Gauge::new(
            format!("{name}_web_config_last_reload_success_timestamp_seconds"),
            "When the web configuration file was read with success for the last time.",
        )?;
        registry.register(Box::new(successful.clone()))?;
        registry.register(Box::new(success_seconds.clone()))?;
        let metrics = self.0.metrics.get_or_init(|| Metrics { successful, success_seconds });
        metrics.record(true);
        Ok(())
    }

    /// What is in force now, after a look at the files where one is due.
    pub(super) async fn current(&self) -> Arc<Loaded> {
        if let Ok(mut look) = Arc::clone(&self.0.look).try_lock_owned()
            && now().saturating_duration_since(look.at) >= RECHECK
        {
            look.at = now();
            let config = self.clone();
            let looking = tokio::task::spawn_blocking(move || config.reload(&mut look.files));
            if timeout(LOOK_LIMIT, looking).await.is_err() {
                warn!(file = %self.0.source, "reading takes long, what is in force stays");
            }
        }
        self.state().loaded
    }

    /// Whether the rate limit has room for one more request.
    pub(super) fn admits(&self) -> bool {
        self.state().bucket.is_none_or(|bucket| bucket.take(now()))
    }

    /// Whether HTTP/2 is offered; `None` without TLS.
    pub(super) fn http2(&self) -> Option<bool> {
        let loaded = self.state().loaded;
        loaded.tls.is_some().then_some(loaded.http2)
    }

    pub(super) fn authenticator(&self) -> &Authenticator {
        &self.0.authenticator
    }

    fn state(&self) -> State {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads everything again if a file has another content than in `seen`.
    fn reload(&self, seen: &mut Vec<(PathBuf, Seen)>) {
        if seen.iter().all(|(path, seen)| Seen::of(&read(path)) == *seen) {
            return;
        }
        let (files, loaded) = look(&self.0.source);
        *seen = files;
        let tls = self.state().loaded.tls.is_some();
        let loaded = loaded.and_then(|loaded| {
            let same = loaded.tls.is_some() == tls;
            same.then_some(loaded)
                .ok_or_else(|| "switching TLS on or off needs a restart".to_owned())
        });
        if let Some(metrics) = self.0.metrics.get() {
            metrics.record(loaded.is_ok());
        }
        let file = &self.0.source;
        match loaded {
            Ok(loaded) => {
                self.install(loaded);
                info!(%file, "read the web configuration again");
            }
            Err(error) => warn!(%file, error, "kept the old web configuration"),
        }
    }

    fn install(&self, loaded: Loaded) {
        for warning in &loaded.warnings {
            warn!(file = %self.0.source, "{warning}");
        }
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        // A limit which stays the same is not filled up by a change elsewhere in the file.
        if state.bucket.as_deref().map(Bucket::rate) != loaded.rate {
            state.bucket = loaded.rate.map(|rate| Arc::new(Bucket::new(rate)));
        }
        state.loaded = Arc::new(loaded);
    }
}

impl Seen {
    fn of(content: &io::Result<Vec<u8>>) -> Self {
        match content {
            Ok(bytes) => Self::Content(sha256(bytes)),
            Err(error) => Self::Failed(error.kind()),
        }
    }
}

/// Reads the configuration and the files it names; tells which files these were.
fn look(source: &Source) -> (Vec<(PathBuf, Seen)>, Result<Loaded, String>) {
    let mut files = Vec::new();
    let mut read = |path: &Path| {
        let content = read(path);
        files.push((path.to_owned(), Seen::of(&content)));
        content
    };
    let loaded = match source {
        Source::File(path) => Loaded::read(path, &mut read),
        Source::Settings(settings) => Loaded::of_settings(settings, &mut read),
    };
    (files, loaded)
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    File::open(path)?.take(FILE_BYTES_MAX + 1).read_to_end(&mut content)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "the file is too large"));
    }
    Ok(content)
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    let digest: Digest = digest(&SHA256, bytes);
    let mut copy = [0; 32];
    copy.copy_from_slice(digest.as_ref());
    copy
}

#[expect(clippy::disallowed_methods, reason = "requests and looks are timed")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests;
