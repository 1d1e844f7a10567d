//! Which user and password a server is sent, and from which file they come.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tracing::{info, warn};

use crate::{
    address::{Address, Place},
    password_file::PasswordFile,
    secret::Secret,
};

/// Who named an address.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// Our own configuration: it is sent whatever we have.
    Configured,
    /// A scraper, by `/scrape?target=`: it is sent what is meant for it.
    Asked,
}

/// Who we are to one server.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Login {
    /// ACL user.
    pub user: Option<String>,
    /// Without one, nothing is sent.
    pub password: Option<Secret>,
}

/// A host that may be sent the default password by `/scrape`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TrustedHost {
    /// A name, `*.example.com`, or `*`.
    pub pattern: String,
    /// Over TLS only: so it is where `--redis.addr` itself is reached by TLS.
    pub tls: bool,
}

/// Files that hold passwords. They are read again before a connection is made.
#[derive(Clone, Debug, Default)]
pub struct PasswordFiles {
    /// `--redis.password-file`.
    pub by_address: Option<PathBuf>,
    /// `--redis.secret-file`.
    pub default: Option<PathBuf>,
}

/// Who we are, and to whom.
#[derive(Debug)]
pub struct Credentials {
    user: Option<String>,
    hosts: Vec<TrustedHost>,
    files: PasswordFiles,
    /// What the files and the flags say at the moment. Replaced as a whole.
    current: Mutex<Arc<Passwords>>,
}

#[derive(Clone, Debug)]
struct Passwords {
    default: Option<Secret>,
    file: PasswordFile,
}

impl Credentials {
    /// Reads the files for the first time. `default` is the password of `--redis.password`.
    ///
    /// # Errors
    ///
    /// A file cannot be used. No password is repeated.
    pub fn new(
        user: Option<String>,
        default: Option<Secret>,
        files: PasswordFiles,
        hosts: Vec<TrustedHost>,
    ) -> anyhow::Result<Self> {
        let passwords = Passwords { default, file: PasswordFile::default() };
        let credentials = Self { user, hosts, files, current: Mutex::new(Arc::new(passwords)) };
        credentials.reload()?;
        Ok(credentials)
    }

    /// Whether there is a file of passwords by address.
    pub const fn has_file(&self) -> bool {
        self.files.by_address.is_some()
    }

    /// Reads the files again. What was in force stays where one cannot be used.
    ///
    /// # Errors
    ///
    /// A file cannot be used. No password is repeated.
    pub fn reload(&self) -> anyhow::Result<()> {
        let mut passwords = Passwords::clone(&self.current());
        if let Some(path) = &self.files.by_address {
            passwords.file = PasswordFile::load(path)?;
        }
        if let Some(path) = &self.files.default {
            passwords.default = read_secret(path)?;
        }
        *self.current.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(passwords);
        Ok(())
    }

    /// Reads the files again before a connection is made, in a thread that may block.
    pub async fn refresh(self: Arc<Self>) {
        if self.files.by_address.is_none() && self.files.default.is_none() {
            return;
        }
        let reading = tokio::task::spawn_blocking(move || {
            if let Err(error) = self.reload() {
                warn!(error = format!("{error:#}"), "kept the passwords that were read before");
            }
        });
        if let Err(error) = reading.await {
            info!(%error, "reading passwords was given up");
        }
    }

    /// Whom to be to `address`.
    pub fn login(&self, address: &Address, origin: Origin) -> Login {
        let passwords = self.current();
        match origin {
            Origin::Configured => self.login_to_own(address, &passwords),
            Origin::Asked => self.login_to_target(address, &passwords),
        }
    }

    /// What stands in the address, else the file, else the flags.
    fn login_to_own(&self, address: &Address, passwords: &Passwords) -> Login {
        let find = |user: Option<&str>| passwords.file.find(address, user).cloned();
        match (&address.user, &address.password) {
            // `redis://exporter@host`: a user where the file knows one of that name, else a
            // password.
            (None, Some(lone)) => match find(Some(lone.expose())) {
                Some(password) => {
                    Login { user: Some(lone.expose().to_owned()), password: Some(password) }
                }
                None => Login { user: self.user.clone(), password: Some(lone.clone()) },
            },
            (user, Some(password)) => {
                Login { user: user.clone(), password: Some(password.clone()) }
            }
            (user, None) => {
                let user = user.clone().or_else(|| self.user.clone());
                let password = find(user.as_deref()).or_else(|| passwords.default.clone());
                Login { user, password }
            }
        }
    }

    /// A password in the address is not used: it would stand in logs.
    fn login_to_target(&self, address: &Address, passwords: &Passwords) -> Login {
        let lone = address.password.as_ref().filter(|_| address.user.is_none());
        let named = address.user.clone().or_else(|| lone.map(|lone| lone.expose().to_owned()));
        let user = named.or_else(|| self.user.clone());
        let default = passwords.default.clone().filter(|_| self.may_have_password(address));
        let password = passwords.file.find(address, user.as_deref()).cloned().or(default);
        Login { user, password }
    }

    fn may_have_password(&self, address: &Address) -> bool {
        let Place::Tcp { host, .. } = &address.place else { return false };
        let trusted =
            |known: &TrustedHost| host_matches(&known.pattern, host) && (address.tls || !known.tls);
        self.hosts.iter().any(trusted)
    }

    fn current(&self) -> Arc<Passwords> {
        Arc::clone(&self.current.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// `*` is every host, `*.example.com` every host below it.
pub fn host_matches(pattern: &str, host: &str) -> bool {
    let (pattern, host) = (pattern.to_ascii_lowercase(), host.to_ascii_lowercase());
    match pattern.strip_prefix('*') {
        Some("") => true,
        Some(suffix) if suffix.starts_with('.') => host.ends_with(suffix),
        _ => pattern == host,
    }
}

/// The first line; an empty file is no password.
fn read_secret(path: &Path) -> anyhow::Result<Option<Secret>> {
    let text = fs::read_to_string(path).map_err(|error| {
        anyhow::anyhow!("cannot read a password from {}: {error}", path.display())
    })?;
    let line = text.lines().next().unwrap_or_default();
    Ok((!line.is_empty()).then(|| Secret::new(line)))
}

#[cfg(test)]
mod tests;
