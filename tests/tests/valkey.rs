//! The exporter of Valkey against real servers of every kind, and in everything that can go wrong.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, ensure};
use e2e::{Authority, Exporter, Page, eventually, repository, servers::Valkey};

/// Whether the server of the page is up, and which error stands on it.
fn state(page: &Page) -> (Option<f64>, String) {
    let error = page.all("redis_exporter_last_scrape_error", &[]).next();
    let error = error.and_then(|sample| sample.labels.get("err").cloned()).unwrap_or_default();
    (page.value("redis_up", &[]), error)
}

fn ensure_up(page: &Page) -> Result<()> {
    let (up, error) = state(page);
    ensure!(up == Some(1.0), "{error}");
    Ok(())
}

/// A folder that the server's user may write to.
fn shared() -> Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777))?;
    Ok(folder)
}

/// Sends words, parted by a space, and wants any answer that is no error.
async fn send(server: &Valkey, words: &str) -> Result<()> {
    let mut connection = server.connect().await?;
    let mut parts = words.split(' ');
    let mut command = redis::cmd(parts.next().unwrap_or_default());
    parts.for_each(|part| {
        command.arg(part);
    });
    Ok(command.exec_async(&mut connection).await?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_tells_its_primary_and_the_primary_its_replica() -> Result<()> {
    let folder = shared()?;
    let primary = Valkey::start_with(folder.path(), &[]).await?;
    let port = primary.port.to_string();
    let replica = Valkey::start_with(folder.path(), &["--replicaof", "127.0.0.1", &port]).await?;
    let exporter = replica.exporter(&[])?;
    eventually("the replica follows", || {
        let page = exporter.metrics()?;
        let labels = [("master_host", "127.0.0.1"), ("master_port", port.as_str())];
        ensure!(page.value("redis_master_link_up", &labels) == Some(1.0), "not yet");
        let role = page.all("redis_instance_info", &[("role", "slave")]).next();
        role.context("a role").map(drop)
    })?;
    let page = primary.exporter(&[])?.metrics()?;
    ensure!(page.value("redis_connected_slaves", &[]) == Some(1.0), "one replica");
    ensure!(page.all("redis_connected_slave_lag_seconds", &[]).count() == 1, "its lag");
    let found = exporter.get("/discover")?;
    ensure!(found.body.contains(&format!("redis://127.0.0.1:{port}")), "{}", found.body);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sentinel_tells_what_it_watches() -> Result<()> {
    let folder = shared()?;
    let primary = Valkey::start_with(folder.path(), &[]).await?;
    let config = format!("sentinel monitor lake 127.0.0.1 {} 1\n", primary.port);
    let file = folder.path().join("sentinel.conf");
    fs::write(&file, config)?;
    fs::set_permissions(&file, fs::Permissions::from_mode(0o666))?;
    let sentinel =
        Valkey::start_with(folder.path(), &["/shared/sentinel.conf", "--sentinel"]).await?;
    let exporter = sentinel.exporter(&[])?;
    let page = exporter.metrics()?;
    ensure_up(&page)?;
    let address = format!("127.0.0.1:{}", primary.port);
    let labels = [("master_name", "lake"), ("master_address", address.as_str())];
    ensure!(page.value("redis_sentinel_master_setting_ckquorum", &labels) == Some(1.0), "quorum");
    ensure!(page.value("redis_sentinel_master_config_epoch", &labels) == Some(0.0), "epoch");
    let failover = page.value("redis_sentinel_master_failover_in_progress", &labels);
    ensure!(failover == Some(0.0), "failover");
    ensure!(page.all("redis_db_keys", &[]).count() == 0, "a Sentinel has no databases");
    let found = exporter.get("/discover")?;
    ensure!(found.body.contains(&format!("redis://{address}")), "{}", found.body);
    ensure!(found.body.contains("\"__meta_valkey_master_name\":\"lake\""), "{}", found.body);
    Ok(())
}

/// A cluster of two, each with half of the slots.
async fn two_nodes(folder: &Path, flags: &[&str]) -> Result<[Valkey; 2]> {
    let flags = [&["--cluster-enabled", "yes"], flags].concat();
    let nodes =
        [Valkey::start_with(folder, &flags).await?, Valkey::start_with(folder, &flags).await?];
    send(&nodes[0], "CLUSTER ADDSLOTSRANGE 0 8191").await?;
    send(&nodes[1], "CLUSTER ADDSLOTSRANGE 8192 16383").await?;
    send(&nodes[0], &format!("CLUSTER MEET 127.0.0.1 {}", nodes[1].port)).await?;
    for node in &nodes {
        let exporter = node.exporter(&["--is-cluster"])?;
        eventually("the cluster is whole", || {
            let page = exporter.metrics()?;
            ensure!(page.value("redis_cluster_state", &[]) == Some(1.0), "not yet");
            ensure!(page.value("redis_cluster_known_nodes", &[]) == Some(2.0), "not yet");
            Ok(())
        })?;
    }
    Ok(nodes)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_tells_its_nodes_and_slots() -> Result<()> {
    let folder = shared()?;
    let nodes = two_nodes(folder.path(), &["--cluster-slot-stats-enabled", "yes"]).await?;
    let exporter = nodes[0].exporter(&["--is-cluster", "--slot-stats=top:2"])?;
    let page = exporter.metrics()?;
    ensure!(page.value("redis_cluster_slots_owned", &[]) == Some(8_192.0), "its slots");
    ensure!(page.value("redis_cluster_slots_keys", &[]) == Some(0.0), "no keys");
    let found = exporter.get("/discover-cluster-nodes")?;
    for node in &nodes {
        ensure!(found.body.contains(&node.address()), "{}", found.body);
        let scraped = exporter.get(&format!("/scrape?target={}", node.address()))?;
        ensure_up(&Page::parse(&scraped.body))?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_with_client_certificates() -> Result<()> {
    let folder = shared()?;
    let authority = Authority::create("authority", folder.path())?;
    for name in ["server", "client"] {
        authority.sign_here(name, &folder.path().join(name))?;
    }
    let flags = "--tls-port 0 --tls-cert-file /shared/server.crt --tls-key-file /shared/server.key \
                 --tls-ca-cert-file /shared/authority.crt --tls-auth-clients yes";
    let flags: Vec<_> = flags.split(' ').collect();
    let server = Valkey::start_with(folder.path(), &flags).await?;
    let tls_port = free_port()?;
    send(&server, &format!("CONFIG SET tls-port {tls_port}")).await?;
    let address = format!("--redis.addr=valkeys://localhost:{tls_port}");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let ca = format!("--tls-ca-cert-file={}", file("authority.crt"));
    let cert = format!("--tls-client-cert-file={}", file("client.crt"));
    let key = format!("--tls-client-key-file={}", file("client.key"));
    let exporter = Exporter::start("valkey-exporter", &[&address, &ca, &cert, &key], &[])?;
    ensure_up(&exporter.metrics()?)?;
    let without = Exporter::start("valkey-exporter", &[&address, &ca], &[])?;
    let (up, error) = state(&without.metrics()?);
    ensure!(up == Some(0.0) && !error.is_empty(), "without a certificate: {error}");
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The user of [`documented_rule`].
const EXPORTER: [&str; 2] = ["--redis.user=exporter", "--redis.password=pw"];

/// The rule of the documentation, with the rights of these rows of its table.
fn documented_rule(rows: &[&str]) -> Result<String> {
    let page = fs::read_to_string(repository().join("docs/valkey-exporter.md"))?;
    let rule = page.lines().find(|line| line.starts_with("ACL SETUSER exporter "));
    let mut rule = rule.context("docs/valkey-exporter.md has the rule")?.replace("PASSWORD", "pw");
    for name in rows {
        let row = page.lines().find_map(|line| line.strip_prefix(&format!("| {name} | `")));
        let rights = row.and_then(|row| row.split('`').next()).context("a row of the table")?;
        rule.push(' ');
        rule.push_str(&rights.replace("\\|", "|"));
    }
    Ok(rule)
}

/// The rule of the documentation, which has to be enough for every collector that is on by default.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_acl_rule_is_enough() -> Result<()> {
    let folder = shared()?;
    let server = Valkey::start_with(folder.path(), &[]).await?;
    send(&server, &documented_rule(&[])?).await?;
    let exporter = server.exporter(&EXPORTER)?;
    let page = exporter.metrics()?;
    ensure_up(&page)?;
    for sample in page.all("redis_exporter_collector_success", &[]) {
        ensure!((sample.value - 1.0).abs() < f64::EPSILON, "{:?}", sample.labels);
    }
    ensure!(page.value("redis_commandlog_slow_length", &[]).is_some(), "COMMANDLOG is read");
    ensure!(page.value("redis_config_maxclients", &[]).is_some(), "settings are read");
    ensure!(
        page.value("redis_acl_access_denied_cmd_total", &[]) == Some(0.0),
        "nothing is refused"
    );
    Ok(())
}

/// What the table of the documentation adds for everything that is off by default.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_for_keys_clients_and_scripts_are_enough() -> Result<()> {
    let folder = shared()?;
    let server = Valkey::start_with(folder.path(), &[]).await?;
    for command in ["SET number 1", "SET text hello", "PFADD distinct a", "RPUSH list a"] {
        send(&server, command).await?;
    }
    for command in ["SADD set a", "ZADD zset 1 a", "HSET hash a 1", "XADD stream 7-0 a 1"] {
        send(&server, command).await?;
    }
    send(&server, "XGROUP CREATE stream group 0").await?;
    let rule = documented_rule(&["keys", "streams", "groups of keys", "clients"])?;
    send(&server, &format!("{rule} ~* +eval")).await?;
    let script = folder.path().join("script.lua");
    fs::write(&script, "return {'one', '1'}")?;
    let exporter = server.exporter(&[
        "--redis.user=exporter",
        "--redis.password=pw",
        "--check-keys=*",
        "--count-keys=*",
        "--check-streams=*",
        "--check-key-groups=^(%a+)$",
        "--export-client-list",
        "--clients.summary",
        &format!("--script={}", script.display()),
    ])?;
    let page = exporter.metrics()?;
    ensure_up(&page)?;
    ensure!(page.all("redis_key_size", &[]).count() == 8, "keys");
    ensure!(page.all("redis_key_value", &[]).count() == 1, "a value");
    ensure!(page.value("redis_stream_group_consumers", &[]) == Some(0.0), "a stream");
    ensure!(page.sum("redis_key_group_count", &[]) >= 8.0, "groups");
    ensure!(page.sum("redis_clients_by_name", &[]) >= 1.0, "clients");
    ensure!(page.sum("redis_script_result", &[]) >= 1.0, "a script");
    let page = exporter.metrics()?;
    ensure!(
        page.value("redis_acl_access_denied_cmd_total", &[]) == Some(0.0),
        "nothing is refused"
    );
    Ok(())
}

/// A slot on its way: its keys are where only those are answered who say that they were sent there.
#[tokio::test(flavor = "multi_thread")]
async fn the_documented_rights_are_enough_and_needed_while_a_slot_is_on_its_way() -> Result<()> {
    let folder = shared()?;
    let nodes = two_nodes(folder.path(), &[]).await?;
    let mut ids = Vec::<String>::new();
    for node in &nodes {
        let mut connection = node.connect().await?;
        ids.push(redis::cmd("CLUSTER").arg("MYID").query_async(&mut connection).await?);
        let rule = documented_rule(&["keys", "with `--is-cluster`"])?;
        send(node, &format!("{rule} ~*")).await?;
    }
    // 866 is the slot of hello.
    send(&nodes[0], &format!("CLUSTER SETSLOT 866 MIGRATING {}", ids[1])).await?;
    send(&nodes[1], &format!("CLUSTER SETSLOT 866 IMPORTING {}", ids[0])).await?;
    let mut moved = redis::pipe();
    moved.cmd("ASKING").ignore().cmd("RPUSH").arg("{hello}").arg("a").arg("b").ignore();
    moved.exec_async(&mut nodes[1].connect().await?).await?;

    let flags = [&EXPORTER[..], &["--is-cluster", "--check-single-keys={hello}"]].concat();
    let exporter = nodes[0].exporter(&flags)?;
    let key = |page: &Page| page.value("redis_key_size", &[("key", "{hello}")]);
    let page = exporter.metrics()?;
    ensure_up(&page)?;
    ensure!(key(&page) == Some(2.0), "{:?}", key(&page));
    for node in &nodes {
        let scraped = exporter.get(&format!("/scrape?target={}", node.address()))?;
        let denied = Page::parse(&scraped.body).value("redis_acl_access_denied_cmd_total", &[]);
        ensure!(denied == Some(0.0), "{denied:?} commands are refused");
    }
    send(&nodes[1], "ACL SETUSER exporter -asking").await?;
    let page = exporter.metrics()?;
    ensure_up(&page)?;
    ensure!(key(&page).is_none(), "{:?} without the right to ask", key(&page));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_enough() -> Result<()> {
    let folder = shared()?;
    let flags = ["--unixsocket", "/shared/valkey.sock", "--unixsocketperm", "777"];
    let _server = Valkey::start_with(folder.path(), &flags).await?;
    let address = format!("--redis.addr=unix://{}", folder.path().join("valkey.sock").display());
    let exporter = Exporter::start("valkey-exporter", &[&address], &[])?;
    ensure_up(&exporter.metrics()?)
}

#[tokio::test(flavor = "multi_thread")]
#[expect(clippy::disallowed_methods, reason = "a test measures a program")]
async fn a_server_that_is_stopped_costs_its_own_metrics_only() -> Result<()> {
    let folder = shared()?;
    let (stopped, other) = (
        Valkey::start_with(folder.path(), &[]).await?,
        Valkey::start_with(folder.path(), &[]).await?,
    );
    let exporter = stopped.exporter(&["--connection-timeout=2s"])?;
    ensure_up(&exporter.metrics()?)?;
    stopped.container.pause().await?;
    let start = Instant::now();
    let (up, error) = state(&exporter.metrics()?);
    ensure!(up == Some(0.0) && error.contains("no answer in time"), "{error}");
    ensure!(start.elapsed() < Duration::from_secs(4), "{:?}", start.elapsed());
    let scraped = exporter.get(&format!("/scrape?target={}", other.address()))?;
    ensure_up(&Page::parse(&scraped.body))?;
    stopped.container.unpause().await?;
    eventually("it is back", || ensure_up(&exporter.metrics()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loads_says_so() -> Result<()> {
    let folder = shared()?;
    let flags =
        ["--enable-debug-command", "yes", "--loading-process-events-interval-bytes", "1024"];
    let server = Valkey::start_with(folder.path(), &flags).await?;
    send(&server, "DEBUG POPULATE 20000").await?;
    send(&server, "CONFIG SET key-load-delay 500").await?;
    let exporter = server.exporter(&[])?;
    ensure_up(&exporter.metrics()?)?;
    let address = server.address();
    let reload = tokio::spawn(async move {
        let client = redis::Client::open(address)?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        redis::cmd("DEBUG").arg("RELOAD").exec_async(&mut connection).await
    });
    eventually("it is loading", || {
        let page = exporter.metrics()?;
        ensure_up(&page)?;
        ensure!(page.value("redis_loading_dump_file", &[]) == Some(1.0), "not yet");
        Ok(())
    })?;
    reload.abort();
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_says_why() -> Result<()> {
    let folder = shared()?;
    let server = Valkey::start_with(folder.path(), &[]).await?;
    send(&server, "CONFIG SET maxclients 2").await?;
    let held = [server.connect().await?, server.connect().await?];
    let exporter = server.exporter(&[])?;
    let (up, error) = state(&exporter.metrics()?);
    ensure!(up == Some(0.0) && error.contains("max number of clients reached"), "{error}");
    drop(held);
    eventually("there is room again", || ensure_up(&exporter.metrics()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_then_the_right_one() -> Result<()> {
    let folder = shared()?;
    let server = Valkey::start_with(folder.path(), &["--requirepass", "right"]).await?;
    let file = folder.path().join("password");
    fs::write(&file, "wrong\n")?;
    let flag = format!("--redis.secret-file={}", file.display());
    let exporter = server.exporter(&[&flag])?;
    let (up, error) = state(&exporter.metrics()?);
    ensure!(up == Some(0.0) && error.contains("WRONGPASS"), "{error}");
    fs::write(&file, "right\n")?;
    ensure_up(&exporter.metrics()?)?;
    ensure!(!exporter.log().contains("wrong"), "no password is in the log");
    let health = exporter.get("/health")?;
    ensure!(health.status == 200, "{}", health.body);
    Ok(())
}
