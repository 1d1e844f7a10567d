//! What an operator sees: servers which go, hang or refuse, exit codes, and secrets.

use std::{
    io::Read as _,
    net::TcpListener,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use crate::{
    exporter::{Exporter, command, now, value},
    fake::{Fake, Reply},
};

pub(crate) const INFO: &str = "# Server\r\nredis_version:7.2.4\r\n# Clients\r\nconnected_clients:2\r\n\
    # Memory\r\nmaxmemory:64\r\n# Replication\r\nrole:master\r\n";

pub(crate) fn healthy() -> Vec<(&'static str, Reply)> {
    vec![
        ("INFO ALL", Reply::Text(INFO.to_owned())),
        ("LATENCY HISTOGRAM", Reply::Json(serde_json::json!([]))),
    ]
}

pub(crate) fn address(fake: &Fake) -> String {
    format!("--redis.addr=redis://127.0.0.1:{}", fake.port)
}

/// A port on which nobody listens: nobody else is given it for a while.
fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("a bound socket").port()
}

#[test]
fn a_server_that_is_away_costs_its_metrics_only() {
    let port = free_port();
    let exporter = Exporter::start(&[&format!("--redis.addr=127.0.0.1:{port}")]);
    let page = exporter.get("/metrics");
    assert_eq!(page.status, 200);
    assert_eq!(value(&page.body, "redis_up"), Some(0.0));
    let error = format!(
        "redis_exporter_last_scrape_error{{err=\"cannot connect to 127.0.0.1:{port}: \
         connection refused\"}}"
    );
    assert_eq!(value(&page.body, &error), Some(1.0), "{}", page.body);
    assert_eq!(value(&page.body, "redis_exporter_scrapes_total"), Some(1.0));
    assert_eq!(exporter.get("/health/ready").status, 503);
    assert_eq!(exporter.get("/health/live").status, 200);

    // The server comes, goes, and comes back; the exporter stays.
    let fake = Fake::start_on(port, &healthy());
    let page = exporter.get("/metrics");
    assert_eq!(value(&page.body, "redis_up"), Some(1.0));
    assert_eq!(value(&page.body, "redis_exporter_last_scrape_error{err=\"\"}"), Some(0.0));
    assert_eq!(exporter.get("/health/ready").status, 200);
    drop(fake);
    assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(0.0));
    assert_eq!(exporter.get("/health/ready").status, 200, "ready is not taken back");
    let _fake = Fake::start_on(port, &healthy());
    assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(1.0));
}

#[test]
fn the_address_in_the_environment_is_all_it_needs() {
    let fake = Fake::start(&healthy());
    let mut command = command(&[]);
    command.env("REDIS_ADDR", format!("redis://127.0.0.1:{}", fake.port));
    command.envs([("REDIS_PASSWORD", ""), ("REDIS_EXPORTER_DEBUG", ""), ("REDIS_USER", "")]);
    let exporter = Exporter::start_with(command);
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(1.0));
    assert_eq!(value(&page, "redis_memory_max_bytes"), Some(64.0));
    assert!(!fake.seen().iter().any(|command| command.starts_with("AUTH")));
}

#[test]
fn a_kept_connection_that_broke_is_made_anew_in_the_same_scrape() {
    let fake = Fake::start(&healthy());
    let port = fake.port;
    let exporter = Exporter::start(&[&address(&fake)]);
    assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(1.0));
    drop(fake);
    let _fake = Fake::start_on(port, &healthy());
    assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(1.0));
}

#[test]
fn a_peer_that_speaks_something_else_is_down_in_one_plain_line() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _peer)) = listener.accept() {
            use std::io::Write as _;
            // The peer may have gone already.
            let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        }
    });
    let exporter = Exporter::start(&[&format!("--redis.addr=127.0.0.1:{port}")]);
    let page = exporter.until("/metrics", |page| page.body.contains("protocol of Valkey"));
    assert_eq!(value(&page.body, "redis_up"), Some(0.0));
}

