//! How servers are reached: TLS, passwords which change, limits, and scrapes that come at once.

use std::{fs, io::Write as _, net::TcpListener, time::Duration};

use crate::{
    behaviour::{INFO, address, healthy},
    exporter::{Exporter, now, value},
    fake::{Fake, Reply},
    secure::{Authority, Bridge},
};

fn error_of(page: &str) -> String {
    let line = page.lines().find(|line| line.starts_with("redis_exporter_last_scrape_error{"));
    line.unwrap_or_default().to_owned()
}

#[test]
fn tls_with_a_client_certificate_which_is_replaced_while_it_runs() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    authority.sign("server", "valkey.test");
    authority.sign("client", "exporter.test");
    let fake = Fake::start(&healthy());
    let bridge = Bridge::start(&authority, fake.port);
    let target = format!("--redis.addr=valkeys://127.0.0.1:{}", bridge.port);
    let ca = format!("--tls-ca-cert-file={}", authority.path("ca.crt"));
    let cert = format!("--tls-client-cert-file={}", authority.path("client.crt"));
    let key = format!("--tls-client-key-file={}", authority.path("client.key"));
    let name = "--tls-server-name=valkey.test";

    let exporter = Exporter::start(&[&target, &ca, &cert, &key, name]);
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(1.0), "{}", error_of(&page));

    // Another name, no authority, no certificate: each is told by its reason.
    let page = Exporter::start(&[&target, &ca, &cert, &key]).get("/metrics").body;
    assert!(error_of(&page).contains("not valid for name"), "{}", error_of(&page));
    let page = Exporter::start(&[&target, &cert, &key, name]).get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(0.0));
    let page = Exporter::start(&[&target, &ca, name]).get("/metrics").body;
    assert!(error_of(&page).contains("certificate"), "{}", error_of(&page));
    let skipping =
        Exporter::start(&[&target, &cert, &key, "--skip-tls-verification"]).get("/metrics").body;
    assert_eq!(value(&skipping, "redis_up"), Some(1.0), "{}", error_of(&skipping));

    // The authority of the server changes with all certificates; the exporter goes on running.
    drop(bridge);
    let authority = Authority::new(folder.path());
    authority.sign("server", "valkey.test");
    authority.sign("client", "exporter.test");
    let bridge = Bridge::start(&authority, fake.port);
    let scrape = format!("/scrape?target=rediss://127.0.0.1:{}", bridge.port);
    let page = exporter.get(&scrape).body;
    assert_eq!(value(&page, "redis_up"), Some(1.0), "{}", error_of(&page));
    let page = exporter.get(&format!("{scrape}&tls_server_name=other.test")).body;
    assert!(error_of(&page).contains("not valid for name"), "{}", error_of(&page));
}

#[test]
fn a_server_without_tls_is_told_by_its_reason() {
    let fake = Fake::start(&healthy());
    let target = format!("--redis.addr=rediss://127.0.0.1:{}", fake.port);
    let exporter =
        Exporter::start(&[&target, "--skip-tls-verification", "--connection-timeout=1s"]);
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(0.0));
    assert!(error_of(&page).contains("cannot connect to 127.0.0.1"), "{}", error_of(&page));
}

#[test]
fn a_password_file_is_read_again_before_connecting() {
    let refusal = "WRONGPASS invalid username-password pair or user is disabled.";
    let fake = Fake::start(
        &[
            vec![
                ("AUTH me right", Reply::Text("OK".to_owned())),
                ("AUTH *", Reply::Error(refusal.to_owned())),
            ],
            healthy(),
        ]
        .concat(),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("passwords.json");
    let write = |password: &str| {
        let text = format!(r#"{{"valkey://me@127.0.0.1:{}":"{password}"}}"#, fake.port);
        fs::write(&file, text).expect("written");
    };
    write("wrong");
    let exporter = Exporter::start(&[
        &address(&fake),
        "--redis.user=me",
        &format!("--redis.password-file={}", file.display()),
    ]);
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(0.0));
    assert!(error_of(&page).contains(refusal), "{}", error_of(&page));
    write("right");
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(1.0), "{}", error_of(&page));

    // With a file that cannot be read, what was read before stays in force.
    fs::write(&file, "{").expect("written");
    let target = format!("/scrape?target=redis://me@127.0.0.1:{}", fake.port);
    assert_eq!(value(&exporter.get(&target).body, "redis_up"), Some(1.0));
    let reload = exporter.get("/-/reload");
    assert_eq!(reload.status, 500);
    assert!(reload.body.contains("not a JSON object"), "{}", reload.body);
    write("wrong again");
    let reload = exporter.get("/-/reload");
    assert_eq!((reload.status, reload.body.as_str()), (200, "ok"));
    let page = exporter.get("/metrics").body;
    assert!(error_of(&page).contains("WRONGPASS"), "kept connections are closed by a reload");
}

