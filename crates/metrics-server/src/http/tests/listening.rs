//! Unix sockets, several addresses, prefixes, and the health check which finds its way to all.

use std::{fs, os::unix::fs::MetadataExt as _, path::Path};

use tokio::net::UnixStream;

use super::{
    bind, exchange, read, start,
    tls::{Client, Site},
};
use crate::healthcheck;

const SCRAPE: &str = "GET /metrics HTTP/1.1\r\nHost: x\r\n";

/// Runs the blocking health check beside the server.
async fn check(address: &str, prefix: &str) -> Result<(), String> {
    let (address, prefix) = (address.to_owned(), prefix.to_owned());
    let checking = tokio::task::spawn_blocking(move || healthcheck::check(&address, &prefix));
    checking.await.unwrap().map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_unix_socket_is_served_taken_over_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    for form in ["unix:", "unix://"] {
        let address = format!("{form}{}", path.display());
        let flag = format!("--web.listen-address={address}");
        // What a process leaves which was killed.
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(path.exists());

        let running = start(&[&flag, "--web.listen-address=127.0.0.1:0"]).await;
        let stream = UnixStream::connect(&path).await.unwrap();
        assert!(exchange(stream, SCRAPE).await.unwrap().body.contains("x_up 1\n"));
        assert_eq!(running.get("/metrics").await.status, 200, "and the TCP address is served too");
        check(&address, "").await.unwrap();

        let error = bind(&read(&[&flag]).web).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot listen on {address}: Address")), "{error}");

        running.stop.request();
        running.served.await.unwrap().unwrap();
        assert!(!path.exists(), "nothing is left behind");
        check(&address, "").await.unwrap_err();
    }
}

#[tokio::test]
async fn a_file_which_is_no_socket_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("precious");
    fs::write(&path, "data").unwrap();
    let address = format!("unix:{}", path.display());
    let flag = format!("--web.listen-address={address}");
    let error = bind(&read(&[&flag]).web).await.unwrap_err().to_string();
    assert_eq!(error, format!("cannot listen on {address}: there is a file of that name"));
    assert_eq!(fs::read_to_string(&path).unwrap(), "data");
}

#[tokio::test]
async fn the_socket_of_a_successor_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let flags = read(&[&format!("--web.listen-address=unix:{}", path.display())]);
    let first = bind(&flags.web).await.unwrap();
    fs::rename(&path, folder.path().join("away")).unwrap();
    let second = bind(&flags.web).await.unwrap();
    let number = fs::metadata(&path).unwrap().ino();
    drop(first);
    assert_eq!(fs::metadata(&path).unwrap().ino(), number);
    drop(second);
    assert!(!Path::new(&path).exists());
}

#[tokio::test]
async fn all_paths_are_below_the_prefix() {
    for (flags, prefix, home) in [
        (&["--web.route-prefix=/a/b/"][..], "/a/b", "/a/b/"),
        (&["--web.external-url=https://example.org/x"][..], "/x", "/x/"),
        (
            &["--web.external-url=https://example.org/outside/", "--web.route-prefix=in"][..],
            "/in",
            "/outside/",
        ),
    ] {
        let flags = [flags, &["--web.enable-lifecycle"]].concat();
        let running = start(&flags).await;
        for path in ["/", prefix] {
            let answer = running.get(path).await;
            assert_eq!(answer.status, 302);
            assert!(answer.head.contains(&format!("\r\nlocation: {home}\r\n")), "{}", answer.head);
        }
        for (path, status) in [
            ("/", 200),
            ("/metrics", 200),
            ("/metrics?name[]=x_up", 200),
            ("/health/live", 200),
            ("/-/healthy", 200),
            ("/-/quit", 405),
            ("/nowhere", 404),
        ] {
            assert_eq!(running.get(&format!("{prefix}{path}")).await.status, status, "{path}");
        }
        let filtered = running.get(&format!("{prefix}/metrics?name[]=x_up")).await.body;
        assert_eq!(filtered.lines().count(), 3, "the query is kept");
        for path in ["/metrics", "/health/live", &format!("{prefix}x/metrics")] {
            assert_eq!(running.get(path).await.status, 404, "{path}");
        }
        let address = running.address.to_string();
        check(&address, prefix).await.unwrap();
        assert_eq!(check(&address, "").await.unwrap_err(), format!("{address}: answered 404"));
    }
}