#[test]
fn with_fail_when_down_the_same_page_has_status_503() {
    let port = free_port();
    let target = format!("--redis.addr=127.0.0.1:{port}");
    let exporter = Exporter::start(&[&target, "--web.fail-when-down"]);
    let page = exporter.get("/metrics");
    assert_eq!(page.status, 503);
    assert_eq!(value(&page.body, "redis_up"), Some(0.0));
    let _fake = Fake::start_on(port, &healthy());
    let page = exporter.get("/metrics");
    assert_eq!((page.status, value(&page.body, "redis_up")), (200, Some(1.0)));
}

#[test]
fn a_server_that_hangs_does_not_hang_the_scrape() {
    let fake = Fake::start(&[("INFO ALL", Reply::Silence)]);
    let exporter = Exporter::start(&[&address(&fake), "--web.fail-when-down"]);
    let start = now();
    let page = exporter.get_with("/metrics", "X-Prometheus-Scrape-Timeout-Seconds: 1\r\n");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!((page.status, value(&page.body, "redis_up")), (503, Some(0.0)));
    let error = "redis_exporter_last_scrape_error{err=\"no answer in time\"}";
    assert_eq!(value(&page.body, error), Some(1.0));
}

#[test]
fn a_command_without_an_answer_costs_its_own_metrics() {
    let mut table = healthy();
    table.push(("SLOWLOG LEN", Reply::Json(serde_json::json!(3))));
    table.push(("LATENCY LATEST", Reply::Silence));
    let fake = Fake::start(&table);
    let exporter = Exporter::start(&[&address(&fake), "--connection-timeout=400ms"]);
    let page = exporter.get("/metrics");
    assert_eq!(value(&page.body, "redis_up"), Some(1.0));
    assert_eq!(value(&page.body, "redis_connected_clients"), Some(2.0));
    assert_eq!(value(&page.body, "redis_slowlog_length"), Some(3.0));
}

#[test]
fn a_second_scrape_sends_what_the_first_one_learnt_and_no_more() {
    let info = format!("{INFO}# Cluster\r\ncluster_enabled:1\r\n");
    let fake = Fake::start(&[
        ("INFO ALL", Reply::Text(info)),
        ("CLUSTER INFO", Reply::Text("cluster_state:ok\r\n".to_owned())),
        ("CONFIG GET *", Reply::Json(serde_json::json!(["maxmemory", "64"]))),
        ("SLOWLOG LEN", Reply::Json(serde_json::json!(0))),
        ("LATENCY LATEST", Reply::Json(serde_json::json!([]))),
    ]);
    let exporter = Exporter::start(&[&address(&fake)]);
    exporter.until("/health/ready", |response| response.status == 200);
    for _ in 0..2 {
        let page = exporter.get("/metrics").body;
        assert_eq!(value(&page, "redis_cluster_state"), Some(1.0));
        assert_eq!(value(&page, "redis_config_maxmemory"), Some(64.0));
    }
    let seen = fake.seen();
    let second = seen.iter().rposition(|command| command == "INFO ALL").expect("two scrapes");
    assert_eq!(
        seen[second..],
        ["INFO ALL", "CONFIG GET *", "CLUSTER INFO", "SLOWLOG LEN", "LATENCY LATEST",],
        "without SLOWLOG GET and LATENCY HISTOGRAM, which the server does not know"
    );
    let named = |name: &str| seen.iter().filter(|command| command.starts_with(name)).count();
    assert_eq!(named("CLIENT SETNAME redis_exporter"), 1, "one connection for all scrapes");
}