#[test]
fn reload_needs_a_password_file() {
    let fake = Fake::start(&healthy());
    let reload = Exporter::start(&[&address(&fake)]).get("/-/reload");
    assert_eq!(reload.status, 400);
    assert!(reload.body.contains("no pwd file"), "{}", reload.body);
}

#[test]
fn the_first_line_of_a_secret_file_is_the_password() {
    let fake = Fake::start(&healthy());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("secret");
    fs::write(&file, "from the file\n").expect("written");
    let secret = format!("--redis.secret-file={}", file.display());
    let exporter = Exporter::start(&[&address(&fake), &secret]);
    assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(1.0));
    assert!(fake.seen().contains(&"AUTH from the file".to_owned()));
}

#[test]
fn hosts_which_are_not_allowed_are_not_contacted() {
    let fake = Fake::start(&healthy());
    let exporter = Exporter::start(&["--redis.addr=", "--scrape.allowed-hosts=localhost,*.test"]);
    let scrape = |host: &str| exporter.get(&format!("/scrape?target={host}:{}", fake.port));
    let refused = scrape("127.0.0.1");
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("--scrape.allowed-hosts"), "{}", refused.body);
    assert_eq!(exporter.get("/scrape?target=unix:///run/v.sock").status, 403);
    assert!(fake.seen().is_empty());
    assert_eq!(value(&scrape("localhost").body, "redis_up"), Some(1.0));
}

#[test]
fn a_password_for_tls_is_not_sent_in_the_clear() {
    let fake = Fake::start(&healthy());
    let exporter =
        Exporter::start(&["--redis.addr=rediss://127.0.0.1:1", "--redis.password=s3cret"]);
    let page = exporter.get(&format!("/scrape?target=redis://127.0.0.1:{}", fake.port)).body;
    assert_eq!(value(&page, "redis_up"), Some(1.0));
    assert!(!fake.seen().iter().any(|command| command.starts_with("AUTH")));
}

#[test]
fn scrapers_have_to_give_the_password() {
    let fake = Fake::start(&healthy());
    let user = "--basic-auth-username=u";
    for password in [
        "--basic-auth-password=pw",
        "--basic-auth-hash-password=$2y$04$zZGlDwfYPZ2GpkZdJ2aHaOjoFwDDZZZjcMYL2W0o0uI6FQWxqkBRu",
    ] {
        let exporter = Exporter::start(&[&address(&fake), user, password]);
        for path in ["/metrics", "/health", "/", "/scrape?target=x"] {
            let refused = exporter.get(path);
            assert_eq!(refused.status, 401, "{path}");
            let head = refused.head.to_ascii_lowercase();
            let challenge = "www-authenticate: basic realm=\"redis-exporter, charset=utf-8\"";
            assert!(head.contains(challenge), "{head}");
        }
        // dTpwdw== is u:pw.
        let wrong = exporter.get_with("/health", "Authorization: Basic dTpubw==\r\n");
        assert_eq!(wrong.status, 401);
    }
    let exporter = Exporter::start(&[&address(&fake), user, "--basic-auth-password=pw"]);
    let page = exporter.get_with("/metrics", "Authorization: Basic dTpwdw==\r\n");
    assert_eq!((page.status, value(&page.body, "redis_up")), (200, Some(1.0)));
    let open = Exporter::start(&[&address(&fake), user]);
    assert_eq!(open.get("/metrics").status, 200, "a user alone protects nothing, as ever");
}

