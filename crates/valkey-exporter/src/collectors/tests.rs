use std::time::{Duration, SystemTime};

use expect_test::{ExpectFile, expect_file};
use metrics_server::{Format, Page};
use proptest::prelude::*;
use redis::Value;

use super::{Snapshot, write};
use crate::{
    app::Options,
    args::Args,
    command::{Answers, Command},
    facts::{Facts, commandlog_probe},
    info::{self, Info},
    limits::Limit,
    out::Out,
};

fn options(flags: &[&str]) -> Options {
    let line = std::iter::once("redis_exporter").chain(flags.iter().copied());
    let line = line.map(Into::into).collect();
    let args: Args = metrics_server::cli::parse(&crate::PROGRAM, line).expect("valid flags");
    Options::new(&args.flags).expect("valid flags")
}

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

/// What a server of every kind says beside `INFO`.
fn answers() -> Answers {
    let mut answers = Answers::default();
    let config = ["maxmemory", "67108864", "maxclients", "10000", "databases", "2"];
    let histogram = list([
        bulk("calls"),
        Value::Int(4),
        bulk("histogram_usec"),
        list([Value::Int(1), Value::Int(1), Value::Int(8), Value::Int(4)]),
    ]);
    let event = list([bulk("command")].into_iter().chain([7, 12, 30, 42, 2].map(Value::Int)));
    let slow = list([Value::Int(3), Value::Int(1_700_000_000), Value::Int(10_250), list([])]);
    for (command, answer) in [
        (super::config_named(&options(&[])), list(config.map(bulk))),
        (Command::new("SLOWLOG LEN"), Value::Int(4)),
        (Command::new("SLOWLOG GET 1"), list([slow])),
        (Command::new("LATENCY LATEST"), list([event])),
        (Command::new("LATENCY HISTOGRAM"), list([bulk("lpush"), histogram])),
    ] {
        answers.insert(command, Ok(answer));
    }
    answers
}

fn page(text: &str, answers: &Answers, options: &Options) -> String {
    let info = Info::parse(text);
    let mut facts = Facts::default();
    facts.learn(answers, Some(&info), &super::config_named(options));
    let mut page = Page::new();
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let role = info.get("role").unwrap_or_default();
    let mut out = Out::of(&mut page, options, options.role(role));
    write(&Snapshot { info: &info, answers, options, facts: &facts, now }, &mut out);
    page.into_text(Format::Text)
}

fn check(capture: &str, expected: &ExpectFile) {
    expected.assert_eq(&page(capture, &answers(), &options(&[])));
}

#[test]
fn redis_7_gives_these_families() {
    let expected = expect_file!["../../tests/captures/redis-7.0.prom"];
    check(include_str!("../../tests/captures/redis-7.0.info"), &expected);
}

#[test]
fn valkey_8_gives_these_families() {
    let expected = expect_file!["../../tests/captures/valkey-8.1.prom"];
    check(include_str!("../../tests/captures/valkey-8.1.info"), &expected);
}

#[test]
fn valkey_9_gives_these_families() {
    let expected = expect_file!["../../tests/captures/valkey-9.1.prom"];
    check(include_str!("../../tests/captures/valkey-9.1.info"), &expected);
}

#[test]
fn memory_max_bytes_is_there_whoever_tells_the_limit() {
    let text = page("# Server\nredis_version:2.8.0\n", &answers(), &options(&[]));
    assert!(text.contains("\nredis_memory_max_bytes 6.7108864e+07\n"), "{text}");
}

