//! The three exporters as processes: how they start, refuse to start, answer and end.

use std::{
    io::Write as _,
    net::{TcpListener, UdpSocket},
    time::Duration,
};

use anyhow::{Result, ensure};
use e2e::{Exporter, binary, eventually, run_to_end};

/// What each exporter needs to start, beside an address.
struct Subject {
    name: &'static str,
    args: &'static [&'static str],
    environment: &'static [(&'static str, &'static str)],
    /// Exit code for wrong flags, as the exporter it replaces has it.
    usage_exit: i32,
}

/// Nothing listens on port 1 of this machine: the servers are down.
const SUBJECTS: [Subject; 3] = [
    Subject {
        name: "statsd-exporter",
        args: &["--statsd.listen-udp=127.0.0.1:0", "--statsd.listen-tcp="],
        environment: &[],
        usage_exit: 1,
    },
    Subject {
        name: "postgres-exporter",
        args: &[],
        environment: &[(
            "DATA_SOURCE_NAME",
            "postgresql://watcher:S3cr%23t@127.0.0.1:1/db?sslmode=disable",
        )],
        usage_exit: 1,
    },
    Subject {
        name: "valkey-exporter",
        args: &[],
        environment: &[
            ("REDIS_ADDR", "redis://127.0.0.1:1"),
            ("REDIS_USER", "watcher"),
            ("REDIS_PASSWORD", "S3cr#t"),
        ],
        usage_exit: 2,
    },
];

impl Subject {
    fn start(&self, more: &[&str]) -> Result<Exporter> {
        let args: Vec<_> = self.args.iter().chain(more).copied().collect();
        Exporter::start(self.name, &args, self.environment)
    }

    /// Runs with `args` in place of its own and expects it to end with `code` and one line.
    fn refuses(&self, args: &[&str], environment: &[(&str, &str)], code: i32) -> Result<String> {
        let environment: Vec<_> = self.environment.iter().chain(environment).copied().collect();
        let (ended, out, err) = run_to_end(self.name, args, &environment)?;
        let context = format!("{} {args:?}: {ended:?}\n{out}{err}", self.name);
        ensure!(ended == Some(code), "{context}");
        ensure!(out.is_empty(), "{context}");
        let is_error = |line: &&str| line.contains("error: ") || line.contains("level=ERROR");
        let lines: Vec<_> = err.lines().filter(is_error).collect();
        ensure!(lines.len() == 1, "one line of error, not {}: {context}", lines.len());
        ensure!(!err.contains("Listening on"), "it served: {context}");
        Ok(lines[0].to_owned())
    }
}

#[test]
fn wrong_flags_are_one_line_and_the_exit_code_of_the_replaced_program() -> Result<()> {
    for subject in &SUBJECTS {
        for args in [
            &["--unheard-of"][..],
            &["--web.telemetry-path=no-slash"],
            &["--web.max-requests=many"],
        ] {
            subject.refuses(args, &[], subject.usage_exit)?;
        }
    }
    // Go's `flag`, which redis_exporter uses, ends at the first word that is no flag.
    for subject in &SUBJECTS[..2] {
        subject.refuses(&["stray"], &[], subject.usage_exit)?;
    }
    Ok(())
}

#[test]
fn a_bad_address_or_a_used_port_ends_before_anything_is_served() -> Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let used = format!("--web.listen-address={}", taken.local_addr()?);
    for subject in &SUBJECTS {
        for address in [used.as_str(), "--web.listen-address=127.0.0.1:port"] {
            let args: Vec<_> = subject.args.iter().copied().chain([address]).collect();
            let line = subject.refuses(&args, &[], 1)?;
            ensure!(line.contains("cannot listen on 127.0.0.1:"), "{line}");
        }
    }
    Ok(())
}

