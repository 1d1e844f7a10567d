//! Names and passwords which are looked up anew at each login: in files, from a command, in
//! `.pgpass`. So a password that was changed is taken without a restart.

use std::{fmt, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio};

use thiserror::Error;
use tokio::process::Command;
use tracing::warn;

use crate::dsn::{Dsn, Secret};

/// Bytes of a password, at most: a file which is none is not read into memory.
const PASSWORD_BYTES_MAX: u64 = 64 * 1024;

/// Where to look at each login. What is found wins over what the data source says, but for
/// `passfile`, which is for data sources without a password.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Lookups {
    /// A file with the role's name.
    pub user_file: Option<PathBuf>,
    /// A file with the password.
    pub password_file: Option<PathBuf>,
    /// A command of the shell which prints the password.
    pub password_command: Option<String>,
    /// `passfile`, else `.pgpass`.
    pub passfile: Option<PathBuf>,
}

/// What one login is made with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Login {
    /// The role.
    pub user: String,
    /// Its password, where there is one.
    pub password: Option<Secret>,
}

/// Why there is no login. No secret is told, nor what a command printed.
#[derive(Clone, Debug, Eq, Error, PartialEq)]
pub enum CredentialsError {
    /// A file cannot be read.
    #[error("cannot read {0}: {1}")]
    File(PathBuf, String),
    /// The command failed.
    #[error("the password command {0}")]
    Command(String),
}

impl Dsn {
    /// Role and password for a login now.
    ///
    /// # Errors
    ///
    /// See [`CredentialsError`]; the caller bounds the time.
    pub async fn login(&self) -> Result<Login, CredentialsError> {
        let lookups = &self.lookups;
        let mut login = Login { user: self.user.clone(), password: self.password.clone() };
        if let Some(path) = &lookups.user_file {
            login.user = read(path).await?;
        }
        if let Some(path) = &lookups.password_file {
            login.password = Some(Secret::new(read(path).await?));
        } else if let Some(command) = &lookups.password_command {
            login.password = Some(Secret::new(run(command).await?));
        } else if let (None, Some(path)) = (&login.password, &lookups.passfile) {
            login.password = self.find_in_passfile(path, &login.user).await;
        }
        Ok(login)
    }

    /// A file that is not there is no error, and one that others may read is not used, as in libpq.
    async fn find_in_passfile(&self, path: &PathBuf, user: &str) -> Option<Secret> {
        let mode = tokio::fs::metadata(path).await.ok()?.permissions().mode();
        if mode & 0o077 != 0 {
            warn!(file = %path.display(), "others may read the password file, it is not used");
            return None;
        }
        let text = read(path).await.ok()?;
        let socket = self.is_socket();
        let host = if socket { "localhost" } else { self.host.as_str() };
        find(&text, [host, &self.port.to_string(), &self.database, user]).map(Secret::new)
    }
}

/// The contents of a file, without blanks around it.
async fn read(path: &PathBuf) -> Result<String, CredentialsError> {
    let failed = |error: &dyn fmt::Display| CredentialsError::File(path.clone(), error.to_string());
    let size = tokio::fs::metadata(path).await.map_err(|error| failed(&error))?.len();
    if size > PASSWORD_BYTES_MAX {
        return Err(failed(&"it is too large"));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(|error| failed(&error))?;
    Ok(text.trim().to_owned())
}

/// The first line that a command prints. It ends with us.
async fn run(command: &str) -> Result<String, CredentialsError> {
    let failed = |text: String| CredentialsError::Command(text);
    let output = Command::new("sh")
        .args(["-c", command])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| failed(format!("cannot run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("ended with {}", output.status)));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    match text.lines().next().map(str::trim).filter(|line| !line.is_empty()) {
        Some(line) => Ok(line.to_owned()),
        None => Err(failed("printed nothing".to_owned())),
    }
}

/// The password of the first line of `host:port:database:role:password` that fits.
fn find(text: &str, wanted: [&str; 4]) -> Option<String> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let mut fields = fields(line);
        let fits = wanted.iter().all(|wanted| {
            fields.next().is_some_and(|(field, plain)| (plain && field == "*") || field == *wanted)
        });
        let password = fields.next().map(|(field, _)| field);
        if fits { password } else { None }
    })
}

/// The fields of a line without their escapes, and whether they had none. The last one goes on to
/// the end of the line.
fn fields(line: &str) -> impl Iterator<Item = (String, bool)> {
    let mut fields = vec![(String::new(), true)];
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        let count = fields.len();
        let Some((field, plain)) = fields.last_mut() else { break };
        match character {
            '\\' => {
                *plain = false;
                field.extend(characters.next());
            }
            ':' if count < 5 => fields.push((String::new(), true)),
            other => field.push(other),
        }
    }
    fields.into_iter()
}

#[cfg(test)]
mod tests;