#[test]
fn a_server_that_does_not_let_us_in_is_not_ready() {
    let refusal = "NOAUTH Authentication required.";
    let fake = Fake::start(&[
        ("CLIENT SETNAME redis_exporter", Reply::Error(refusal.to_owned())),
        ("INFO ALL", Reply::Error(refusal.to_owned())),
        ("INFO", Reply::Error(refusal.to_owned())),
    ]);
    let exporter = Exporter::start(&[&address(&fake)]);
    let accept = "Accept: application/json\r\n";
    let report = loop {
        let report = exporter.get_with("/health", accept);
        if !report.body.contains("pending") {
            break report;
        }
    };
    assert_eq!(report.status, 503);
    assert!(report.body.contains(refusal), "{}", report.body);
    assert_eq!(exporter.get("/health/ready").status, 503);
}

#[test]
fn a_socket_is_reached_by_its_path() {
    let fake = Fake::start(&healthy());
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("valkey.sock");
    let listener = std::os::unix::net::UnixListener::bind(&path).expect("a new file");
    let port = fake.port;
    // A bridge from the socket to the server.
    std::thread::spawn(move || {
        while let Ok((from, _peer)) = listener.accept() {
            let to = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it listens");
            let (mut from_2, mut to_2) =
                (from.try_clone().expect("open"), to.try_clone().expect("open"));
            let (mut from, mut to) = (from, to);
            std::thread::spawn(move || std::io::copy(&mut from, &mut to));
            std::thread::spawn(move || std::io::copy(&mut to_2, &mut from_2));
        }
    });
    let exporter = Exporter::start(&[&format!("--redis.addr=unix://{}", path.display())]);
    assert_eq!(value(&exporter.get("/metrics").body, "redis_connected_clients"), Some(2.0));
}

#[test]
fn sigterm_ends_it_at_once_even_during_a_scrape() {
    let fake = Fake::start(&[("INFO ALL", Reply::Silence)]);
    let mut exporter = Exporter::start(&[&address(&fake)]);
    std::thread::scope(|scope| {
        let waiting = std::net::TcpStream::connect(exporter.address()).expect("it listens");
        scope.spawn(move || {
            use std::io::Write as _;
            let mut waiting = waiting;
            waiting.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").expect("sent");
            let mut rest = Vec::new();
            // The connection ends with the process: an error is as good as an end.
            let _read = waiting.read_to_end(&mut rest);
        });
        // One is the exporter's own first contact.
        while fake.seen().iter().filter(|command| *command == "INFO ALL").count() < 2 {
            std::thread::yield_now();
        }
        let (status, took) = exporter.terminate();
        assert_eq!(status.code(), Some(0));
        assert!(took < Duration::from_secs(2), "{took:?}");
    });
}

