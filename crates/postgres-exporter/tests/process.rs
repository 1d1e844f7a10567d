//! The binary as an operator meets it: exit codes, one clear line, no secret, a prompt end.
#![expect(
    clippy::unwrap_used,
    clippy::string_slice,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and measures time"
)]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const SECRET: &str = "hunter2";

fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_postgres-exporter"));
    command.env_clear().stderr(Stdio::piped()).stdout(Stdio::piped());
    command
}

/// Exit code and standard error.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

struct Running {
    child: Child,
    address: String,
    log: std::thread::JoinHandle<String>,
}

/// Starts on a port of the system's choice, which the log tells.
fn start(source: &str, flags: &[&str]) -> Running {
    let mut child = command()
        .env("DATA_SOURCE_NAME", source)
        .args(["--web.listen-address=127.0.0.1:0", "--log.level=debug"])
        .args(flags)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    let address = loop {
        let before = log.len();
        assert!(lines.read_line(&mut log).unwrap() > 0, "it ended: {log}");
        if let Some((_, rest)) = log[before..].split_once("address=") {
            break rest.trim().to_owned();
        }
    };
    let log = std::thread::spawn(move || {
        lines.read_to_string(&mut log).unwrap();
        log
    });
    Running { child, address, log }
}

impl Running {
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// Sends SIGTERM; gives exit code, time and log.
    fn stop(mut self) -> (Option<i32>, Duration, String) {
        let start = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").arg(pid).status().unwrap().success());
        let code = self.child.wait().unwrap().code();
        (code, start.elapsed(), self.log.join().unwrap())
    }
}

#[test]
fn what_is_wrong_is_told_before_anything_is_served() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let source = format!("postgres://u:{SECRET}@127.0.0.1:1/db");
    for (name, source, flags, expected) in [
        (
            "flag",
            source.as_str(),
            vec!["--bogus".to_owned()],
            "unexpected argument '--bogus' found",
        ),
        (
            "source",
            "postgres://u:hunter2@h:x/db",
            vec![],
            "DATA_SOURCE_NAME is not a valid data source",
        ),
        (
            "address",
            &source,
            vec!["--web.listen-address=nonsense".to_owned()],
            "cannot listen on nonsense",
        ),
        (
            "port in use",
            &source,
            vec![format!("--web.listen-address={taken}")],
            &format!("cannot listen on {taken}: Address already in use"),
        ),
    ] {
        let (code, log) = run(command().env("DATA_SOURCE_NAME", source).args(&flags));
        assert_eq!(code, Some(1), "{name}: {log}");
        assert_eq!(log.lines().filter(|line| line.contains("error")).count(), 1, "{name}: {log}");
        assert!(log.contains(expected), "{name}: {log}");
        assert!(!log.contains(SECRET) && !log.contains("Listening"), "{name}: {log}");
    }
}

#[test]
fn a_file_that_cannot_be_read_ends_the_start() {
    let (code, log) =
        run(command().env("DATA_SOURCE_URI", "h/db").env("DATA_SOURCE_PASS_FILE", "/no/such/file"));
    assert_eq!(code, Some(1));
    assert!(log.contains("cannot read the file named by DATA_SOURCE_PASS_FILE"), "{log}");
}

#[test]
fn a_server_that_is_down_is_shown_and_no_secret_is() {
    // Nobody listens on the port of a socket that was just closed.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let source = format!("postgres://u:{SECRET}@127.0.0.1:{port}/db?sslmode=disable");
    for (flags, status) in [(vec![], "200"), (vec!["--web.fail-when-down"], "503")] {
        let running = start(&source, &flags);
        let page = running.get("/metrics");
        assert!(page.starts_with(&format!("HTTP/1.1 {status} ")), "{page}");
        assert!(page.contains("\npg_up 0\n"), "{page}");
        assert!(page.contains("\npostgres_exporter_build_info{"), "{page}");
        let others: String =
            ["/", "/health", "/health/ready", "/nothing"].map(|path| running.get(path)).concat();
        assert!(running.get("/health/live").starts_with("HTTP/1.1 200 "));
        assert!(running.get("/health/ready").starts_with("HTTP/1.1 503 "));
        assert!(running.get("/").starts_with("HTTP/1.1 200 "));

        let (code, elapsed, log) = running.stop();
        assert_eq!(code, Some(0), "{log}");
        assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
        assert_eq!(log.matches("cannot log in").count(), 1, "told once: {log}");
        for text in [page, others, log] {
            assert!(!text.contains(SECRET), "{text}");
        }
    }
}