#[test]
fn a_bad_mapping_dsn_or_address_is_named() -> Result<()> {
    let [statsd, postgres, valkey] = &SUBJECTS;
    let folder = tempfile::tempdir()?;
    let mapping = folder.path().join("mapping.yml");
    std::fs::File::create(&mapping)?.write_all(b"mappings:\n- match: a.*\n  nome: a\n")?;
    let mapping = format!("--statsd.mapping-config={}", mapping.display());

    let line = statsd.refuses(&[&mapping], &[], 1)?;
    ensure!(line.contains("nome") && line.contains("mapping.yml"), "{line}");
    let line = statsd.refuses(&["--statsd.mapping-config=/nowhere.yml"], &[], 1)?;
    ensure!(line.contains("/nowhere.yml"), "{line}");
    statsd.refuses(&["--statsd.listen-udp=127.0.0.1:port"], &[], 1)?;

    let bad = ("DATA_SOURCE_NAME", "postgresql://u:S3cret@host:port/db");
    let line = postgres.refuses(&[], &[bad], 1)?;
    ensure!(!line.contains("S3cret"), "{line}");

    let line = valkey.refuses(&["--redis.addr=gopher://u:S3cret@host"], &[], 1)?;
    ensure!(!line.contains("S3cret"), "{line}");
    Ok(())
}

#[test]
fn sigterm_ends_each_within_two_seconds_and_with_zero() -> Result<()> {
    for subject in &SUBJECTS {
        let exporter = subject.start(&[])?;
        let stopped = exporter.stop()?;
        ensure!(stopped.status.code() == Some(0), "{}: {}", subject.name, stopped.status);
        ensure!(
            stopped.elapsed < Duration::from_secs(2),
            "{}: {:?}",
            subject.name,
            stopped.elapsed
        );
    }
    Ok(())
}

#[test]
fn the_health_check_tells_whether_it_is_alive() -> Result<()> {
    for subject in &SUBJECTS {
        let exporter = subject.start(&[])?;
        let address = format!("--web.listen-address={}", exporter.address());
        let check = || run_to_end(subject.name, &["healthcheck", &address], subject.environment);
        let (code, ..) = check()?;
        ensure!(code == Some(0), "{} is alive, whatever it watches", subject.name);
        exporter.stop()?;
        let (code, _, err) = check()?;
        ensure!(code == Some(1) && err.lines().count() == 1, "{}: {err}", subject.name);
    }
    Ok(())
}

#[test]
fn flags_win_over_environment_over_file() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("settings.yml");
    std::fs::write(&file, "web:\n  telemetry-path: /from-file\n")?;
    let settings = format!("--settings.file={}", file.display());
    let environment = ("STATSD_EXPORTER_WEB_TELEMETRY_PATH", "/from-environment");
    let subject = &SUBJECTS[0];
    for (args, environment, path) in [
        (&[][..], &[][..], "/metrics"),
        (&[settings.as_str()][..], &[], "/from-file"),
        (&[settings.as_str()], &[environment], "/from-environment"),
        (&[&settings, "--web.telemetry-path=/from-flag"], &[environment], "/from-flag"),
    ] {
        let args: Vec<_> = subject.args.iter().chain(args).copied().collect();
        let exporter = Exporter::start(subject.name, &args, environment)?;
        ensure!(exporter.get(path)?.body.contains("process_start_time_seconds"), "{path}");
    }
    Ok(())
}

#[test]
fn each_has_the_same_paths() -> Result<()> {
    for subject in &SUBJECTS {
        let exporter = subject.start(&[])?;
        for (path, status) in [
            ("/", 200),
            ("/metrics", 200),
            ("/-/healthy", 200),
            ("/health/live", 200),
            ("/nowhere", 404),
            ("/debug/pprof/", 404),
        ] {
            let answer = exporter.get(path)?;
            ensure!(answer.status == status, "{} {path}: {}", subject.name, answer.status);
        }
        ensure!(exporter.get("/")?.body.contains("href=\"./metrics\""), "{}", subject.name);
    }
    Ok(())
}

#[test]
fn a_server_that_is_down_is_zero_and_503_where_asked_for() -> Result<()> {
    for (subject, up) in SUBJECTS[1..].iter().zip(["pg_up", "redis_up"]) {
        for (args, status) in [(&[][..], 200), (&["--web.fail-when-down"][..], 503)] {
            let exporter = subject.start(args)?;
            let answer = exporter.get("/metrics")?;
            ensure!(answer.status == status, "{}: {}", subject.name, answer.status);
            ensure!(answer.body.contains(&format!("\n{up} 0\n")), "{}", answer.body);
            ensure!(exporter.get("/health/ready")?.status == 503, "never reached");
            ensure!(exporter.get("/health/live")?.status == 200, "the exporter itself lives");
        }
    }
    Ok(())
}