/// The status and everything on standard error.
fn run_to_end(arguments: &[&str], variables: &[(&str, &str)]) -> (ExitStatus, String) {
    let mut command = command(arguments);
    command.envs(variables.iter().copied()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary was built");
    let mut text = String::new();
    child.stderr.take().expect("it was asked for").read_to_string(&mut text).expect("text");
    (child.wait().expect("it is our child"), text)
}

#[test]
fn bad_input_is_one_clear_line_and_the_exit_code_of_redis_exporter() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let taken = format!("--web.listen-address={}", taken.local_addr().expect("bound"));
    for (arguments, code, reason) in [
        (&["--unheard-of"][..], 2, "unexpected argument"),
        (&["-check-keys-batch-size=many"], 2, "invalid value 'many'"),
        (&["--debug=perhaps"], 2, "expected true or false"),
        (&["--redis.addr=http://h"], 1, "unknown scheme"),
        (&["--redis.addr=redis://h:0"], 1, "port"),
        (&["--redis.addr=a:1,b:2"], 1, "port"),
        (&["--connection-timeout=soon"], 1, "invalid duration"),
        (&["--redis.password-file=/nowhere/at/all"], 1, "cannot load passwords from"),
        (&["--tls-client-cert-file=/x"], 1, "needed together"),
        (&["--tls-ca-cert-file=/nowhere"], 1, "--tls-ca-cert-file"),
        (&["--basic-auth-password=a", "--basic-auth-hash-password=b"], 1, "used together"),
        (&["--basic-auth-username=u", "--basic-auth-hash-password=b"], 1, "not a bcrypt hash"),
        (&["--tls-server-cert-file=/x"], 1, "needed together"),
        (&["--tls-server-cert-file=/x", "--tls-server-key-file=/y"], 1, "cert_file /x"),
        (&["--tls-server-min-version=TLS9"], 1, "--tls-server-min-version: unknown"),
        (&["--namespace=a-b"], 1, "--namespace"),
        (&[&taken], 1, "in use"),
    ] {
        let (status, text) = run_to_end(arguments, &[]);
        assert_eq!(status.code(), Some(code), "{arguments:?}: {text}");
        let complaints: Vec<_> = text.lines().filter(|line| !line.contains("level=INFO")).collect();
        let complaints: Vec<_> =
            complaints.into_iter().filter(|line| !line.contains("level=WARN")).collect();
        assert_eq!(complaints.len(), 1, "{arguments:?}: {text}");
        assert!(complaints[0].contains(reason), "{arguments:?}: {text}");
        assert!(!text.contains("Listening on"), "{arguments:?}: {text}");
    }
    for arguments in [["--help"], ["-h"], ["-version"], ["--version=true"]] {
        assert_eq!(run_to_end(&arguments, &[]).0.code(), Some(0), "{arguments:?}");
    }
}