#[test]
fn the_page_is_served_by_tls_and_the_oldest_version_holds_with_a_client_authority() {
    let folder = tempfile::tempdir().expect("a folder");
    let authority = Authority::new(folder.path());
    authority.sign("server", "localhost");
    let mut exporter = Exporter::start(&[
        "--redis.addr=",
        &format!("--tls-server-cert-file={}", authority.path("server.crt")),
        &format!("--tls-server-key-file={}", authority.path("server.key")),
        &format!("--tls-server-ca-cert-file={}", authority.path("ca.crt")),
        "--tls-server-min-version=TLS1.3",
    ]);
    let versions = |version: &'static rustls::SupportedProtocolVersion| {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in authority.certificates("ca.crt") {
            roots.add(certificate).expect("an authority");
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[version])
            .expect("a known version")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from("localhost").expect("a name");
        let mut client =
            rustls::ClientConnection::new(std::sync::Arc::new(config), name).expect("valid");
        let mut stream = std::net::TcpStream::connect(exporter.address()).expect("it listens");
        let mut tls = rustls::Stream::new(&mut client, &mut stream);
        let mut answer = Vec::new();
        let written = tls.write_all(b"GET /metrics HTTP/1.0\r\n\r\n");
        let error = written.and_then(|()| std::io::Read::read_to_end(&mut tls, &mut answer));
        error.expect_err("no client certificate is shown").to_string()
    };
    let old = versions(&rustls::version::TLS12).to_ascii_lowercase();
    assert!(old.contains("version"), "{old}");
    let new = versions(&rustls::version::TLS13).to_ascii_lowercase();
    assert!(new.contains("certificate"), "{new}");
    exporter.terminate();
}

/// Accepts, says `words` and hangs up.
fn server_which_says(words: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _peer)) = listener.accept() {
            // The peer may have gone already.
            let _sent = stream.write_all(words.as_bytes());
        }
    });
    port
}

#[test]
fn a_server_that_says_why_and_hangs_up_is_quoted() {
    for (words, reason) in [
        ("-ERR max number of clients reached\r\n", "ERR max number of clients reached"),
        ("-DENIED Running in protected mode\r\n", "DENIED Running in protected mode"),
    ] {
        let port = server_which_says(words);
        let exporter = Exporter::start(&[&format!("--redis.addr=127.0.0.1:{port}")]);
        let page = exporter.get("/metrics").body;
        assert_eq!(value(&page, "redis_up"), Some(0.0));
        let error = format!("redis_exporter_last_scrape_error{{err=\"{reason}\"}} 1");
        assert_eq!(error_of(&page), error);
    }
}

#[test]
fn replies_beyond_the_limit_are_refused_and_counted() {
    let long = format!("# Server\r\nredis_version:{}\r\n", "x".repeat(100_000));
    let fake = Fake::start(&[("INFO ALL", Reply::Text(long))]);
    let exporter = Exporter::start(&[&address(&fake), "--scrape.max-reply-bytes=50000"]);
    let count = r#"redis_exporter_replies_refused_total{reason="bytes"}"#;
    exporter.until("/metrics", |page| value(&page.body, count).is_some_and(|count| count >= 1.0));
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(0.0));
    assert!(error_of(&page).contains("--scrape.max-reply-bytes"), "{}", error_of(&page));
}

#[test]
fn lines_beyond_the_limit_are_left_out_and_counted() {
    let lines = (0..60_000).map(|number| format!("cluster_a{number}:1\r\n"));
    let long = format!("# Server\r\n{}", lines.collect::<String>());
    let fake = Fake::start(&[("INFO ALL", Reply::Text(long))]);
    let exporter = Exporter::start(&[&address(&fake)]);
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_up"), Some(1.0));
    assert_eq!(page.matches("\nredis_cluster_a").count(), 49_999);
    let count = r#"redis_exporter_limit_reached_total{limit="info.lines"}"#;
    assert_eq!(value(&page, count), Some(10_001.0));
}

