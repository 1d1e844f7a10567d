//! From `main` to a running exporter: arguments, version, health check, logs, exit codes.

use std::{
    ffi::OsString,
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use clap::{Command, CommandFactory, FromArgMatches};
use tracing::{error, info};

use crate::{
    args::{self, ArgsError, Dialect, LogFormat, LogLevel, WebArgs},
    healthcheck, log, spans,
    telemetry::ExporterInfo,
};

/// The arguments of an exporter, as far as this crate needs to know them.
pub trait ExporterArgs: CommandFactory + FromArgMatches {
    /// Where to serve.
    fn web(&self) -> &WebArgs;
    /// What to log.
    fn log(&self) -> (LogLevel, LogFormat);
}

/// How an exporter starts.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// Its identity.
    pub info: &'static ExporterInfo,
    /// How it reads its command line.
    pub dialect: Dialect,
    /// Environment variables are `<prefix>_<FLAG>`.
    pub env_prefix: &'static str,
    /// Default of `--web.listen-address`, for example `:9102`.
    pub listen_address: &'static str,
    /// Exit code for wrong flags.
    pub usage_exit: u8,
    /// Commands of its own, which `--help` lists: what is typed, and what it does.
    pub commands: &'static [(&'static str, &'static str)],
}

/// What every exporter has besides its flags.
const HEALTHCHECK: (&str, &str) =
    ("healthcheck", "Ask the running exporter whether it is alive; exits 0 or 1");

/// Runs `main` with the arguments of this process, or does what the arguments ask instead.
///
/// Exit codes: 0 after a requested stop, `--help`, `--version` and a good health check; the
/// program's own for wrong flags; 1 for everything else.
pub fn run<A: ExporterArgs, E: fmt::Display>(
    program: &Program,
    main: impl FnOnce(A) -> Result<(), E>,
) -> ExitCode {
    let mut line = args::command_line();
    let healthcheck = line.get(1).is_some_and(|word| word == "healthcheck");
    if healthcheck {
        line.remove(1);
    }
    match parse::<A>(program, line) {
        Ok(args) if healthcheck => check(program, &args),
        Ok(args) => start(program, args, main),
        Err(ArgsError::Help(text)) => print(&text),
        Err(ArgsError::Version) => print(&program.info.version_text()),
        Err(ArgsError::Usage(reason)) => complain(program, &reason, program.usage_exit),
    }
}

/// Reads `line` as [`run`] does.
///
/// # Errors
///
/// What to show or to complain about.
pub fn parse<A: ExporterArgs>(program: &Program, line: Vec<OsString>) -> Result<A, ArgsError> {
    args::parse(program.dialect, program.env_prefix, line, |command| adjust(program, command))
}

fn adjust(program: &Program, command: Command) -> Command {
    let commands = || std::iter::once(&HEALTHCHECK).chain(program.commands);
    let width = commands().map(|(name, _)| name.len()).max().unwrap_or_default();
    let lines = commands().map(|(name, help)| format!("\n  {name:width$}  {help}"));
    let after = format!("Commands:{}", lines.collect::<String>());
    command
        .version(program.info.version)
        .about(program.info.description)
        .after_help(after)
        .mut_arg("web.listen-address", |arg| arg.default_value(program.listen_address))
}

fn start<A: ExporterArgs, E: fmt::Display>(
    program: &Program,
    args: A,
    main: impl FnOnce(A) -> Result<(), E>,
) -> ExitCode {
    let (level, format) = args.log();
    let spans = args.web().tracing_endpoint.clone().map(|to| spans::start(to, program.info));
    let (layer, _sending) = match spans.transpose() {
        Ok(started) => started.unzip(),
        Err(error) => return complain(program, &format!("cannot send traces: {error}"), 1),
    };
    log::init(level, format, layer);
    info!(
        version = program.info.version,
        revision = ExporterInfo::revision(),
        "Starting {}",
        program.info.name
    );
    match main(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!(error = format!("{error:#}"), "exporter stopped");
            ExitCode::FAILURE
        }
    }
}

fn check<A: ExporterArgs>(program: &Program, args: &A) -> ExitCode {
    let web = args.web();
    let address = web.listen_address.first().map_or(program.listen_address, String::as_str);
    match healthcheck::check(address, web.prefix()) {
        Ok(()) => print("ok\n"),
        Err(error) => complain(program, &error.to_string(), 1),
    }
}

fn print(text: &str) -> ExitCode {
    match io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_closed) => ExitCode::FAILURE,
    }
}

fn complain(program: &Program, reason: &str, code: u8) -> ExitCode {
    let line = format!("{}: error: {reason}\n", program.info.name);
    match io::stderr().write_all(line.as_bytes()) {
        Ok(()) => ExitCode::from(code),
        Err(_closed) => ExitCode::FAILURE,
    }
}