#[test]
fn no_password_is_shown_anywhere() {
    let refusal = "WRONGPASS invalid username-password pair or user is disabled.";
    let fake = Fake::start(&[
        ("AUTH *", Reply::Error(refusal.to_owned())),
        ("INFO ALL", Reply::Error("NOAUTH Authentication required.".to_owned())),
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("passwords.json");
    std::fs::write(&file, r#"{"redis://other:1":"s3cret-file"}"#).expect("written");
    let addresses = [
        format!("redis://user:s3cret-url@127.0.0.1:{}", fake.port),
        format!("redis://s3cret-lone@127.0.0.1:{}", fake.port),
        format!("redis://127.0.0.1:{}", fake.port),
    ];
    for address in &addresses {
        let mut command = command(&["--debug", "--redis.user=me"]);
        command.envs([
            ("REDIS_ADDR", address.as_str()),
            ("REDIS_PASSWORD", "s3cret-variable"),
            ("REDIS_PASSWORD_FILE", file.to_str().expect("UTF-8")),
        ]);
        let mut exporter = Exporter::start_with(command);
        let page = exporter.get("/metrics").body;
        let error = format!("redis_exporter_last_scrape_error{{err=\"{refusal}\"}}");
        assert_eq!(value(&page, &error), Some(1.0), "{page}");
        let target = format!("/scrape?target=redis://u:s3cret-target@127.0.0.1:{}", fake.port);
        let texts = [
            page,
            exporter.get(&target).body,
            exporter.get("/scrape?target=redis://u:s3cret-bad@h:port").body,
            exporter.get("/").body,
            exporter.get_with("/health", "Accept: application/json\r\n").body,
            exporter.get("/nowhere").body,
        ];
        exporter.terminate();
        for text in texts.into_iter().chain([exporter.log()]) {
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
    assert!(fake.seen().contains(&"AUTH user s3cret-url".to_owned()));
    assert!(fake.seen().contains(&"AUTH me s3cret-lone".to_owned()));
    for flag in ["--redis.pasword=s3cret-typo", "-redis.pasword=s3cret-typo"] {
        let (_status, text) = run_to_end(&[flag], &[]);
        assert!(!text.contains("s3cret"), "{text}");
    }
    let (_status, text) = run_to_end(
        &["--redis.addr=redis://u:s3cret@h:bad", "--debug"],
        &[("REDIS_PASSWORD", "s3cret")],
    );
    assert!(!text.contains("s3cret"), "{text}");
}

#[test]
fn the_password_is_sent_to_no_host_it_was_not_meant_for() {
    let fake = Fake::start(&healthy());
    let own = address(&fake);
    let scrape = |exporter: &Exporter, host: &str| {
        let page = exporter.get(&format!("/scrape?target=redis://{host}:{}", fake.port));
        assert_eq!((page.status, value(&page.body, "redis_up")), (200, Some(1.0)));
    };
    let sent = || fake.seen().iter().filter(|command| command.starts_with("AUTH")).count();

    let exporter = Exporter::start(&[&own, "--redis.password=pw", "--redis.user=u"]);
    exporter.until("/health/ready", |response| response.status == 200);
    assert_eq!(sent(), 1, "to the server of --redis.addr");
    scrape(&exporter, "localhost");
    assert_eq!(sent(), 1);
    scrape(&exporter, "127.0.0.1");
    assert_eq!(sent(), 2, "the same host");

    let all = ["--redis.addr=", "--redis.password=pw", "--scrape.password-hosts=*.test,localhost"];
    let exporter = Exporter::start(&all);
    scrape(&exporter, "127.0.0.1");
    assert_eq!(sent(), 2);
    scrape(&exporter, "localhost");
    assert_eq!(sent(), 3, "a host that was named");
}

#[test]
fn scrape_answers_for_any_target() {
    let fake = Fake::start(&healthy());
    let exporter = Exporter::start(&["--redis.addr="]);
    let page = exporter.get(&format!("/scrape?target=redis://127.0.0.1:{}/3", fake.port)).body;
    assert_eq!(value(&page, "redis_connected_clients"), Some(2.0));
    assert_eq!(value(&page, "redis_exporter_scrapes_total"), Some(1.0));
    assert_eq!(value(&page, "redis_target_scrape_request_errors_total"), Some(0.0));
    assert_eq!(value(&page, "process_start_time_seconds"), None);
    assert!(fake.seen().contains(&"SELECT 3".to_owned()));

    for (path, text) in [
        ("/scrape", "'target' parameter must be specified"),
        ("/scrape?target=", "'target' parameter must be specified"),
        ("/scrape?target=://nope", "Invalid 'target' parameter"),
        ("/scrape?target=redis://localhost:6379-", "Invalid 'target' parameter"),
    ] {
        let response = exporter.get(path);
        assert_eq!(response.status, 400, "{path}");
        assert!(response.body.contains(text), "{path}: {}", response.body);
    }
    let page = exporter.get("/metrics");
    assert_eq!(page.status, 200);
    assert_eq!(value(&page.body, "redis_target_scrape_request_errors_total"), Some(4.0));
    assert_eq!(value(&page.body, "redis_up"), None, "there is no server of our own");
}

#[test]
fn paths_are_those_of_redis_exporter() {
    let exporter = Exporter::start(&[
        "--redis.addr=127.0.0.1:1",
        "-web.telemetry-path=/m",
        "--disable-scrape-endpoint",
    ]);
    let health = exporter.get("/health");
    assert_eq!((health.status, health.body.as_str()), (200, "ok"));
    assert!(exporter.get("/").body.contains("/m"));
    assert!(exporter.get("/m").body.contains("redis_exporter_build_info{"));
    assert_eq!(exporter.get("/nope").status, 404);
    let discovery = exporter.get("/discover-cluster-nodes");
    assert_eq!(discovery.status, 400);
    assert!(discovery.body.contains("only available on a redis cluster"));
    assert_eq!(exporter.get("/scrape?target=redis://127.0.0.1:1").status, 404);

    let only = Exporter::start(&["--redis.addr=127.0.0.1:1", "--redis-only-metrics"]);
    let page = only.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(0.0));
    assert!(!page.contains("build_info") && !page.contains("process_"), "{page}");
}