#[tokio::test]
async fn without_a_prefix_an_external_url_changes_nothing() {
    for flag in ["--web.external-url=https://example.org", "--web.route-prefix=/"] {
        let running = start(&[flag]).await;
        assert_eq!(running.get("/").await.status, 200);
        assert_eq!(running.get("/metrics").await.status, 200);
    }
    let flags = ["--web.external-url=https://example.org/x", "--web.route-prefix=/"];
    assert_eq!(start(&flags).await.get("/metrics").await.status, 200, "a proxy takes /x away");
}

#[tokio::test]
async fn the_health_check_goes_through_tls_and_counts_a_question_as_an_answer() {
    let site = Site::new();
    site.write("ca.crt", &site.authority.pem());
    let hash = bcrypt::hash("secret", 4).unwrap();
    for text in [
        String::new(),
        format!("basic_auth_users: {{alice: {hash}}}\n"),
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n".to_owned(),
        "  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: ca.crt\n  \
         max_version: TLS12\n"
            .to_owned(),
        "rate_limit: {interval: 1h, burst: 0}\n".to_owned(),
    ] {
        let running = site.start(&text).await;
        check(&running.address.to_string(), "")
            .await
            .unwrap_or_else(|error| panic!("{text}{error}"));
    }
    let running = site.start("").await;
    let ingest = running.health.check("ingest", crate::Role::Liveness);
    ingest.failed("thread ended", std::time::Duration::ZERO);
    let address = running.address.to_string();
    assert_eq!(check(&address, "").await.unwrap_err(), format!("{address}: answered 503"));
    assert_eq!(Client::new(&site.authority).scrape(&running).await.unwrap().status, 200);
}

#[tokio::test]
async fn a_connection_that_asks_nothing_does_not_delay_the_stop() {
    let running = start(&[]).await;
    let _silent = tokio::net::TcpStream::connect(running.address).await.unwrap();
    assert_eq!(running.get("/metrics").await.status, 200, "the one before is served as well");
    running.stop.request();
    let limit = std::time::Duration::from_secs(1);
    tokio::time::timeout(limit, running.served).await.unwrap().unwrap().unwrap();
}

#[tokio::test]
async fn lifecycle_acts_on_put_and_post_where_it_is_switched_on() {
    let running = start(&[]).await;
    assert_eq!(running.request("POST /-/quit HTTP/1.1\r\nHost: x\r\n").await.status, 404);

    for method in ["PUT", "POST"] {
        let running = start(&["--web.enable-lifecycle"]).await;
        let ask = async |method: &str, path: &str| {
            running.request(&format!("{method} {path} HTTP/1.1\r\nHost: x\r\n")).await
        };
        let answer = ask("GET", "/-/quit").await;
        assert_eq!(answer.status, 405);
        assert!(answer.head.contains("\r\nallow: post, put\r\n"), "{}", answer.head);
        let answer = ask(method, "/-/reload").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (500, "failed to reload config: no such file\n")
        );
        let answer = ask(method, "/-/quit").await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "Requesting termination... Goodbye!")
        );
        running.served.await.unwrap().unwrap();
    }
}

/// The role of the child process in the next test.
const CHILD: &str = "METRICS_SERVER_SERVES_SYSTEMD_SOCKETS";

/// A shell hands its standard input on as descriptor 3, as systemd does, and becomes this very
/// test in another role, which serves there until it is ended.
#[tokio::test]
async fn the_sockets_of_systemd_are_served() {
    if std::env::var_os(CHILD).is_some() {
        let running = start(&["--web.systemd-socket"]).await;
        return running.served.await.unwrap().unwrap();
    }
    let error = bind(&read(&["--web.systemd-socket"]).web).await.unwrap_err().to_string();
    let expected = "cannot use the sockets of systemd: none was passed, ";
    assert!(error.starts_with(expected), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.sock");
    let unix = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let tcp = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = tcp.local_addr().unwrap();

    let mut child = serve_on(unix.into());
    let stream = UnixStream::connect(&path).await.unwrap();
    assert!(exchange(stream, SCRAPE).await.unwrap().body.contains("x_up 1\n"));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(path.exists(), "the socket is not ours to remove");

    let mut child = serve_on(tcp.into());
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    assert!(exchange(stream, SCRAPE).await.unwrap().body.contains("x_up 1\n"));
    child.kill().unwrap();
    child.wait().unwrap();
}

fn serve_on(socket: std::os::fd::OwnedFd) -> std::process::Child {
    let script = "exec 3<&0 0</dev/null; LISTEN_PID=$$ LISTEN_FDS=1 exec \"$0\" \"$@\"";
    std::process::Command::new("/bin/sh")
        .args(["-c", script])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "http::tests::listening::the_sockets_of_systemd_are_served"])
        .env(CHILD, "1")
        .stdin(socket)
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap()
}