/// Says `head`, then `more` again and again, until nobody listens or far too much has been said.
fn server_without_end(head: &'static str, more: &'static str) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("bound").port();
    std::thread::spawn(move || {
        while let Ok((mut stream, _peer)) = listener.accept() {
            std::thread::spawn(move || {
                let piece = more.repeat(64 * 1024 / more.len());
                let mut sent = stream.write_all(head.as_bytes());
                for _piece in 0..16 * 1024 {
                    if sent.is_err() {
                        break;
                    }
                    sent = stream.write_all(piece.as_bytes());
                }
            });
        }
    });
    port
}

#[test]
fn a_server_that_never_ends_a_reply_is_hung_up_on() {
    for (head, more, reason, words) in [
        ("$4000000000\r\n", "x", "bytes", "more than 16777216 bytes"),
        ("*900000\r\n", "$20\r\nabcdefghijklmnopqrst\r\n", "bytes", "more than 16777216 bytes"),
        ("*2000000000\r\n", ":1\r\n", "values", "more than 1000000 values"),
        ("*900000\r\n", "*1\r\n:1\r\n", "values", "more than 1000000 values"),
        ("", "*1\r\n", "depth", "more than 32 lists"),
        ("+", "x", "line", "more than 65536 bytes"),
        ("-ERR", " x", "line", "more than 65536 bytes"),
    ] {
        let port = server_without_end(head, more);
        let exporter = Exporter::start(&["--redis.addr="]);
        let page = exporter.get(&format!("/scrape?target=127.0.0.1:{port}")).body;
        assert_eq!(value(&page, "redis_up"), Some(0.0), "{head:?}");
        assert!(error_of(&page).contains(words), "{head:?} {}", error_of(&page));
        let count = format!("redis_exporter_replies_refused_total{{reason=\"{reason}\"}}");
        let refused = |page: &str| value(page, &count).is_some_and(|count| count >= 1.0);
        let page = exporter.until("/metrics", |page| refused(&page.body)).body;
        let memory = value(&page, "process_resident_memory_bytes").expect("it is told");
        assert!(memory < 192.0 * 1024.0 * 1024.0, "{head:?} took {memory} bytes");
    }
}

#[test]
fn scrapes_at_once_ask_the_server_once() {
    let fake = Fake::start_slow(Duration::from_millis(300), &healthy());
    let exporter = Exporter::start(&["--redis.addr="]);
    let path = format!("/scrape?target=redis://127.0.0.1:{}", fake.port);
    std::thread::scope(|scope| {
        let scrapes: Vec<_> = (0..8).map(|_| scope.spawn(|| exporter.get(&path).body)).collect();
        for scrape in scrapes {
            let page = scrape.join().expect("no panic");
            assert_eq!(value(&page, "redis_up"), Some(1.0));
            assert_eq!(value(&page, "redis_exporter_scrapes_total"), Some(1.0));
        }
    });
    let seen = fake.seen();
    assert_eq!(seen.iter().filter(|command| *command == "INFO ALL").count(), 1, "{seen:?}");
}

#[test]
fn a_scrape_of_a_known_server_is_one_batch() {
    let fake = Fake::start(&healthy());
    let exporter = Exporter::start(&[&address(&fake)]);
    exporter.until("/health/ready", |response| response.status == 200);
    let first = fake.batches();
    assert!(first <= 2, "connecting and the first scrape: {first}");
    for scrape in 1..=3 {
        assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(1.0));
        assert_eq!(fake.batches(), first + scrape);
    }
}

#[test]
fn connections_are_kept_and_never_more_than_allowed() {
    let fakes: Vec<_> = (0..5).map(|_| Fake::start(&healthy())).collect();
    let exporter = Exporter::start(&["--redis.addr=", "--scrape.max-connections=3"]);
    for _round in 0..3 {
        for fake in &fakes {
            let path = format!("/scrape?target=redis://127.0.0.1:{}", fake.port);
            assert_eq!(value(&exporter.get(&path).body, "redis_up"), Some(1.0));
        }
    }
    let page = exporter.get("/metrics").body;
    assert_eq!(value(&page, "redis_exporter_server_connections"), Some(3.0));
    let last = &fakes[4];
    let connects = || last.seen().iter().filter(|command| command.starts_with("CLIENT")).count();
    let before = connects();
    exporter.get(&format!("/scrape?target=redis://127.0.0.1:{}", last.port));
    assert_eq!(connects(), before, "a kept connection is used again");
}

