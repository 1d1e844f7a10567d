//! Flags over environment over settings file over defaults.

use std::{any::TypeId, ffi::OsString, path::Path};

use clap::{Command, CommandFactory, FromArgMatches, error::ErrorKind};
use config::{Config, File, FileFormat, Value, ValueKind};
use thiserror::Error;

use super::Dialect;

/// Why there are no arguments to run with.
#[derive(Debug, Error)]
pub enum ArgsError {
    /// `--help`: text for standard output, and success.
    #[error("{0}")]
    Help(String),
    /// `--version`: the caller knows what to print.
    #[error("version")]
    Version,
    /// Wrong usage: one line for standard error.
    #[error("{0}")]
    Usage(String),
}

/// Reads `line` (program name first) into `A`: flags, then environment variables
/// `<prefix>_<FLAG>`, then `--settings.file`, then defaults.
///
/// `adjust` changes the command before it is used, for example to set a default address.
///
/// # Errors
///
/// What to show or to complain about; see [`ArgsError`].
pub fn parse<A: CommandFactory + FromArgMatches>(
    dialect: Dialect,
    prefix: &str,
    line: Vec<OsString>,
    adjust: impl FnOnce(Command) -> Command,
) -> Result<A, ArgsError> {
    let command = with_environment(adjust(with_booleans(A::command())), prefix);
    let line = dialect.translate(line, &command).map_err(ArgsError::Usage)?;
    let command = match settings_path(&command, &line) {
        Some(path) => with_settings(command, Path::new(&path)).map_err(ArgsError::Usage)?,
        None => command,
    };
    let matches = command.try_get_matches_from(line).map_err(|error| shorten(&error))?;
    A::from_arg_matches(&matches).map_err(|error| shorten(&error))
}

/// A flag with a boolean means true where it stands alone, and takes another value behind `=` only, as
/// both dialects have it.
fn with_booleans(command: Command) -> Command {
    command.mut_args(|arg| {
        let boolean = arg.get_value_parser().type_id() == TypeId::of::<bool>();
        if boolean && arg.get_action().takes_values() {
            arg.num_args(0..=1).require_equals(true).default_missing_value("true")
        } else {
            arg
        }
    })
}

/// Gives each flag which has no environment variable yet the one derived from its name.
fn with_environment(command: Command, prefix: &str) -> Command {
    command.mut_args(|arg| match (arg.get_long(), arg.get_env()) {
        (Some(long), None) if arg.get_action().takes_values() => {
            let name = long.replace(['.', '-'], "_").to_ascii_uppercase();
            arg.env(format!("{prefix}_{name}"))
        }
        _ => arg,
    })
}

/// What the command line or the environment says of `--settings.file`, everything else ignored.
fn settings_path(command: &Command, line: &[OsString]) -> Option<String> {
    let command = command.clone().ignore_errors(true);
    let matches = command.try_get_matches_from(line).ok()?;
    let path = matches.try_get_one::<std::path::PathBuf>("settings.file").ok()??;
    Some(path.to_str()?.to_owned())
}

/// Makes the values of a settings file the defaults of the flags with these names.
fn with_settings(mut command: Command, path: &Path) -> Result<Command, String> {
    let format = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => FileFormat::Toml,
        _ => FileFormat::Yaml,
    };
    let text = std::fs::read_to_string(path)
        .map_err(|error| format!("cannot read settings from {}: {error}", path.display()))?;
    let settings: Value = Config::builder()
        .add_source(File::from_str(&text, format))
        .build()
        .and_then(Config::try_deserialize)
        .map_err(|error| format!("cannot read settings from {}: {error}", path.display()))?;
    let mut values = Vec::new();
    flatten("", settings, &mut values);
    values.sort();
    for (name, values) in values {
        let known = command.get_arguments().find(|arg| arg.get_long() == Some(name.as_str()));
        let Some(id) = known.map(|arg| arg.get_id().clone()).filter(|id| id != "settings.file")
        else {
            return Err(format!("unknown setting {name} in {}", path.display()));
        };
        command = command.mut_arg(id, |arg| arg.default_values(values));
    }
    Ok(command)
}

/// `{web: {max-requests: 3}}` and `{"web.max-requests": 3}` are the same setting.
fn flatten(prefix: &str, value: Value, out: &mut Vec<(String, Vec<String>)>) {
    match value.kind {
        ValueKind::Table(table) =>
        {
            #[expect(clippy::iter_over_hash_type, reason = "sorted by the caller")]
            for (name, value) in table {
                let name = if prefix.is_empty() { name } else { format!("{prefix}.{name}") };
                flatten(&name, value, out);
            }
        }
        ValueKind::Array(values) => {
            out.push((
                prefix.to_owned(),
                values.into_iter().map(|value| value.to_string()).collect(),
            ));
        }
        other => out.push((prefix.to_owned(), vec![other.to_string()])),
    }
}

/// clap explains over several lines; an operator's log wants one.
fn shorten(error: &clap::Error) -> ArgsError {
    let text = error.render().to_string();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            ArgsError::Help(text)
        }
        ErrorKind::DisplayVersion => ArgsError::Version,
        _ => {
            let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ");
            ArgsError::Usage(format!("{first}, try --help"))
        }
    }
}