#[test]
fn a_server_that_never_answers_does_not_hang_a_scrape() -> Result<()> {
    // Connections are accepted by the system's queue and never served.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let port = silent.local_addr()?.port();
    let postgres = format!("postgresql://u:p@127.0.0.1:{port}/db?sslmode=disable");
    let valkey = format!("redis://127.0.0.1:{port}");
    for (name, variable, up) in [
        ("postgres-exporter", ("DATA_SOURCE_NAME", postgres.as_str()), "pg_up"),
        ("valkey-exporter", ("REDIS_ADDR", valkey.as_str()), "redis_up"),
    ] {
        let exporter = Exporter::start(name, &[], &[variable])?;
        let address = format!("http://{}/metrics", exporter.address());
        let limit = [("X-Prometheus-Scrape-Timeout-Seconds", "3")];
        #[expect(clippy::disallowed_methods, reason = "a test measures how long a scrape takes")]
        let start = std::time::Instant::now();
        let answer = e2e::get_with(&address, &limit)?;
        ensure!(start.elapsed() < Duration::from_secs(3), "{name}: {:?}", start.elapsed());
        ensure!(answer.body.contains(&format!("\n{up} 0\n")), "{name}: {}", answer.body);
        let stopped = exporter.stop()?;
        ensure!(stopped.elapsed < Duration::from_secs(2), "{name}: {:?}", stopped.elapsed);
    }
    Ok(())
}

#[test]
fn no_secret_is_shown() -> Result<()> {
    for subject in &SUBJECTS {
        let exporter =
            subject.start(&["--log.level=debug"][..usize::from(subject.usage_exit == 1)])?;
        let mut shown = String::new();
        for path in ["/", "/metrics", "/health", "/health/ready"] {
            shown.push_str(&exporter.get(path)?.body);
        }
        shown.push_str(&exporter.stop()?.log);
        for secret in ["S3cr#t", "S3cr%23t", "S3cr"] {
            ensure!(!shown.contains(secret), "{} shows {secret}:\n{shown}", subject.name);
        }
    }
    Ok(())
}

#[test]
fn garbage_on_the_statsd_port_is_counted_and_nothing_else() -> Result<()> {
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let listen = format!("--statsd.listen-udp=127.0.0.1:{port}");
    let exporter = Exporter::start("statsd-exporter", &[&listen, "--statsd.listen-tcp="], &[])?;
    let before = exporter.metrics()?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for length in 0..200 {
        let garbage: Vec<u8> = std::iter::repeat_with(|| {
            // Xorshift: the same bytes in each run.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state.to_le_bytes()[0]
        })
        .take(length)
        .collect();
        socket.send_to(&garbage, ("127.0.0.1", port))?;
    }
    socket.send_to(b"good:1|c", ("127.0.0.1", port))?;
    let after = eventually("the good line arrives behind the garbage", || {
        let page = exporter.metrics()?;
        ensure!(page.value("good", &[]) == Some(1.0), "not yet");
        Ok(page)
    })?;
    ensure!(after.sum("statsd_exporter_sample_errors_total", &[]) > 100.0, "errors are counted");
    let own = |name: &str| {
        ["statsd_", "process_", "promhttp_"].iter().any(|prefix| name.starts_with(prefix))
    };
    let foreign: Vec<_> = after.types.keys().filter(|name| !own(name) && *name != "good").collect();
    ensure!(foreign.is_empty(), "garbage became series: {foreign:?}");
    let restarted = before.value("process_start_time_seconds", &[])
        != after.value("process_start_time_seconds", &[]);
    ensure!(!restarted, "it did not restart");
    Ok(())
}

#[test]
fn version_and_help_are_on_standard_output() -> Result<()> {
    for subject in &SUBJECTS {
        let (code, out, err) = run_to_end(subject.name, &["--version"], &[])?;
        ensure!(code == Some(0) && err.is_empty(), "{}: {err}", subject.name);
        ensure!(out.contains(env!("CARGO_PKG_VERSION")), "{out}");
        let (code, out, err) = run_to_end(subject.name, &["--help"], &[])?;
        ensure!(code == Some(0) && err.is_empty(), "{}: {err}", subject.name);
        ensure!(out.contains("healthcheck") && out.contains("web.listen-address"), "{out}");
        ensure!(binary(subject.name).is_file(), "{}", subject.name);
    }
    Ok(())
}
