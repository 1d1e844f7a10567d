//! Which servers to watch: `DATA_SOURCE_NAME`, or `DATA_SOURCE_{URI,USER,PASS}` and their `_FILE`s.

use std::{fs, io, path::PathBuf};

use thiserror::Error;

use crate::dsn::{Dsn, DsnError, Lookup, Secret};

/// Why the environment does not say what to watch.
#[derive(Debug, Error)]
pub enum SourceError {
    /// The text of a variable is no data source.
    #[error("{variable} is not a valid data source: {error}")]
    Invalid {
        /// The variable's name.
        variable: &'static str,
        /// What is wrong.
        error: DsnError,
    },
    /// A file named by a variable cannot be read.
    #[error("cannot read the file named by {variable}: {error}")]
    File {
        /// The variable's name.
        variable: String,
        /// What the system says.
        error: io::Error,
    },
}

/// Reads the data sources from `environment`; none is not an error.
///
/// `DATA_SOURCE_NAME` wins over everything else and may hold several, separated by commas.
/// `DATA_SOURCE_PASS_COMMAND` prints the password at each login.
///
/// # Errors
///
/// See [`SourceError`].
pub fn from_environment(environment: Lookup<'_>) -> Result<Vec<Dsn>, SourceError> {
    if let Some(names) = environment("DATA_SOURCE_NAME").filter(|text| !text.trim().is_empty()) {
        let invalid = |error| SourceError::Invalid { variable: "DATA_SOURCE_NAME", error };
        let command = password_command(environment);
        return split(&names)
            .into_iter()
            .map(|text| {
                let mut dsn = Dsn::parse(text, environment).map_err(invalid)?;
                // For those which say nothing themselves.
                let without = dsn.password.is_none();
                dsn.lookups.password_command = command.clone().filter(|_| without);
                Ok(dsn)
            })
            .collect();
    }
    let Some(uri) = value(environment, "DATA_SOURCE_URI")?.filter(|uri| !uri.is_empty()) else {
        return Ok(Vec::new());
    };
    let user = value(environment, "DATA_SOURCE_USER")?;
    let password = value(environment, "DATA_SOURCE_PASS")?;
    let text = match uri.split_once("://") {
        Some(("postgres" | "postgresql", _)) => uri,
        _ => format!("postgresql://{uri}"),
    };
    let dsn = Dsn::parse(&text, environment)
        .map_err(|error| SourceError::Invalid { variable: "DATA_SOURCE_URI", error })?;
    let mut dsn = dsn.with_login(user, password.map(Secret::new));
    // Both were read just now, so that what cannot be read ends the start, and are read again at
    // each login.
    dsn.lookups.user_file = file(environment, "DATA_SOURCE_USER");
    dsn.lookups.password_file = file(environment, "DATA_SOURCE_PASS");
    dsn.lookups.password_command = password_command(environment);
    Ok(vec![dsn])
}

/// `DATA_SOURCE_PASS_COMMAND`.
fn password_command(environment: Lookup<'_>) -> Option<String> {
    environment("DATA_SOURCE_PASS_COMMAND").filter(|command| !command.trim().is_empty())
}

fn file(environment: Lookup<'_>, name: &str) -> Option<PathBuf> {
    let path = environment(&format!("{name}_FILE")).filter(|path| !path.is_empty());
    path.map(PathBuf::from)
}

/// The contents of the file that `<name>_FILE` names, without blanks around it, else `<name>`.
fn value(environment: Lookup<'_>, name: &str) -> Result<Option<String>, SourceError> {
    let variable = format!("{name}_FILE");
    match environment(&variable).filter(|path| !path.is_empty()) {
        Some(path) => match fs::read_to_string(path) {
            Ok(text) => Ok(Some(text.trim().to_owned())),
            Err(error) => Err(SourceError::File { variable, error }),
        },
        None => Ok(environment(name)),
    }
}

/// Cuts at the commas behind which another data source begins. `postgres_exporter` cuts at every
/// comma, so that a password with one breaks; what it accepts is cut the same way here.
fn split(names: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut start = 0;
    for (comma, _) in names.match_indices(',') {
        let (Some(part), Some(rest)) = (names.get(start..comma), names.get(comma + 1..)) else {
            continue;
        };
        if begins_source(rest) {
            parts.push(part.trim());
            start = comma + 1;
        }
    }
    parts.push(names.get(start..).unwrap_or_default().trim());
    parts.retain(|part| !part.is_empty());
    parts
}

fn begins_source(text: &str) -> bool {
    let text = text.trim_start();
    let key_end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let is_key = key_end.is_some_and(|end| {
        end > 0 && text.get(end..).is_some_and(|rest| rest.trim_start().starts_with('='))
    });
    text.is_empty()
        || text.starts_with("postgres://")
        || text.starts_with("postgresql://")
        || is_key
}

#[cfg(test)]
mod tests;
