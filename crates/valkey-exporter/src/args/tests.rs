use std::{collections::BTreeMap, ffi::OsString};

use clap::CommandFactory as _;
use metrics_server::{
    args::{ArgsError, LogFormat, LogLevel},
    cli::{self, ExporterArgs as _},
};

use super::{Args, go_bool};

fn read(words: &[&str]) -> Result<Args, ArgsError> {
    let line = std::iter::once("redis_exporter").chain(words.iter().copied());
    cli::parse(&crate::PROGRAM, line.map(OsString::from).collect())
}

#[test]
fn defaults_are_those_of_redis_exporter() {
    let flags = read(&[]).expect("no flags are fine").flags;
    assert_eq!(flags.redis_addr, "redis://localhost:6379");
    assert_eq!(flags.namespace, "redis");
    assert_eq!(flags.config_command, "CONFIG");
    assert_eq!(flags.connection_timeout, "15s");
    assert_eq!(flags.web.listen_address, [":9121"]);
    assert_eq!(flags.web.telemetry_path, "/metrics");
    assert!(flags.set_client_name && flags.redact_config_metrics);
    assert!(flags.include_metrics_for_empty_databases);
    assert!(!flags.debug && !flags.ping_on_connect && !flags.redis_only_metrics);
    assert_eq!(flags.later.used(), Vec::<&str>::new());
}

/// Flag and environment variable; the two `web.` ones are derived from their names.
const UPSTREAM: &str = include_str!("flags.txt");

#[test]
fn every_flag_and_variable_of_redis_exporter_is_there() {
    let command = Args::command();
    let ours: BTreeMap<_, _> = command
        .get_arguments()
        .filter_map(|arg| {
            let variable = arg.get_env().map(|name| name.to_string_lossy().into_owned());
            Some((arg.get_long()?.to_owned(), variable.unwrap_or_default()))
        })
        .collect();
    let lines = UPSTREAM.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    let mut count = 0;
    for (flag, variable) in lines {
        count += 1;
        let known = ours.get(flag).unwrap_or_else(|| panic!("there is no --{flag}"));
        if !flag.starts_with("web.") {
            assert_eq!(known, variable, "--{flag}");
        }
    }
    assert_eq!(count, 59);
}

#[test]
fn the_command_line_is_read_as_go_reads_it() {
    let flags = read(&["-redis.addr", "a", "--redis.addr=b", "-debug", "--set-client-name=F"]);
    let flags = flags.expect("valid").flags;
    assert_eq!(flags.redis_addr, "b", "the last one wins");
    assert!(flags.debug && !flags.set_client_name);

    let flags =
        read(&["--redis.addr=", "--debug", "false", "--no-such-flag"]).expect("valid").flags;
    assert_eq!(flags.redis_addr, "", "multi-target mode");
    assert!(flags.debug, "a boolean takes no word behind it");
    assert_eq!(flags.rest, ["false", "--no-such-flag"], "reading ends there");

    assert!(matches!(read(&["--no-such-flag"]), Err(ArgsError::Usage(_))));
    assert!(matches!(read(&["--check-keys-batch-size=x"]), Err(ArgsError::Usage(_))));
    assert!(matches!(read(&["-version"]), Err(ArgsError::Version)));
    assert!(matches!(read(&["-h"]), Err(ArgsError::Help(_))));
}

#[test]
fn booleans_are_gos() {
    for text in ["1", "t", "T", "TRUE", "true", "True"] {
        assert_eq!(go_bool(text), Ok(true));
    }
    for text in ["0", "f", "F", "FALSE", "false", "False"] {
        assert_eq!(go_bool(text), Ok(false));
    }
    for text in ["", "yes", "tRUE", "2"] {
        assert!(go_bool(text).is_err());
    }
}

#[test]
fn logs_are_set_by_the_words_of_redis_exporter() {
    for (words, expected) in [
        (&[][..], (LogLevel::Info, LogFormat::Logfmt)),
        (&["--log-level=DEBUG", "--log-format=json"], (LogLevel::Debug, LogFormat::Json)),
        (&["--log-level=warning"], (LogLevel::Warn, LogFormat::Logfmt)),
        (&["--log-level=error", "--debug"], (LogLevel::Debug, LogFormat::Logfmt)),
        (&["--log-level=loud", "--log-format=txt"], (LogLevel::Info, LogFormat::Logfmt)),
    ] {
        assert_eq!(read(words).expect("valid").log(), expected, "{words:?}");
    }
}

#[test]
fn flags_which_do_nothing_yet_are_known_by_name() {
    let flags = read(&["--check-keys=a", "--include-go-runtime-metrics"]);
    let used = flags.expect("valid").flags.later.used();
    assert_eq!(used, ["include-go-runtime-metrics"]);
}

#[test]
fn no_password_is_printed_with_the_arguments() {
    let args = read(&["--redis.password=s3cret", "--basic-auth-password=s3cret"]).expect("valid");
    let text = format!("{args:?}");
    assert!(!text.contains("s3cret"), "{text}");
}