#[test]
fn a_server_that_says_nothing_delays_neither_a_scrape_nor_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let source = format!("postgres://u:{SECRET}@{address}/db?sslmode=disable");
    let running = start(&source, &["--web.scrape-timeout=1s"]);
    let start = Instant::now();
    let page = running.get("/metrics");
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert!(page.contains("\npg_up 0\n"), "{page}");
    let (code, elapsed, log) = running.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(elapsed < Duration::from_secs(2), "{elapsed:?}");
}

#[test]
fn the_health_check_asks_the_running_exporter() {
    let running = start("postgres://u@127.0.0.1:1/db?sslmode=disable", &[]);
    let ask = |address: &str| {
        run(command().args(["healthcheck", &format!("--web.listen-address={address}")])).0
    };
    assert_eq!(
        ask(&running.address),
        Some(0),
        "a database that is down is not the exporter's death"
    );
    let address = running.address.clone();
    running.stop();
    assert_eq!(ask(&address), Some(1));
}

/// Exit code, standard output and standard error.
fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let output = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn files_of_queries_are_checked_and_converted_without_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let good = write("good.yml", "shop: {query: SELECT 1 AS n, ttl: 5m, role: standby}\n");
    let (code, out, log) =
        output(command().args([format!("--queries.file={good}").as_str(), "--queries.check"]));
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(out, "1 queries in 1 files\n  shop: 0 columns, on a standby, cached for 300s\n");

    let wrong = write("wrong.yml", "shop: {query: SELECT 1 AS n, colour: red}\n");
    let flag = format!("--queries.file={wrong}");
    for flags in [vec![flag.as_str()], vec![flag.as_str(), "--queries.check"]] {
        let (code, out, log) = output(command().args(flags));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{log}");
        assert!(log.contains("wrong.yml: unknown key shop.colour"), "{log}");
    }

    let theirs = "collector_name: c\nmetrics: [{metric_name: m, type: gauge, help: Of m., \
                  values: [n], query: SELECT 1 AS n}]\n";
    let theirs = write("theirs.yml", theirs);
    let (code, out, log) = output(command().args(["convert", &theirs]));
    assert_eq!(code, Some(0), "{log}");
    assert!(out.contains("\nm:\n  query: SELECT 1 AS n\n"), "{out}");
    for words in [vec!["convert"], vec!["convert", "/no/such/file"], vec!["convert", "--help"]] {
        let (code, out, log) = output(command().args(&words));
        assert_eq!((code, out.as_str()), (Some(1), ""), "{words:?}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}

#[test]
fn what_there_is_to_know_without_a_server_is_printed() {
    let (code, help, log) = output(command().arg("--help"));
    assert_eq!((code, log.as_str()), (Some(0), ""));
    for line in [
        "  healthcheck   Ask the running exporter whether it is alive; exits 0 or 1",
        "  convert FILE  Write a file of sql_exporter's collectors as one of --queries.file",
    ] {
        assert!(help.lines().any(|own| own == line), "{line}: {help}");
    }
    for (flags, maps) in [(vec!["--dumpmaps"], 1), (vec!["--dumpmaps", "--compat=0.19"], 5)] {
        let (code, out, log) = output(command().args(&flags));
        assert_eq!((code, log.contains("Listening")), (Some(0), false), "{log}");
        let names = out.lines().filter(|line| line.starts_with("pg_")).count();
        assert_eq!(names, maps, "{out}");
    }
}

#[test]
fn a_hangup_reads_the_files_of_queries_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("q.yml");
    std::fs::write(&path, "shop: {query: SELECT 1 AS n}\n").unwrap();
    let source = "postgres://u@127.0.0.1:1/db?sslmode=disable";
    let running = start(source, &[&format!("--queries.file={}", path.display())]);
    let shows = |text: &str| {
        let begin = Instant::now();
        loop {
            let page = running.get("/metrics");
            if page.contains(text) {
                return;
            }
            assert!(begin.elapsed() < Duration::from_secs(20), "{text}: {page}");
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let hang_up = || {
        let pid = running.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    };
    shows("\npg_queries_loaded 1\n");
    std::fs::write(&path, "a: {query: SELECT 1 AS n}\nb: {query: SELECT 1 AS n}\n").unwrap();
    hang_up();
    shows("\npg_queries_loaded 2\n");
    std::fs::write(&path, "a: {}\n").unwrap();
    hang_up();
    shows("\npg_queries_config_last_reload_successful 0\n");
    shows("\npg_queries_loaded 2\n");
    let (_, _, log) = running.stop();
    assert!(log.contains("q.yml: query a: query: is missing"), "{log}");
}
