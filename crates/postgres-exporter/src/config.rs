//! `--config.file`: login data for the servers that `/probe` is asked for, as modules.
//!
//! The format is that of `postgres_exporter`, and three keys more: `password_file` and
//! `password_command` beside `password`, and for each module `targets` and `sslmode_min`, which say
//! where its password may go.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::Error as _};
use serde_yaml_ng::Value;
use thiserror::Error;

use crate::{
    databases::Glob,
    dsn::{Secret, SslMode, parse_mode},
};

/// Why a file cannot be used. Nothing of its values is told.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// It cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// It is not what is expected.
    #[error("cannot use {}: {reason}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where, and what is wrong.
        reason: String,
    },
}

impl ConfigError {
    /// Whether there is no such file.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Read { error, .. } if error.kind() == io::ErrorKind::NotFound)
    }
}

/// All modules, by name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    #[serde(default)]
    auth_modules: BTreeMap<String, Module>,
}

/// Login data, and where it may be sent.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Module {
    /// `userpass` is the only one there is, and nothing depends on it.
    #[serde(default, rename = "type")]
    pub kind: String,
    /// Role and password.
    #[serde(default)]
    pub userpass: UserPass,
    /// Keys of a data source, which win over the target's.
    #[serde(default, deserialize_with = "texts")]
    pub options: BTreeMap<String, String>,
    /// Hosts, or `host:port`, where this login may be used; empty for all.
    #[serde(default, deserialize_with = "globs")]
    pub targets: Vec<Glob>,
    /// The least protection of a connection that this login is used on.
    #[serde(default, deserialize_with = "mode")]
    pub sslmode_min: Option<SslMode>,
}

/// Role and password.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserPass {
    /// The role.
    #[serde(default, deserialize_with = "text")]
    pub username: String,
    /// Its password.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<Secret>,
    /// A file with it, read at each login.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// A command which prints it, run at each login.
    #[serde(default)]
    pub password_command: Option<String>,
}

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    ///
    /// See [`ConfigError`].
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = fs::read_to_string(path)
            .map_err(|error| ConfigError::Read { path: path.to_owned(), error })?;
        let parse = |reason| ConfigError::Parse { path: path.to_owned(), reason };
        Self::parse(&text).map_err(parse)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    ///
    /// A sentence with the place; no value is repeated.
    pub fn parse(text: &str) -> Result<Self, String> {
        // An empty document is no mapping, and means nothing.
        serde_yaml_ng::from_str::<Option<Self>>(text).map(Option::unwrap_or_default).map_err(
            |error| {
                let place = error.location().map_or_else(String::new, |location| {
                    format!("line {}, column {}: ", location.line(), location.column())
                });
                let message = error.to_string();
                // Other messages quote the value.
                let field = message.find("unknown field").and_then(|at| message.get(at..));
                let field = field.and_then(|text| text.split(" at line").next());
                format!("{place}{}", field.unwrap_or("not the expected form"))
            },
        )
    }

    /// A module by its name.
    pub fn module(&self, name: &str) -> Option<&Module> {
        self.auth_modules.get(name)
    }

    /// Whether there is no module.
    pub fn is_empty(&self) -> bool {
        self.auth_modules.is_empty()
    }

    /// Modules whose password may go to any host.
    pub fn unbound(&self) -> impl Iterator<Item = &str> {
        let modules = self.auth_modules.iter();
        modules.filter(|(_, module)| module.targets.is_empty()).map(|(name, _)| name.as_str())
    }
}

/// A text, also where YAML sees a number or a boolean.
fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(boolean) => Some(boolean.to_string()),
        Value::Null => Some(String::new()),
        _ => None,
    }
}

fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    scalar(Value::deserialize(deserializer)?).ok_or_else(|| D::Error::custom("expected a text"))
}

fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Secret>, D::Error> {
    Ok(Some(text(deserializer)?).filter(|text| !text.is_empty()).map(Secret::new))
}

fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    let values = Option::<BTreeMap<String, Value>>::deserialize(deserializer)?.unwrap_or_default();
    let pairs = values.into_iter().map(|(key, value)| Some((key, scalar(value)?)));
    pairs.collect::<Option<_>>().ok_or_else(|| D::Error::custom("expected texts"))
}

fn globs<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Glob>, D::Error> {
    Ok(Vec::<String>::deserialize(deserializer)?.into_iter().map(Glob::new).collect())
}

fn mode<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SslMode>, D::Error> {
    let text = text(deserializer)?;
    parse_mode(text).map(Some).map_err(D::Error::custom)
}

#[cfg(test)]
mod tests;
