//! What `valkey-exporter` shows of keys, streams, scripts and clients of a real server.

use std::{io::Write as _, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use e2e::{Exporter, Page, eventually, eventually_within, servers::Valkey};
use redis::{RedisError, aio::MultiplexedConnection};

/// Sends a command whose words are parted by spaces.
async fn send(connection: &mut MultiplexedConnection, command: &str) -> Result<()> {
    let mut words = command.split(' ');
    let mut command = redis::cmd(words.next().context("a word")?);
    for word in words {
        command.arg(word);
    }
    Ok(command.exec_async(connection).await?)
}

/// A name, labels that are among the series', and its value.
type Expected<'e> = (&'e str, &'e [(&'e str, &'e str)], f64);

fn expect(page: &Page, series: &[Expected<'_>]) -> Result<()> {
    for (name, labels, expected) in series {
        let value = page.value(name, labels);
        let close = value.is_some_and(|value| (value - expected).abs() < f64::EPSILON);
        ensure!(close, "{name} {labels:?} is {value:?}, not {expected}");
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_of_every_type_have_their_size() -> Result<()> {
    let server = Valkey::start().await?;
    let mut connection = server.connect().await?;
    for command in [
        "SET number 12.5",
        "SET text hello",
        "PFADD distinct a b c",
        "RPUSH list a b",
        "SADD set a b c",
        "ZADD zset 1 a 2 b",
        "HSET hash a 1",
        "XADD stream 7-0 a 1",
        "SELECT 3",
        "SET number 7",
        "SELECT 0",
    ] {
        send(&mut connection, command).await?;
    }
    let exporter = server.exporter(&[
        "--check-single-keys=number,text,distinct,missing,db3=number",
        "--check-keys=l*,*set,hash,strea[m]",
        "--count-keys=*,db3=*,db4=*",
    ])?;
    let page = exporter.metrics()?;
    let size = |key, expected| ("redis_key_size", vec![("db", "db0"), ("key", key)], expected);
    for (name, labels, expected) in [
        size("number", 4.0),
        size("text", 5.0),
        size("distinct", 3.0),
        size("missing", 0.0),
        size("list", 2.0),
        size("set", 3.0),
        size("zset", 2.0),
        size("hash", 1.0),
        size("stream", 1.0),
        ("redis_key_value", vec![("db", "db0"), ("key", "number")], 12.5),
        ("redis_key_value", vec![("db", "db3"), ("key", "number")], 7.0),
        ("redis_key_value_as_string", vec![("key", "text"), ("val", "hello")], 1.0),
        ("redis_keys_count", vec![("db", "db0"), ("key", "*")], 8.0),
        ("redis_keys_count", vec![("db", "db3"), ("key", "*")], 1.0),
        ("redis_keys_count", vec![("db", "db4"), ("key", "*")], 0.0),
    ] {
        expect(&page, &[(name, &labels, expected)])?;
    }
    let memory = page.value("redis_key_memory_usage_bytes", &[("key", "list")]);
    ensure!(memory.is_some_and(|bytes| bytes > 0.0), "{memory:?}");
    ensure!(page.value("redis_key_value_as_string", &[("key", "distinct")]).is_none(), "no text");
    // Asking the wrong command of a key would count as an error of the server.
    let errors = exporter.metrics()?.sum("redis_errors_total", &[("err", "WRONGTYPE")]);
    ensure!(errors.abs() < f64::EPSILON, "{errors} errors");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lag_is_shown_where_the_server_knows_it() -> Result<()> {
    let server = Valkey::start().await?;
    let mut connection = server.connect().await?;
    for command in [
        "XADD orders 1-0 a 1",
        "XADD orders 2-0 a 1",
        "XADD orders 3-0 a 1",
        "XGROUP CREATE orders billing 0",
        "XREADGROUP GROUP billing worker COUNT 2 STREAMS orders >",
        // Whoever starts in the middle cannot be told how much is left.
        "XADD other 1-0 a 1",
        "XADD other 2-0 a 1",
        "XADD other 3-0 a 1",
        "XDEL other 2-0",
        "XGROUP CREATE other late 1-0",
        "RPUSH order-list a",
    ] {
        send(&mut connection, command).await?;
    }
    let exporter = server.exporter(&["--check-streams=o*"])?;
    let page = exporter.metrics()?;
    let group = [("db", "db0"), ("stream", "orders"), ("group", "billing")];
    let consumer = [("stream", "orders"), ("group", "billing"), ("consumer", "worker")];
    let stream = [("db", "db0"), ("stream", "orders")];
    expect(
        &page,
        &[
            ("redis_stream_length", &stream, 3.0),
            ("redis_stream_groups", &stream, 1.0),
            ("redis_stream_first_entry_id", &stream, 1.0),
            ("redis_stream_last_entry_id", &stream, 3.0),
            ("redis_stream_entries_added_total", &stream, 3.0),
            ("redis_stream_group_lag", &group, 1.0),
            ("redis_stream_group_entries_read", &group, 2.0),
            ("redis_stream_group_messages_pending", &group, 2.0),
            ("redis_stream_group_last_delivered_id", &group, 2.0),
            ("redis_stream_group_consumer_messages_pending", &consumer, 2.0),
            ("redis_stream_group_consumers", &[("stream", "other"), ("group", "late")], 0.0),
        ],
    )?;
    let lag = page.value("redis_stream_group_lag", &[("stream", "other")]);
    ensure!(lag.is_none(), "nobody knows, and {lag:?} is shown");
    ensure!(
        page.all("redis_stream_length", &[("stream", "order-list")]).next().is_none(),
        "a list"
    );
    let errors = page.sum("redis_errors_total", &[]);
    ensure!(errors.abs() < f64::EPSILON, "{errors} errors");

    let without = server
        .exporter(&["--check-single-streams=orders", "--streams-exclude-consumer-metrics"])?;
    let page = without.metrics()?;
    expect(&page, &[("redis_stream_group_lag", &group, 1.0)])?;
    ensure!(page.kind("redis_stream_group_consumer_idle_seconds").is_none(), "no consumers");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_that_fails_costs_its_values_only() -> Result<()> {
    let server = Valkey::start().await?;
    let mut connection = server.connect().await?;
    send(&mut connection, "SET jobs 41").await?;
    let script = |text: &str| -> Result<tempfile::NamedTempFile> {
        let mut file = tempfile::NamedTempFile::new()?;
        file.write_all(text.as_bytes())?;
        Ok(file)
    };
    let good = script("return {'jobs', redis.call('GET', 'jobs'), 'one', '1.5'}")?;
    let bad = script("error('boom')")?;
    let none = script("return {}")?;
    let path = |file: &tempfile::NamedTempFile| file.path().to_string_lossy().into_owned();
    let [good_path, bad_path, none_path] = [path(&good), path(&bad), path(&none)];
    let flag = format!("--script={bad_path},{good_path},{none_path}");
    for more in [&["--lua-script-read-only=false"], &["--lua-script-read-only"]] {
        let exporter = server.exporter(&[&[flag.as_str()][..], more].concat())?;
        let page = exporter.metrics()?;
        expect(
            &page,
            &[
                ("redis_up", &[], 1.0),
                ("redis_script_result", &[("filename", &bad_path)], 0.0),
                ("redis_script_result", &[("filename", &good_path)], 1.0),
                ("redis_script_result", &[("filename", &none_path)], 2.0),
                ("redis_script_values", &[("filename", &good_path), ("key", "jobs")], 41.0),
                ("redis_script_values", &[("filename", &good_path), ("key", "one")], 1.5),
            ],
        )?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_are_listed_or_counted() -> Result<()> {
    let server = Valkey::start().await?;
    let mut connections = Vec::new();
    for name in ["web", "web", "a=b"] {
        let mut connection = server.connect().await?;
        redis::cmd("CLIENT").arg("SETNAME").arg(name).exec_async(&mut connection).await?;
        redis::cmd("CLIENT")
            .arg("SETINFO")
            .arg("LIB-NAME")
            .arg("shop")
            .exec_async(&mut connection)
            .await?;
        connections.push(connection);
    }
    let exporter =
        server.exporter(&["--export-client-list", "--export-client-port", "--clients.summary"])?;
    let page = exporter.metrics()?;
    let listed = page.all("redis_connected_client_info", &[("name", "a=b")]).next();
    let listed = listed.context("a name with a = is listed")?;
    for (label, value) in [("db", "0"), ("user", "default"), ("flags", "N")] {
        ensure!(listed.labels.get(label).is_some_and(|own| own == value), "{listed:?}");
    }
    ensure!(listed.labels.contains_key("port"), "{listed:?}");
    let memory =
        page.value("redis_connected_client_total_memory_consumed_bytes", &[("name", "a=b")]);
    ensure!(memory.is_some_and(|bytes| bytes > 0.0), "{memory:?}");
    // The exporter itself is one of them.
    expect(
        &page,
        &[
            ("redis_clients_by_name", &[("name", "web")], 2.0),
            ("redis_clients_by_name", &[("name", "a=b")], 1.0),
            ("redis_clients_by_name", &[("name", "redis_exporter")], 1.0),
            ("redis_clients_by_user", &[("user", "default")], 4.0),
            ("redis_clients_by_type", &[("type", "normal")], 4.0),
            ("redis_client_age_seconds_count", &[], 4.0),
        ],
    )?;
    ensure!(page.sum("redis_clients_by_library", &[("library", "shop")]) >= 3.0, "libraries");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_grouped_by_patterns_without_a_script_in_the_server() -> Result<()> {
    let server = Valkey::start().await?;
    let mut connection = server.connect().await?;
    for command in ["SET user:1:name a", "SET user:2:name b", "SET cart_1 c", "SET other d"] {
        send(&mut connection, command).await?;
    }
    let exporter =
        server.exporter(&["--check-key-groups=^(%a+):%d+:(.*)$,^(cart)_", "--debug=false"])?;
    let page = exporter.metrics()?;
    let group = |name| [("db", "db0"), ("key_group", name)];
    expect(
        &page,
        &[
            ("redis_key_group_count", &group("username"), 2.0),
            ("redis_key_group_count", &group("cart"), 1.0),
            ("redis_key_group_count", &group("unclassified"), 1.0),
            ("redis_number_of_distinct_key_groups", &[("db", "db0")], 3.0),
            ("redis_number_of_distinct_key_groups", &[("db", "db1")], 0.0),
        ],
    )?;
    let bytes = page.value("redis_key_group_memory_usage_bytes", &group("username"));
    let memory: f64 =
        redis::cmd("MEMORY").arg("USAGE").arg("user:1:name").query_async(&mut connection).await?;
    ensure!(bytes == Some(2.0 * memory), "{bytes:?} is not twice {memory}");
    let page = exporter.metrics()?;
    let scripts = page.sum("redis_commands_total", &[("cmd", "eval")])
        + page.sum("redis_commands_total", &[("cmd", "evalsha")]);
    ensure!(scripts.abs() < f64::EPSILON, "{scripts} scripts were run");
    Ok(())
}

/// A cluster in which each node has a third of the slots, and a connection to each.
async fn cluster(folder: &tempfile::TempDir) -> Result<(Vec<Valkey>, Vec<MultiplexedConnection>)> {
    let (mut nodes, mut connections) = (Vec::<Valkey>::new(), Vec::new());
    for slots in ["0 5460", "5461 10922", "10923 16383"] {
        let node = Valkey::start_with(folder.path(), &["--cluster-enabled", "yes"]).await?;
        let mut connection = node.connect().await?;
        send(&mut connection, &format!("CLUSTER ADDSLOTSRANGE {slots}")).await?;
        if let Some(first) = nodes.first() {
            send(&mut connection, &format!("CLUSTER MEET 127.0.0.1 {}", first.port)).await?;
        }
        nodes.push(node);
        connections.push(connection);
    }
    for node in &nodes {
        let exporter = node.exporter(&[])?;
        eventually("the cluster is whole", || {
            let page = exporter.metrics()?;
            for (name, expected) in [("state", 1.0), ("known_nodes", 3.0), ("size", 3.0)] {
                expect(&page, &[(&format!("redis_cluster_{name}"), &[], expected)])?;
            }
            Ok(())
        })?;
    }
    Ok((nodes, connections))
}

/// Sends a command to the node which has its key.
async fn put(nodes: &mut [MultiplexedConnection], command: &str) -> Result<()> {
    for node in nodes {
        match send(node, command).await {
            Err(error)
                if error
                    .downcast_ref::<RedisError>()
                    .is_some_and(|error| error.code() == Some("MOVED")) => {}
            outcome => return outcome,
        }
    }
    bail!("no node has the key of {command}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_is_one_set_of_keys_whichever_node_is_asked() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let (nodes, mut connections) = cluster(&folder).await?;
    for number in 0..30 {
        put(&mut connections, &format!("SET key:{number} {number}")).await?;
    }
    for number in 0..12 {
        put(&mut connections, &format!("RPUSH list:{number} a b c")).await?;
    }
    for number in 0..6 {
        put(&mut connections, &format!("XADD orders:{number} 1-0 a 1")).await?;
        put(&mut connections, &format!("XGROUP CREATE orders:{number} billing 0")).await?;
    }
    // The slot of hello, 866, goes from the first node to the second: it is not known to the cluster
    // yet, and a key of it is there already.
    let mut ids = Vec::<String>::new();
    for connection in &mut connections[..2] {
        ids.push(redis::cmd("CLUSTER").arg("MYID").query_async(connection).await?);
    }
    send(&mut connections[0], &format!("CLUSTER SETSLOT 866 MIGRATING {}", ids[1])).await?;
    send(&mut connections[1], &format!("CLUSTER SETSLOT 866 IMPORTING {}", ids[0])).await?;
    let mut moved = redis::pipe();
    moved.cmd("ASKING").ignore().cmd("RPUSH").arg("{hello}").arg("a").arg("b").ignore();
    moved.exec_async(&mut connections[1]).await?;

    for node in &nodes {
        let exporter = node.exporter(&[
            "--is-cluster",
            "--check-single-keys=key:0,key:1,key:2,key:3,missing,{hello}",
            "--check-keys=list:*",
            "--count-keys=key:*",
            "--check-single-streams=orders:0,orders:1",
            "--check-streams=orders:*",
            "--check-key-groups=^(%a+):",
        ])?;
        let page = exporter.metrics()?;
        expect(&page, &[("redis_keys_count", &[("db", "db0"), ("key", "key:*")], 30.0)])?;
        expect(&page, &[("redis_key_size", &[("key", "{hello}")], 2.0)])?;
        for number in 0..4_u8 {
            let key = format!("key:{number}");
            expect(&page, &[("redis_key_value", &[("key", &key)], f64::from(number))])?;
        }
        for number in 0..12 {
            let key = format!("list:{number}");
            expect(&page, &[("redis_key_size", &[("db", "db0"), ("key", &key)], 3.0)])?;
        }
        for number in 0..6 {
            let stream = format!("orders:{number}");
            let group = [("stream", stream.as_str()), ("group", "billing")];
            expect(&page, &[("redis_stream_length", &group[..1], 1.0)])?;
            expect(&page, &[("redis_stream_group_lag", &group, 1.0)])?;
        }
        for (group, count) in
            [("key", 30.0), ("list", 12.0), ("orders", 6.0), ("unclassified", 1.0)]
        {
            expect(&page, &[("redis_key_group_count", &[("key_group", group)], count)])?;
        }
        ensure!(page.all("redis_key_size", &[("key", "missing")]).next().is_none(), "missing");
        for part in ["named", "scanned"] {
            expect(&page, &[("redis_exporter_keys_refused", &[("part", part)], 0.0)])?;
        }
    }
    Ok(())
}

/// A million keys are more than a scrape may visit: they are counted in the background, no faster
/// than the budget says, and scrapes go on meanwhile.
#[tokio::test(flavor = "multi_thread")]
async fn a_million_keys_are_counted_within_the_budget() -> Result<()> {
    const KEYS: f64 = 1_000_000.0;
    const RATE: f64 = 250_000.0;
    let server = Valkey::start().await?;
    // A busy machine may take a while for the keys of one script.
    let patient = redis::AsyncConnectionConfig::new().set_response_timeout(None);
    let client = redis::Client::open(server.address())?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&patient).await?;
    send(&mut connection, "CONFIG SET maxmemory 0").await?;
    let fill = "for i = ARGV[1], ARGV[1] + 9999 do redis.call('SET', 'key:' .. i, '') end";
    for start in (0..100).map(|part| part * 10_000) {
        redis::cmd("EVAL").arg(fill).arg(0).arg(start).exec_async(&mut connection).await?;
    }
    let exporter = server.exporter(&[
        "--count-keys=key:*",
        "--keys.scrape-max=50000",
        "--keys.rate=250000",
        "--keys.server-time-percent=50",
    ])?;
    let part = [("part", "scanned")];
    let page = exporter.metrics()?;
    expect(
        &page,
        &[
            ("redis_up", &[], 1.0),
            ("redis_exporter_keys_running", &part, 1.0),
            ("redis_exporter_limit_reached_total", &[("limit", "keys.scrape-max")], 1.0),
        ],
    )?;
    ensure!(page.kind("redis_keys_count").is_none(), "not known yet");
    let page = counted(&exporter)?;
    expect(
        &page,
        &[
            ("redis_keys_count", &[("db", "db0"), ("key", "key:*")], KEYS),
            ("redis_exporter_keys_passes_total", &part, 1.0),
            ("redis_exporter_keys_failures_total", &part, 0.0),
        ],
    )?;
    let visited = page.value("redis_exporter_keys_visited", &part).context("visited keys")?;
    ensure!((visited - KEYS).abs() < 0.05 * KEYS, "{visited} keys were visited");
    let took = page.value("redis_exporter_keys_duration_seconds", &part).context("a time")?;
    ensure!(took >= (KEYS - 50_000.0) / RATE * 0.9, "{took} s are faster than the budget");
    let memory = page.value("process_resident_memory_bytes", &[]).context("memory")?;
    ensure!(memory < 96.0 * 1024.0 * 1024.0, "{memory} bytes");
    // The next one is due later: what is known is shown, and how old it is.
    let page = exporter.metrics()?;
    expect(
        &page,
        &[
            ("redis_keys_count", &[("db", "db0"), ("key", "key:*")], KEYS),
            ("redis_exporter_keys_passes_total", &part, 1.0),
        ],
    )?;
    ensure!(page.value("redis_exporter_keys_age_seconds", &part).is_some(), "an age");
    Ok(())
}

fn counted(exporter: &Exporter) -> Result<Page> {
    eventually_within(Duration::from_mins(3), "all keys are counted", || {
        let page = exporter.metrics()?;
        page.value("redis_keys_count", &[]).context("still counting")?;
        Ok(page)
    })
}
