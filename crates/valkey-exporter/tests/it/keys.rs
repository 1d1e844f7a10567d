//! Keys as an operator sees them: in a cluster, in the background, by parameters, and flags that
//! cannot be used.

use std::{io::Read as _, net::TcpListener, process::Stdio};

use crate::{
    exporter::{Exporter, command, value},
    fake::{Fake, Reply},
};

fn info(keys: u32) -> Reply {
    Reply::Text(format!(
        "# Server\r\nredis_version:7.2.4\r\n# Replication\r\nrole:master\r\n# Keyspace\r\n\
         db0:keys={keys},expires=0,avg_ttl=0\r\n"
    ))
}

fn json(value: serde_json::Value) -> Reply {
    Reply::Json(value)
}

fn address(fake: &Fake) -> String {
    format!("--redis.addr=redis://127.0.0.1:{}", fake.port)
}

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}

#[test]
fn keys_of_a_cluster_are_those_of_every_primary() {
    let list = |size: u32| {
        vec![
            ("TYPE *", json("list".into())),
            ("LLEN *", json(size.into())),
            ("MEMORY USAGE *", json(10.into())),
        ]
    };
    let mut other = list(2);
    other.push(("SCAN 0 MATCH k* COUNT 1000", json(serde_json::json!(["0", ["k3", "k4"]]))));
    other.push(("SCAN 0 COUNT 1000", json(serde_json::json!(["0", ["k3"]]))));
    let other = Fake::start(&other);
    let port = free_port();
    let slots = serde_json::json!([
        [0, 8191, ["127.0.0.1", port, "a"], ["127.0.0.1", 1, "replica"]],
        [8192, 16383, ["127.0.0.1", other.port, "b"]],
    ]);
    let mut first = list(1);
    first.push(("INFO ALL", info(3)));
    first.push(("CLUSTER SLOTS", json(slots)));
    first.push(("SCAN 0 MATCH k* COUNT 1000", json(serde_json::json!(["0", ["k1", "k2", "k3"]]))));
    first.push(("SCAN 0 COUNT 1000", json(serde_json::json!(["0", ["k1", "k2"]]))));
    let first = Fake::start_on(port, &first);
    // The slot of foo is 12182, that of hello 866.
    let exporter = Exporter::start(&[
        &address(&first),
        "--is-cluster",
        "--count-keys=k*",
        "--check-single-keys=foo,hello",
        "--check-key-groups=^(k)",
    ]);
    let page = exporter.get("/metrics").body;
    // One key was moved while it was looked for.
    assert_eq!(value(&page, r#"redis_keys_count{db="db0",key="k*"}"#), Some(4.0), "{page}");
    assert_eq!(value(&page, r#"redis_key_size{db="db0",key="foo"}"#), Some(2.0));
    assert_eq!(value(&page, r#"redis_key_size{db="db0",key="hello"}"#), Some(1.0));
    assert_eq!(value(&page, r#"redis_key_group_count{db="db0",key_group="k"}"#), Some(3.0));
    assert!(other.seen().contains(&"TYPE foo".to_owned()));
    assert!(!first.seen().contains(&"TYPE foo".to_owned()));
}

/// Valkey 9: the node that is asked has keys in one database, another one in both.
#[test]
fn every_database_of_a_cluster_is_grouped() {
    let keys = |names: serde_json::Value| {
        vec![
            ("MEMORY USAGE *", json(10.into())),
            ("SCAN 0 COUNT 1000", json(serde_json::json!(["0", names]))),
        ]
    };
    let other = Fake::start(&keys(serde_json::json!(["k2"])));
    let port = free_port();
    let mut first = keys(serde_json::json!(["k1"]));
    let text = "# Server\r\nvalkey_version:9.1.2\r\n# Replication\r\nrole:master\r\n\
        # Cluster\r\ncluster_enabled:1\r\n# Keyspace\r\ndb0:keys=1,expires=0,avg_ttl=0\r\n";
    first.push(("INFO ALL", Reply::Text(text.to_owned())));
    first.push(("CLUSTER INFO", Reply::Text("cluster_state:ok\r\n".to_owned())));
    first.push(("CONFIG GET *", json(serde_json::json!(["cluster-databases", "2"]))));
    let slots = serde_json::json!([
        [0, 8191, ["127.0.0.1", port, "a"]],
        [8192, 16383, ["127.0.0.1", other.port, "b"]],
    ]);
    first.push(("CLUSTER SLOTS", json(slots)));
    let first = Fake::start_on(port, &first);
    let exporter = Exporter::start(&[&address(&first), "--is-cluster", "--check-key-groups=^(k)"]);
    let page = exporter.get("/metrics").body;
    for database in ["db0", "db1"] {
        let series = format!(r#"redis_key_group_count{{db="{database}",key_group="k"}}"#);
        assert_eq!(value(&page, &series), Some(2.0), "{page}");
    }
    assert!(other.seen().contains(&"SELECT 1".to_owned()));
}

#[test]
fn keys_that_a_cluster_moves_are_asked_of_the_node_that_is_named() {
    let other = Fake::start(&[
        ("ASKING", Reply::Text("OK".to_owned())),
        ("TYPE *", json("list".into())),
        ("LLEN *", json(7.into())),
        ("MEMORY USAGE *", json(10.into())),
        ("XINFO STREAM going", json(serde_json::json!(["length", 3]))),
        ("XINFO GROUPS going", json(serde_json::json!([]))),
    ]);
    let named = |word: &str| Reply::Error(format!("{word} 1 127.0.0.1:{}", other.port));
    // Nobody listens at this one.
    let lost = Reply::Error(format!("MOVED 2 127.0.0.1:{}", free_port()));
    let port = free_port();
    let first = Fake::start_on(
        port,
        &[
            ("INFO ALL", info(3)),
            ("CLUSTER SLOTS", json(serde_json::json!([[0, 16383, ["127.0.0.1", port, "a"]]]))),
            ("TYPE gone", named("MOVED")),
            ("MEMORY USAGE gone", named("MOVED")),
            ("LLEN gone", named("MOVED")),
            ("TYPE going", named("ASK")),
            ("MEMORY USAGE going", named("ASK")),
            ("LLEN going", named("ASK")),
            ("XINFO STREAM going", named("ASK")),
            ("XINFO GROUPS going", named("ASK")),
            ("TYPE lost", lost.clone()),
            ("MEMORY USAGE lost", lost),
            ("TYPE here", json("list".into())),
            ("MEMORY USAGE here", json(10.into())),
            ("LLEN here", json(1.into())),
        ],
    );
    let exporter = Exporter::start(&[
        &address(&first),
        "--is-cluster",
        "--check-single-keys=gone,going,lost,here",
        "--check-single-streams=going",
        "--streams-exclude-consumer-metrics",
    ]);
    let page = exporter.get("/metrics").body;
    let size = |key: &str| value(&page, &format!(r#"redis_key_size{{db="db0",key="{key}"}}"#));
    assert_eq!(["gone", "going", "here"].map(size), [Some(7.0), Some(7.0), Some(1.0)], "{page}");
    assert_eq!(size("lost"), None);
    assert_eq!(value(&page, r#"redis_stream_length{db="db0",stream="going"}"#), Some(3.0));
    let seen = other.seen();
    let before = |command: &str| {
        let place = seen.iter().position(|seen| seen == command).expect("it was asked");
        place.checked_sub(1).and_then(|place| seen.get(place)).cloned().unwrap_or_default()
    };
    for asked in ["TYPE going", "LLEN going", "XINFO STREAM going", "XINFO GROUPS going"] {
        assert_eq!(before(asked), "ASKING", "{seen:?}");
    }
    assert_ne!(before("TYPE gone"), "ASKING", "{seen:?}");
}

/// One node is named and accepts connections, and that is all it does; another one is well.
#[test]
fn a_node_that_is_named_and_stays_silent_costs_its_own_keys_only() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let silent_port = silent.local_addr().expect("a bound socket").port();
    let other = Fake::start(&[
        ("TYPE *", json("list".into())),
        ("LLEN *", json(7.into())),
        ("MEMORY USAGE *", json(10.into())),
    ]);
    let named = |port: u16| Reply::Error(format!("MOVED 1 127.0.0.1:{port}"));
    let port = free_port();
    let first = Fake::start_on(
        port,
        &[
            ("INFO ALL", info(3)),
            ("CLUSTER SLOTS", json(serde_json::json!([[0, 16383, ["127.0.0.1", port, "a"]]]))),
            ("TYPE lost", named(silent_port)),
            ("MEMORY USAGE lost", named(silent_port)),
            ("XINFO STREAM lost", named(silent_port)),
            ("XINFO GROUPS lost", named(silent_port)),
            ("TYPE gone", named(other.port)),
            ("MEMORY USAGE gone", named(other.port)),
            ("LLEN gone", named(other.port)),
            ("TYPE here", json("list".into())),
            ("MEMORY USAGE here", json(10.into())),
            ("LLEN here", json(1.into())),
            ("SCAN 0 MATCH k* COUNT 1000", json(serde_json::json!(["0", ["k1"]]))),
        ],
    );
    let exporter = Exporter::start(&[
        &address(&first),
        "--is-cluster",
        "--connection-timeout=4s",
        "--check-single-keys=gone,here,lost",
        "--check-single-streams=lost",
        "--count-keys=k*",
    ]);
    let page = exporter.get("/metrics").body;
    let size = |key: &str| value(&page, &format!(r#"redis_key_size{{db="db0",key="{key}"}}"#));
    assert_eq!(["gone", "here", "lost"].map(size), [Some(7.0), Some(1.0), None], "{page}");
    assert_eq!(value(&page, r#"redis_keys_count{db="db0",key="k*"}"#), Some(1.0), "{page}");
    for part in ["named", "scanned"] {
        let failures = format!(r#"redis_exporter_keys_failures_total{{part="{part}"}}"#);
        assert_eq!(value(&page, &failures), Some(0.0), "{page}");
    }
}

#[test]
fn a_scan_that_takes_longer_than_a_scrape_goes_on_behind_it() {
    let pages: Vec<_> = (0..20)
        .map(|page| {
            let next = if page == 19 { 0 } else { page + 1 };
            let names = [format!("k{page}"), "always".to_owned()];
            (format!("SCAN {page} MATCH k* COUNT 10"), serde_json::json!([next.to_string(), names]))
        })
        .collect();
    let mut table = vec![("INFO ALL", info(200))];
    table.extend(pages.iter().map(|(command, reply)| (command.as_str(), json(reply.clone()))));
    let fake = Fake::start(&table);
    let exporter = Exporter::start(&[
        &address(&fake),
        "--count-keys=k*",
        "--check-keys-batch-size=10",
        "--keys.scrape-max=20",
        "--keys.rate=400",
        "--keys.server-time-percent=100",
    ]);
    let page = exporter.get("/metrics").body;
    let running = r#"redis_exporter_keys_running{part="scanned"}"#;
    let count = r#"redis_keys_count{db="db0",key="k*"}"#;
    assert_eq!((value(&page, running), value(&page, count)), (Some(1.0), None), "{page}");
    let page = exporter.until("/metrics", |page| value(&page.body, count).is_some()).body;
    assert_eq!((value(&page, running), value(&page, count)), (Some(0.0), Some(21.0)), "{page}");
    let took = value(&page, r#"redis_exporter_keys_duration_seconds{part="scanned"}"#);
    // 180 of the 200 keys at 400 a second.
    assert!(took.is_some_and(|seconds| seconds >= 0.4), "{took:?}");
    let scans = || fake.seen().iter().filter(|command| command.starts_with("SCAN 0")).count();
    let before = scans();
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, count), Some(21.0), "what is known is shown");
    assert_eq!(scans(), before, "and the next scan is due later");
}

#[test]
fn with_the_flag_no_scrape_waits_for_a_scan() {
    let fake = Fake::start(&[
        ("INFO ALL", info(2)),
        // In small steps, which nobody waits for.
        ("SCAN 0 MATCH k* COUNT 20", json(serde_json::json!(["0", ["k1", "k2"]]))),
        ("TYPE *", json("list".into())),
        ("LLEN *", json(7.into())),
    ]);
    let flags = ["--count-keys=k*", "--check-single-keys=a", "--keys.background"];
    let exporter = Exporter::start(&[&[address(&fake).as_str()][..], &flags].concat());
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, r#"redis_key_size{db="db0",key="a"}"#), Some(7.0), "at once");
    exporter.until("/metrics", |page| {
        value(&page.body, r#"redis_keys_count{db="db0",key="k*"}"#) == Some(2.0)
    });
}

#[test]
fn parameters_of_scrape_replace_the_lists_of_the_flags() {
    let fake = Fake::start(&[
        ("INFO ALL", info(2)),
        ("TYPE *", json("list".into())),
        ("LLEN *", json(7.into())),
    ]);
    let exporter = Exporter::start(&["--redis.addr=", "--check-single-keys=a"]);
    let target = format!("/scrape?target=127.0.0.1:{}", fake.port);
    let size =
        |page: &str, key| value(page, &format!("redis_key_size{{db=\"db0\",key=\"{key}\"}}"));
    let page = exporter.get(&target).body;
    assert_eq!((size(&page, "a"), size(&page, "b")), (Some(7.0), None));
    let page = exporter.get(&format!("{target}&check-single-keys=b&count-keys=")).body;
    assert_eq!((size(&page, "a"), size(&page, "b")), (None, Some(7.0)));
    let refused = exporter.get(&format!("{target}&check-keys=x%3Dy"));
    assert_eq!(refused.status, 400, "{}", refused.body);
    let errors = exporter.get("/metrics").body;
    assert_eq!(value(&errors, "redis_target_scrape_request_errors_total"), Some(1.0));
}

#[test]
fn keys_are_looked_up_again_after_the_server_was_away() {
    let table =
        [("INFO ALL", info(1)), ("TYPE *", json("list".into())), ("LLEN *", json(7.into()))];
    let fake = Fake::start(&table);
    let port = fake.port;
    let exporter = Exporter::start(&[&address(&fake), "--check-single-keys=a"]);
    let size = r#"redis_key_size{db="db0",key="a"}"#;
    assert_eq!(value(&exporter.get("/metrics").body, size), Some(7.0));
    drop(fake);
    assert_eq!(value(&exporter.get("/metrics").body, size), None);
    let _fake = Fake::start_on(port, &table);
    assert_eq!(value(&exporter.get("/metrics").body, size), Some(7.0));
}

#[test]
fn a_list_pattern_or_script_that_cannot_be_used_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = folder.path().join("long.lua");
    std::fs::write(&long, "return {}").expect("written");
    let long = format!("--script={}", long.display());
    for (flags, reason) in [
        (&["--check-keys=wrong=a"][..], "number of a database"),
        (&["--count-keys=a=b=c"], "%3D"),
        (&["--check-single-streams=a%zz"], "hexadecimal"),
        (&["--check-key-groups=^(a"], "no Lua pattern"),
        (
            &["--include-search-indexes-metrics", "--check-search-indexes=["],
            "--check-search-indexes",
        ),
        (&["--script=/nowhere/at/all.lua"], "cannot read the script"),
        (&[&long, "--script.bytes-max=3"], "--script.bytes-max is 3"),
        (&["--keys.interval=soon"], "--keys.interval"),
    ] {
        let mut child = command(flags).stderr(Stdio::piped()).spawn().expect("it was built");
        let mut text = String::new();
        child.stderr.take().expect("asked for").read_to_string(&mut text).expect("text");
        let status = child.wait().expect("it is our child");
        assert_eq!(status.code(), Some(1), "{flags:?}: {text}");
        assert!(text.contains(reason), "{flags:?}: {text}");
    }
}
