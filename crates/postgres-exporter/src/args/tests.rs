//! Tests of the command line.

use std::time::Duration;

use metrics_server::{args::ArgsError, cli};

use super::Args;
use crate::{PROGRAM, prefix::Prefix};

fn parse(words: &[&str]) -> Result<Args, String> {
    let line = std::iter::once("postgres-exporter").chain(words.iter().copied());
    cli::parse(&PROGRAM, line.map(Into::into).collect()).map_err(|error| match error {
        ArgsError::Usage(text) => text,
        other => format!("{other:?}"),
    })
}

#[test]
fn defaults_are_those_of_postgres_exporter() {
    let args = parse(&[]).unwrap();
    assert_eq!(args.web.listen_address, [":9187"]);
    assert_eq!(args.web.telemetry_path, "/metrics");
    assert_eq!(args.server.collection_timeout, Duration::from_mins(1));
    assert!(args.choice().is_enabled("settings"));
    assert_eq!(args.reading().metric_prefix, Prefix::default());
}

#[test]
fn the_tag_of_probed_servers_is_not_for_others() {
    assert_eq!(parse(&["--queries.tag=big"]).unwrap().queries.tags, ["big"]);
    let reason = parse(&["--queries.tag=probe"]).unwrap_err();
    assert!(reason.contains("servers that /probe asks have this tag"), "{reason}");
}

#[test]
fn every_flag_of_postgres_exporter_is_taken() {
    let args = parse(&[
        "--config.file=x.yml",
        "--web.listen-address=127.0.0.1:1",
        "--web.listen-address",
        "127.0.0.1:2",
        "--no-web.systemd-socket",
        "--web.config.file",
        "web.yml",
        "--web.telemetry-path=/m",
        "--disable-default-metrics",
        "--disable-settings-metrics",
        "--auto-discover-databases",
        "--extend.query-path=/etc/config.yaml",
        "--dumpmaps",
        "--constantLabels=a=b",
        "--exclude-databases",
        "rdsadmin, cloudsqladmin",
        "--include-databases=x",
        "--metric-prefix=acme",
        "--collection-timeout=30s",
        "--no-collector.locks",
        "--collector.stat_statements",
        "--no-collector.wal",
        "--collector.stat_statements.include_query",
        "--collector.stat_statements.query_length=100",
        "--collector.stat_statements.limit=10",
        "--collector.stat_statements.exclude_databases=a",
        "--collector.stat_statements.exclude_users=b",
        "--log.level=debug",
        "--log.format=json",
    ])
    .unwrap();
    assert!(!args.choice().is_enabled("locks"));
    assert!(!args.choice().is_enabled("settings"), "--disable-settings-metrics");
    assert!(args.choice().is_enabled("stat_statements") && !args.choice().is_enabled("wal"));
    let statements = args.reading().statements;
    assert!(statements.include_query && statements.limit == 10 && statements.query_length == 100);
    assert_eq!(statements.exclude_databases, ["a"]);
    assert_eq!(statements.exclude_users, ["b"]);
    let databases = args.reading().databases;
    assert!(databases.discover && databases.excludes("rdsadmin") && databases.takes("x"));
    assert!(args.legacy.dumpmaps);
    assert_eq!(args.reading().metric_prefix.apply("pg_x"), "acme_x");
    assert_eq!(args.paths().prefix.apply("pg_x"), "acme_x");
}

#[test]
fn wrong_flags_are_one_line() {
    for (words, begin) in [
        (vec!["--bogus"], "unexpected argument '--bogus' found"),
        (vec!["--collection-timeout=0"], "invalid value '0' for '--collection-timeout"),
        (vec!["--log.level=loud"], "invalid value 'loud' for '--log.level"),
        (vec!["--collector.locks", "--no-collector.locks"], "the argument '--collector.locks"),
        (vec!["--max-connections=1"], "invalid value '1' for '--max-connections"),
    ] {
        let error = parse(&words).unwrap_err();
        assert!(error.starts_with(begin), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
}

#[test]
fn constant_labels_are_pairs() {
    let labels = |text: &str| {
        parse(&[&format!("--constantLabels={text}")]).unwrap().legacy.constant_labels()
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(labels("a=b, c = d"), [pair("a", "b"), pair("c", "d")]);
    assert_eq!(labels("a=b,c,=d,e=,0x=1,"), [pair("a", "b")]);
    assert_eq!(labels(""), []);
}

#[test]
fn profiles_have_the_collectors_of_their_versions() {
    let on = |words: &[&str], name: &str| parse(words).unwrap().choice().is_enabled(name);
    assert!(on(&[], "replication_slots") && !on(&[], "replication_slot"));
    assert!(!on(&["--no-collector.replication_slot"], "replication_slots"));
    assert!(!on(&["--no-collector.replication_slots"], "replication_slots"));
    assert!(on(&["--disable-default-metrics"], "stat_activity"));
    let old = "--compat=0.19";
    assert!(on(&[old], "replication_slots") && on(&[old], "replication_slot"));
    assert!(!on(&[old, "--disable-default-metrics"], "stat_activity"));
    assert!(on(&[old, "--disable-default-metrics"], "replication_slot"));
    assert!(!on(&[old, "--disable-settings-metrics"], "settings"));
}
