use std::{ffi::OsString, time::Duration};

use clap::Parser;
use proptest::prelude::*;

use super::{ArgsError, Dialect, LogArgs, LogFormat, SettingsArgs, WebArgs, parse, parse_duration};

#[derive(Debug, Parser)]
#[command(name = "x-exporter", version = "1.2.3")]
struct Example {
    #[command(flatten)]
    web: WebArgs,
    #[command(flatten)]
    log: LogArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

fn read(dialect: Dialect, words: &[&str]) -> Result<Example, ArgsError> {
    let line = std::iter::once("x-exporter").chain(words.iter().copied());
    let line = line.map(OsString::from).collect();
    parse(dialect, "ARGS_TEST", line, |command| {
        command.mut_arg("web.listen-address", |arg| arg.default_value(":9999"))
    })
}

fn usage(dialect: Dialect, words: &[&str]) -> String {
    match read(dialect, words) {
        Err(ArgsError::Usage(line)) => line,
        other => panic!("expected wrong usage, got {other:?}"),
    }
}

#[test]
fn defaults_are_the_exporters() {
    let args = read(Dialect::Kingpin, &[]).expect("no arguments are fine");
    assert_eq!(args.web.listen_address, [":9999"]);
    assert_eq!(args.web.telemetry_path, "/metrics");
    assert_eq!(args.web.scrape_timeout, Duration::from_secs(9));
    assert!(!args.web.fail_when_down);
}

#[test]
fn both_dialects_switch_booleans() {
    for (dialect, words, expected) in [
        (Dialect::Kingpin, &["--web.fail-when-down"][..], true),
        (Dialect::Kingpin, &["--web.fail-when-down", "--no-web.fail-when-down"][..1], true),
        (Dialect::Kingpin, &["--no-web.fail-when-down"][..], false),
        (Dialect::Go, &["-web.fail-when-down"][..], true),
        (Dialect::Go, &["--web.fail-when-down=true"][..], true),
        (Dialect::Go, &["-web.fail-when-down=false"][..], false),
    ] {
        let args = read(dialect, words).expect("valid");
        assert_eq!(args.web.fail_when_down, expected, "{words:?}");
    }
}

#[test]
fn values_may_stand_apart() {
    let args = read(Dialect::Go, &["-web.telemetry-path", "/m", "--log.format=json"]);
    let args = args.expect("valid");
    assert_eq!(args.web.telemetry_path, "/m");
    assert_eq!(args.log.format, LogFormat::Json);
}

#[test]
fn wrong_usage_is_one_line() {
    assert_eq!(
        usage(Dialect::Kingpin, &["--unheard-of"]),
        "unexpected argument '--unheard-of' found, try --help"
    );
    assert!(
        usage(Dialect::Kingpin, &["--web.max-requests=many"]).starts_with("invalid value 'many'")
    );
    assert!(usage(Dialect::Kingpin, &["--web.telemetry-path=metrics"]).contains("begins with /"));
    assert!(usage(Dialect::Kingpin, &["@/nowhere/at/all"]).contains("cannot read arguments"));
}

#[test]
fn version_and_help_are_not_errors_of_usage() {
    assert!(matches!(read(Dialect::Kingpin, &["--version"]), Err(ArgsError::Version)));
    let help = read(Dialect::Go, &["--help"]);
    assert!(matches!(help, Err(ArgsError::Help(text)) if text.contains("--web.listen-address")));
}

#[test]
fn a_settings_file_is_below_flags() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("settings.yml");
    std::fs::write(
        &file,
        "web:\n  max-requests: 3\n  listen-address: ['[::1]:1', ':2']\nlog.level: warn\nweb.fail-when-down: true\n",
    )
    .expect("written");
    let flag = format!("--settings.file={}", file.display());

    let args = read(Dialect::Kingpin, &[&flag, "--log.level=error"]).expect("valid");
    assert_eq!(args.web.max_requests, 3);
    assert_eq!(args.web.listen_address, ["[::1]:1", ":2"]);
    assert!(args.web.fail_when_down);
    assert_eq!(args.log.level, super::LogLevel::Error);

    std::fs::write(&file, "web.unheard-of: 3\n").expect("written");
    assert!(usage(Dialect::Kingpin, &[&flag]).starts_with("unknown setting web.unheard-of in "));
    std::fs::write(&file, "web: [\n").expect("written");
    assert!(usage(Dialect::Kingpin, &[&flag]).starts_with("cannot read settings from "));
}

#[test]
fn a_kingpin_file_holds_more_arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("args");
    std::fs::write(&file, "# comment\n--web.max-requests=7\n--no-web.enable-openmetrics\n")
        .expect("written");
    let args = read(Dialect::Kingpin, &[&format!("@{}", file.display())]).expect("valid");
    assert_eq!(args.web.max_requests, 7);

    std::fs::write(&file, format!("@{}\n", file.display())).expect("written");
    assert!(usage(Dialect::Kingpin, &[&format!("@{}", file.display())]).contains("each other"));
}

#[test]
fn a_prefix_is_given_or_taken_from_the_external_url() {
    for (words, prefix, external) in [
        (&[][..], "", ""),
        (&["--web.route-prefix=/"][..], "", ""),
        (&["--web.route-prefix=a/b/"][..], "/a/b", ""),
        (&["--web.external-url=https://example.org"][..], "", ""),
        (&["--web.external-url=https://example.org:8443/x/y/"][..], "/x/y", "/x/y"),
        (&["--web.external-url=/x"][..], "/x", "/x"),
        (&["--web.external-url=http://[::1]/x", "--web.route-prefix=/"][..], "", "/x"),
        (&["--web.external-url="][..], "", ""),
    ] {
        let args = read(Dialect::Kingpin, words).expect("valid");
        assert_eq!((args.web.prefix(), args.web.external_path()), (prefix, external), "{words:?}");
    }
    for word in [
        "--web.external-url=example.org",
        "--web.external-url=https:///x",
        "--web.external-url=https://example.org/\"x",
        "--web.external-url=https://example.org/x?y",
        "--web.route-prefix=/a b",
        "--web.max-header-bytes=8191",
        "--web.max-connections=0",
    ] {
        assert!(usage(Dialect::Kingpin, &[word]).starts_with("invalid value"), "{word}");
    }
}

#[test]
fn durations_are_written_as_in_go() {
    for (text, expected) in [
        ("0", Some(Duration::ZERO)),
        ("250ms", Some(Duration::from_millis(250))),
        ("1m30s", Some(Duration::from_secs(90))),
        ("1.5h", Some(Duration::from_mins(90))),
        ("1d", Some(Duration::from_hours(24))),
        ("", None),
        ("5", None),
        ("s", None),
        ("1x", None),
        ("1e3s", None),
        ("99999999999999999999999w", None),
    ] {
        assert_eq!(parse_duration(text).ok(), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn property_no_duration_panics(text: String) {
        let _read = parse_duration(&text);
    }
}