#[test]
fn a_kept_connection_that_went_silent_is_replaced_in_the_same_scrape() {
    let fake = Fake::start(&healthy());
    let exporter = Exporter::start(&[&address(&fake), "--connection-timeout=2s"]);
    assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(1.0));
    fake.mute_open_connections();
    let start = now();
    assert_eq!(value(&exporter.get("/metrics").body, "redis_up"), Some(1.0));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn each_collector_tells_how_it_went() {
    let mut table = healthy();
    table.push(("SLOWLOG LEN", Reply::Error("NOPERM this user has no permissions".to_owned())));
    table.push(("CONFIG *", Reply::Error("ERR unknown command 'CONFIG'".to_owned())));
    let fake = Fake::start(&table);
    let exporter = Exporter::start(&[&address(&fake)]);
    let page = exporter.get("/metrics").body;
    let success = |name: &str| {
        value(&page, &format!("redis_exporter_collector_success{{collector=\"{name}\"}}"))
    };
    assert_eq!(success("info"), Some(1.0));
    assert_eq!(success("slowlog"), Some(0.0));
    assert_eq!(success("config"), Some(1.0), "a command which is not there is no failure");
    assert!(page.contains("redis_exporter_collector_duration_seconds{collector=\"latency\"}"));
    assert!(INFO.contains("role:master") && value(&page, "redis_up") == Some(1.0));
}

#[test]
fn the_nodes_of_a_cluster_are_found() {
    let nodes = "07c37dfe 10.0.0.1:30004@31004,host4 slave e7d1 0 14 4 connected\n\
        e7d1 fd00::1:30001@31001 myself,master - 0 0 1 connected 0-5460\n\
        aa :0@0 master,noaddr - 0 0 1 disconnected\n";
    let mut table = healthy();
    table.push(("INFO", Reply::Text("# Cluster\r\ncluster_enabled:1\r\n".to_owned())));
    table.push(("CLUSTER NODES", Reply::Text(nodes.to_owned())));
    let fake = Fake::start(&table);
    let exporter = Exporter::start(&[&address(&fake), "--is-cluster"]);
    let found = exporter.get("/discover-cluster-nodes");
    assert_eq!(found.status, 200);
    assert!(found.head.to_ascii_lowercase().contains("content-type: application/json"));
    let expected =
        r#"[{"labels":{},"targets":["redis://10.0.0.1:30004","redis://[fd00::1]:30001"]}]"#;
    assert_eq!(found.body, expected);
    let by_name =
        Exporter::start(&[&address(&fake), "--is-cluster", "--cluster-discover-hostnames"]);
    let found = by_name.get("/discover-cluster-nodes").body;
    assert!(found.contains("redis://host4:30004"), "{found}");

    // Prometheus' own form, of any server.
    let found = exporter.get(&format!("/discover?target=redis://127.0.0.1:{}", fake.port));
    assert_eq!(found.status, 200);
    let groups: serde_json::Value = serde_json::from_str(&found.body).expect("JSON");
    assert_eq!(groups.as_array().map(Vec::len), Some(2));
    assert_eq!(groups[0]["labels"]["__meta_valkey_role"], "replica");
    assert_eq!(groups[0]["labels"]["__meta_valkey_shard"], "e7d1");

    drop(fake);
    let found = exporter.get("/discover-cluster-nodes");
    assert_eq!(found.status, 500);
    assert!(found.body.contains("cannot connect to"), "{}", found.body);
    let closed = Exporter::start(&["--redis.addr=", "--disable-scrape-endpoint"]);
    assert_eq!(closed.get("/discover?target=redis://127.0.0.1:1").status, 403);
    assert_eq!(closed.get("/discover").status, 400);
}