#[test]
fn secrets_are_no_settings_to_show() {
    let mut answers = Answers::default();
    let config = [
        "requirepass",
        "s3cret",
        "masterauth",
        "s3cret",
        "primaryauth",
        "s3cret",
        "tls-key-file-pass",
        "s3cret",
        "tls-client-key-file-pass",
        "s3cret",
        "some-token",
        "s3cret",
        "tls-auth-clients",
        "no",
        "hz",
        "10",
    ];
    let options = options(&["--include-config-metrics"]);
    let everything = Command::new("CONFIG GET").arg("*");
    answers.insert(everything, Ok(list(config.map(bulk))));
    let text = page("# Server\n", &answers, &options);
    assert!(!text.contains("s3cret"), "{text}");
    assert!(text.contains(r#"redis_config_key_value{key="tls-auth-clients",value="no"} 1"#));
    assert!(text.contains(r#"redis_config_value{key="hz"} 10"#));
}

#[test]
fn facts_decide_what_is_asked() {
    let commands = |facts: &Facts| {
        let all = super::commands(&options(&[]), facts);
        let plain = all.iter().map(|command| format!("{command:?}"));
        plain.filter(|text| text.contains("LOG") || text.contains("LATENCY")).collect::<Vec<_>>()
    };
    let learn = |text: &str| {
        let mut facts = Facts::default();
        let info = Info::parse(text);
        facts.learn(&Answers::default(), Some(&info), &super::config_named(&options(&[])));
        facts
    };
    let has = |facts: &Facts, word: &str| commands(facts).iter().any(|text| text.contains(word));

    let unknown = Facts::default();
    assert!(super::commands(&options(&[]), &unknown).contains(&commandlog_probe()));
    assert!(!has(&unknown, "HISTOGRAM"));

    let redis_6 = learn("redis_version:6.2.0\n");
    assert!(!has(&redis_6, "HISTOGRAM") && !has(&redis_6, "COMMANDLOG"));
    let valkey_8_0 = learn("redis_version:7.2.4\nvalkey_version:8.0.1\n");
    assert!(has(&valkey_8_0, "HISTOGRAM") && !has(&valkey_8_0, "COMMANDLOG"));
    let valkey_8_1 = learn("redis_version:7.2.4\nvalkey_version:8.1.0\n");
    assert!(has(&valkey_8_1, "COMMANDLOG"));
    // Valkey 9.1 has in INFO what CLUSTER INFO would say.
    assert!(learn("cluster_enabled:1\n").cluster);
    assert!(!learn("cluster_enabled:1\n# Cluster Info\ncluster_state:ok\n").cluster);
}

/// A field that a new version of a server brings is seen here, once its `INFO` is recorded.
#[test]
fn no_number_of_the_recorded_servers_is_lost() {
    for capture in [
        include_str!("../../tests/captures/redis-7.0.info"),
        include_str!("../../tests/captures/valkey-8.1.info"),
        include_str!("../../tests/captures/valkey-9.1.info"),
    ] {
        let page = page(capture, &answers(), &options(&["--info.unknown=gauge"]));
        let unknown: Vec<_> = page.lines().filter(|line| line.starts_with("redis_info_")).collect();
        assert_eq!(unknown, Vec::<&str>::new());
    }
}

#[test]
fn unknown_fields_are_counted_beyond_their_limit() {
    let fields = (0..520).map(|number| format!("brand_new_{number}:1\n"));
    let text = format!("# Stats\n{}lru_clock:7\n", fields.collect::<String>());
    let mut answers = answers();
    answers.insert(Command::new("INFO MODULES"), Ok(bulk(&text.replace("brand", "module"))));
    let options = options(&["--info.unknown=gauge", "--include-modules-metrics"]);
    let shown = page(&text, &answers, &options);
    for name in ["\nredis_info_brand_new_", "\nredis_info_module_new_"] {
        assert_eq!(shown.matches(name).count(), 500, "{name}");
    }
    assert_eq!(options.data.limits.count(Limit::InfoUnknown), 40);
}

proptest! {
    #[test]
    fn property_no_info_panics_or_spoils_the_page(bytes: Vec<u8>) {
        let _page = page(&info::text(&bytes), &Answers::default(), &options(&[]));
    }

    /// Lines of the forms that collectors take apart, with parts missing or wrong.
    #[test]
    fn property_no_line_panics(
        lines in proptest::collection::vec(
            (
                "(# (Keyspace|Replication|Commandstats|Errorstats|Latencystats|Sentinel|TLS|Scripting Engines)\n)?",
                "(db|slave|master_?|cmdstat_|errorstat_|latency_percentiles_usec_|engine_)[0-9a-z_|]{0,4}",
                "([a-z_]{0,9}=?[0-9.,=-]{0,9}){0,5}",
            ),
            0..12,
        ),
    ) {
        let lines: Vec<_> = lines
            .iter()
            .map(|(section, field, value)| format!("{section}{field}:{value}"))
            .collect();
        let text = lines.join("\n");
        let _page = page(&text, &answers(), &options(&["--append-instance-role-label"]));
    }
}
