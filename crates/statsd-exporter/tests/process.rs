//! The program as a process: sockets, signals, exit codes, the HTTP side.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream, UdpSocket},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

/// Long enough for a busy machine; nothing waits that long unless it fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running exporter on ports of its own.
struct Exporter {
    child: Child,
    stderr: BufReader<std::process::ChildStderr>,
    http: SocketAddr,
    udp: Option<SocketAddr>,
    tcp: Option<SocketAddr>,
}

#[expect(clippy::disallowed_methods, reason = "a test has a clock of its own")]
fn now() -> Instant {
    Instant::now()
}

fn command(flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_statsd-exporter"));
    for name in ["--web.listen-address", "--statsd.listen-udp", "--statsd.listen-tcp"] {
        if !flags.iter().any(|flag| flag.starts_with(name)) {
            command.arg(format!("{name}=127.0.0.1:0"));
        }
    }
    command.args(flags).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

impl Exporter {
    /// Starts it and waits until it says where it serves.
    fn start(flags: &[&str]) -> Self {
        let mut child = command(flags).spawn().expect("the binary");
        let mut stderr = BufReader::new(child.stderr.take().expect("piped"));
        let (mut udp, mut tcp) = (None, None);
        let http = loop {
            let mut line = String::new();
            assert!(stderr.read_line(&mut line).expect("a log line") > 0, "it ended");
            let address = line.split("address=").nth(1);
            let address = address
                .and_then(|rest| rest.split_whitespace().next()?.trim_matches('"').parse().ok());
            if line.contains("over UDP") {
                udp = address;
            } else if line.contains("over TCP") {
                tcp = address;
            } else if line.contains("Listening on") {
                break address.expect("an address");
            }
        };
        Self { child, stderr, http, udp, tcp }
    }

    fn get(&self, path: &str) -> (u16, String) {
        self.request("GET", path)
    }

    fn request(&self, method: &str, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).expect("the HTTP side");
        stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).expect("a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok());
        (status.expect("a status"), answer)
    }

    /// Scrapes until the page has all `lines`.
    fn shows(&self, lines: &[&str]) {
        let start = now();
        loop {
            let (status, page) = self.get("/metrics");
            assert_eq!(status, 200, "{page}");
            let missing: Vec<_> =
                lines.iter().filter(|line| !page.lines().any(|found| found == **line)).collect();
            if missing.is_empty() {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "missing {missing:?} in {page}");
            std::thread::yield_now();
        }
    }

    fn send_udp(&self, datagram: &[u8]) {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        socket.send_to(datagram, self.udp.expect("a UDP listener")).expect("loopback");
    }

    fn signal(&self, name: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().expect("kill");
        assert!(sent.success());
    }

    /// Waits for its end; returns status, the rest of its log, and how long it took.
    fn end(mut self) -> (ExitStatus, String, Duration) {
        let start = now();
        let mut log = String::new();
        self.stderr.read_to_string(&mut log).expect("a log");
        let status = self.child.wait().expect("our child");
        (status, log, start.elapsed())
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended by itself; both outcomes are fine here.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs to its end: exit code and standard error.
fn run(command: &mut Command) -> (Option<i32>, String) {
    let output = command.output().expect("the binary");
    (output.status.code(), String::from_utf8(output.stderr).expect("text"))
}

fn file(directory: &TempDir, name: &str, text: &str) -> String {
    let path = directory.path().join(name);
    fs::write(&path, text).expect("a temporary file");
    path.to_str().expect("UTF-8").to_owned()
}

#[test]
fn every_listener_leads_to_the_page() {
    let directory = TempDir::new().expect("a directory");
    let path = directory.path().join("statsd.sock");
    let path = path.to_str().expect("UTF-8");
    let exporter = Exporter::start(&[
        &format!("--statsd.listen-unixgram={path}"),
        "--statsd.unixsocket-mode=700",
        "--statsd.max-tcp-line-length=20",
    ]);
    exporter.send_udp(b"udp:1|c\nudp:2|c");
    let unix = UnixDatagram::unbound().expect("a socket");
    unix.send_to(b"unix:3|c", path).expect("the socket");
    let mode = fs::metadata(path).expect("a socket file").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    let mut stream = TcpStream::connect(exporter.tcp.expect("a listener")).expect("TCP");
    stream.write_all(b"tcp:1|").expect("a half line");
    stream.flush().expect("a half line");
    stream
        .write_all(b"c\r\nthis.line.is.longer.than.twenty:1|c\ntcp:2|c\n\ntcp:4|c")
        .expect("lines");
    drop(stream);
    exporter.shows(&[
        "udp 3",
        "unix 3",
        "tcp 7",
        "statsd_exporter_udp_packets_total 1",
        "statsd_exporter_unixgram_packets_total 1",
        "statsd_exporter_tcp_connections_total 1",
        "statsd_exporter_tcp_too_long_lines_total 1",
        "statsd_exporter_lines_total 7",
    ]);
    exporter.signal("TERM");
    let (status, _log, took) = exporter.end();
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!Path::new(path).exists(), "the socket's file is gone");
}

#[test]
fn health_metrics_and_lifecycle_answer() {
    let exporter = Exporter::start(&["--web.enable-lifecycle"]);
    for (method, path, status, end) in [
        ("GET", "/-/healthy", 200, "Statsd Exporter is Healthy.\n"),
        ("GET", "/-/ready", 200, "Statsd Exporter is Ready.\n"),
        ("GET", "/health/live", 200, "ok\n"),
        ("GET", "/-/reload", 200, "\r\n\r\n"),
        ("POST", "/-/reload", 200, "Requesting reload\nthere is no mapping file\n"),
        ("GET", "/debug/pprof/", 404, "404 page not found\n"),
        ("GET", "/-/quit", 200, "\r\n\r\n"),
    ] {
        let (found, answer) = exporter.request(method, path);
        assert_eq!(found, status, "{path}");
        assert!(answer.ends_with(end), "{path}: {answer}");
    }
    exporter.shows(&["promhttp_metric_handler_requests_in_flight 1"]);
    let (_status, page) = exporter.get("/metrics");
    for name in ["statsd_exporter_build_info{", "process_cpu_seconds_total ", "process_open_fds "] {
        assert!(page.contains(&format!("\n{name}")), "{name}");
    }
    let (status, answer) = exporter.request("PUT", "/-/quit");
    assert_eq!(status, 200);
    assert!(answer.ends_with("Requesting termination... Goodbye!"));
    assert_eq!(exporter.end().0.code(), Some(0));
}

#[test]
fn without_lifecycle_there_are_no_such_routes() {
    let exporter = Exporter::start(&[]);
    assert_eq!(exporter.request("POST", "/-/reload").0, 404);
    assert_eq!(exporter.request("POST", "/-/quit").0, 404);
}

#[test]
fn a_hangup_reads_the_mapping_again() {
    let directory = TempDir::new().expect("a directory");
    let path = file(&directory, "m.yml", "mappings: [{match: a, name: m1}]");
    let exporter =
        Exporter::start(&[&format!("--statsd.mapping-config={path}"), "--web.enable-lifecycle"]);
    exporter.send_udp(b"a:1|c");
    exporter.shows(&["m1 1", "statsd_exporter_loaded_mappings 1"]);
    file(
        &directory,
        "m.yml",
        "mappings: [{match: a, name: m2}, {match: b, name: m3, initialize: 0}]",
    );
    exporter.signal("HUP");
    exporter.shows(&["statsd_exporter_config_reloads_total{outcome=\"success\"} 1", "m3 0"]);
    exporter.send_udp(b"a:1|c");
    exporter.shows(&["m1 1", "m2 1"]);
    file(&directory, "m.yml", "mappings: [{match: a, name: 0bad}]");
    let (status, answer) = exporter.request("POST", "/-/reload");
    assert_eq!(status, 500);
    assert!(answer.contains("name \"0bad\" is not a metric name"), "{answer}");
    exporter.send_udp(b"a:1|c");
    exporter.shows(&["m2 2", "statsd_exporter_config_reloads_total{outcome=\"failure\"} 1"]);
}

#[test]
fn what_cannot_work_is_one_line_and_status_one() {
    let directory = TempDir::new().expect("a directory");
    let bad = file(&directory, "bad.yml", "mappings:\n- {match: a, name: a-b}\n");
    let taken_udp = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let taken_udp = taken_udp.local_addr().map(|address| (taken_udp, address)).expect("bound");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
    let taken_tcp = taken.local_addr().expect("bound");
    let existing = file(&directory, "existing.sock", "");
    for (flag, expected) in [
        (format!("--statsd.mapping-config={bad}"), "name \\\"a-b\\\" is not a metric name"),
        ("--statsd.mapping-config=/nowhere/m.yml".into(), "cannot load mapping /nowhere/m.yml"),
        ("--statsd.listen-udp=nowhere".into(), "cannot listen on UDP nowhere"),
        ("--statsd.listen-udp=127.0.0.1:99999".into(), "cannot listen on UDP 127.0.0.1:99999"),
        (format!("--statsd.listen-udp={}", taken_udp.1), "in use"),
        (format!("--statsd.listen-tcp={taken_tcp}"), "in use"),
        (format!("--web.listen-address={taken_tcp}"), "in use"),
        (format!("--statsd.listen-unixgram={existing}"), "cannot listen on unixgram"),
        ("--statsd.relay.address=nowhere".into(), "cannot relay to nowhere"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statsd-exporter"));
        let other = [
            ("--web.listen-address", "127.0.0.1:0"),
            ("--statsd.listen-udp", "127.0.0.1:0"),
            ("--statsd.listen-tcp", "127.0.0.1:0"),
        ];
        for (name, value) in other.iter().filter(|(name, _)| !flag.starts_with(name)) {
            command.arg(format!("{name}={value}"));
        }
        let (code, log) = run(command.arg("--log.level=error").arg(&flag));
        assert_eq!(code, Some(1), "{flag}: {log}");
        assert_eq!(log.lines().count(), 1, "{flag}: {log}");
        assert!(log.contains(expected), "{flag}: {log}");
    }
    assert!(Path::new(&existing).exists(), "somebody else's file stays");
}

#[test]
fn wrong_flags_are_one_line_and_status_one() {
    for (flags, expected) in [
        (&["--no-such-flag"][..], "--no-such-flag"),
        (&["--statsd.cache-size=-1"], "statsd.cache-size"),
        (&["--statsd.cache-type=mru"], "mru"),
        (&["--statsd.listen-udp=", "--statsd.listen-tcp="], "at least one"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_statsd-exporter"));
        let (code, log) = run(command.arg("--log.level=error").args(flags));
        assert_eq!(code, Some(1), "{flags:?}: {log}");
        assert_eq!(log.lines().count(), 1, "{flags:?}: {log}");
        assert!(log.contains(expected), "{flags:?}: {log}");
    }
}

#[test]
fn a_mapping_can_be_checked_without_a_listener() {
    let directory = TempDir::new().expect("a directory");
    let good = file(&directory, "good.yml", "mappings: [{match: a, name: m}]");
    let bad = file(&directory, "bad.yml", "mappings: [{match: a, colour: red}]");
    for (path, expected) in [(good, 0), (bad, 1)] {
        let flags = ["--check-config", &format!("--statsd.mapping-config={path}")];
        assert_eq!(run(&mut command(&flags)).0, Some(expected));
    }
}

#[test]
fn every_flag_of_statsd_exporter_is_taken() {
    let exporter = Exporter::start(&[
        "--web.telemetry-path=/stats",
        "--statsd.cache-size=0",
        "--statsd.cache-type",
        "random",
        "--statsd.event-queue-size=1",
        "--statsd.event-flush-threshold=1",
        "--statsd.event-flush-interval=10ms",
        "--statsd.udp-packet-queue-size=1",
        "--statsd.read-buffer=65536",
        "--debug.dump-fsm=/nowhere/fsm.dot",
        "--no-check-config",
        "--no-statsd.parse-dogstatsd-tags",
        "--no-statsd.parse-influxdb-tags",
        "--no-statsd.parse-librato-tags",
        "--no-statsd.parse-signalfx-tags",
        "--statsd.relay.packet-length=1000",
        "--log.level=info",
        "--log.format=logfmt",
    ]);
    let (status, page) = exporter.get("/stats");
    assert_eq!(status, 200);
    assert!(!page.contains("statsd_metric_mapper_cache"), "no cache, no metrics of it");
}

#[test]
fn the_relay_joins_lines_and_never_waits() {
    let target = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    target.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let address = target.local_addr().expect("bound");
    let exporter = Exporter::start(&[
        &format!("--statsd.relay.address={address}"),
        "--statsd.relay.packet-length=30",
    ]);
    exporter.send_udp(b"a.line.which.is.far.too.long:1|c\nfoo:1|c|#t:v\nnot a line\n\nlast:1|c");
    let mut packets = Vec::new();
    let mut buffer = [0; 100];
    for _ in 0..2 {
        let length = target.recv(&mut buffer).expect("a packet");
        packets.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    assert_eq!(packets, ["foo:1|c|#t:v\nnot a line\n", "last:1|c\n"]);
    let count = |name: &str, value: u32| {
        format!("statsd_exporter_relay_{name}_total{{target=\"{address}\"}} {value}")
    };
    let lines = [count("packets", 2), count("lines_relayed", 3), count("long_lines", 1)];
    exporter.shows(&lines.each_ref().map(String::as_str));
}

#[test]
fn tcp_connections_are_bounded() {
    let exporter = Exporter::start(&["--statsd.max-tcp-connections=2"]);
    let address = exporter.tcp.expect("a listener");
    let mut streams: Vec<TcpStream> =
        (0..2).map(|_| TcpStream::connect(address).expect("TCP")).collect();
    exporter.shows(&["statsd_exporter_tcp_connections_total 2"]);
    let mut refused = TcpStream::connect(address).expect("TCP");
    refused.set_read_timeout(Some(PATIENCE)).expect("a socket");
    let mut byte = [0];
    assert!(matches!(refused.read(&mut byte), Ok(0) | Err(_)), "it is closed");
    streams[0].write_all(b"still:1|c\n").expect("the connection");
    exporter
        .shows(&["still 1", "statsd_exporter_limit_refusals_total{limit=\"tcp_connections\"} 1"]);
}

/// Random bytes on the ports, then everything still works.
#[test]
fn garbage_is_counted_and_nothing_else() {
    let exporter = Exporter::start(&[]);
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut datagram = [0_u8; 200];
    let mut stream = TcpStream::connect(exporter.tcp.expect("a listener")).expect("TCP");
    for _ in 0..500 {
        for byte in &mut datagram {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state.to_le_bytes()[0];
        }
        exporter.send_udp(&datagram);
        stream.write_all(&datagram).expect("TCP");
    }
    drop(stream);
    exporter.send_udp(b"ok:1|c");
    exporter.shows(&["ok 1"]);
    assert_eq!(exporter.get("/health/live").0, 200);
}

#[test]
fn what_becomes_of_names_can_be_looked_into() {
    let directory = TempDir::new().expect("a directory");
    let path = file(&directory, "m.yml", "mappings: [{match: a.*, name: m}]");
    let exporter = Exporter::start(&[
        &format!("--statsd.mapping-config={path}"),
        "--web.enable-debug",
        "--web.enable-lifecycle",
    ]);
    exporter.send_udp(b"a.b:1|c\nother:1|c\nbad:x|c");
    exporter.shows(&["m 1", "other 1"]);
    let (status, answer) = exporter.get("/debug/mapping?name=a.b&type=counter");
    assert_eq!(status, 200);
    assert!(answer.contains("a.b (counter): mapping 1 maps it\n"), "{answer}");
    assert!(exporter.get("/debug/unmapped").1.contains("other: 1 series\n    other:1|c\n"));
    assert!(exporter.get("/debug/badlines").1.contains("malformed_value: 1 samples\n"));
    assert_eq!(exporter.get("/debug/mapping").0, 400);
    let (status, answer) = exporter.request("POST", "/-/reload");
    assert_eq!(status, 200);
    let outcome = "Requesting reload\nloaded 1 rules\nkept 2 series\n\
        0 of them have another time to live\n\
        0 of them began anew with other buckets or quantiles\n";
    assert!(answer.ends_with(outcome), "{answer}");
    assert_eq!(exporter.request("POST", "/-/clear").0, 400);
    assert!(exporter.request("POST", "/-/clear?name=m").1.ends_with("cleared 1 series\n"));
    exporter.send_udp(b"a.b:5|c");
    exporter.shows(&["m 5", "other 1"]);
}

#[test]
fn without_debug_there_are_no_such_routes() {
    let exporter = Exporter::start(&[]);
    for path in ["/debug/mapping?name=a", "/debug/unmapped", "/debug/badlines"] {
        assert_eq!(exporter.get(path).0, 404, "{path}");
    }
    assert_eq!(exporter.request("POST", "/-/clear?all=true").0, 404);
}

#[test]
fn several_addresses_and_sockets_lead_to_one_page() {
    let exporter = Exporter::start(&[
        "--statsd.listen-udp=127.0.0.1:0, 127.0.0.1:0",
        "--statsd.udp-threads=3",
    ]);
    for _ in 0..20 {
        exporter.send_udp(b"a:1|c");
    }
    exporter.shows(&["a 20", "statsd_exporter_udp_packets_total 20"]);
}

/// A datagram behind its length, as `DogStatsD` sends it over a stream.
fn frame(datagram: &[u8]) -> Vec<u8> {
    let length = u32::try_from(datagram.len()).expect("short");
    [&length.to_le_bytes()[..], datagram].concat()
}

#[test]
fn a_unix_stream_has_frames_and_a_stale_socket_is_taken_over() {
    let directory = TempDir::new().expect("a directory");
    let paths = ["stream", "datagram"].map(|name| {
        let path = directory.path().join(name);
        path.to_str().expect("UTF-8").to_owned()
    });
    // Whoever had these sockets has gone without removing their files.
    drop(UnixListener::bind(&paths[0]).expect("a socket"));
    drop(UnixDatagram::bind(&paths[1]).expect("a socket"));
    let flags = [
        format!("--statsd.listen-unix={}", paths[0]),
        format!("--statsd.listen-unixgram={}", paths[1]),
    ];
    let flags = flags.each_ref().map(String::as_str);
    let exporter = Exporter::start(&flags);
    let mut stream = UnixStream::connect(&paths[0]).expect("the socket");
    let frames = [frame(b"a:1|c\nb:2|c"), frame(b""), frame(&vec![b'x'; 70_000]), frame(b"a:5|c")];
    let bytes = frames.concat();
    let (first, second) = bytes.split_at(9);
    stream.write_all(first).expect("half a frame");
    stream.flush().expect("half a frame");
    stream.write_all(second).expect("frames");
    exporter.shows(&[
        "a 6",
        "b 2",
        "statsd_exporter_unix_connections_total 1",
        "statsd_exporter_unix_packets_total 3",
        "statsd_exporter_tcp_too_long_lines_total 1",
    ]);
    // A socket which somebody listens on stays theirs.
    for flag in flags {
        let (code, log) = run(command(&[flag]).arg("--log.level=error"));
        assert_eq!(code, Some(1), "{log}");
        assert!(log.contains("in use"), "{log}");
    }
}

#[test]
fn silent_connections_are_closed() {
    let exporter = Exporter::start(&["--statsd.tcp-idle-timeout=300ms"]);
    let mut stream = TcpStream::connect(exporter.tcp.expect("a listener")).expect("TCP");
    stream.write_all(b"a:1|c\n").expect("a line");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "it is closed");
    exporter.shows(&["a 1", "statsd_exporter_limit_refusals_total{limit=\"idle\"} 1"]);
}

#[test]
fn only_allowed_networks_are_heard() {
    let exporter = Exporter::start(&["--statsd.allow-from=192.0.2.0/24,fd00::/8"]);
    exporter.send_udp(b"a:1|c");
    let mut stream = TcpStream::connect(exporter.tcp.expect("a listener")).expect("TCP");
    stream.set_read_timeout(Some(PATIENCE)).expect("a socket");
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)), "it is closed");
    exporter.shows(&["statsd_exporter_limit_refusals_total{limit=\"source\"} 2"]);
    assert!(!exporter.get("/metrics").1.contains("\na 1\n"));
    let exporter = Exporter::start(&["--statsd.allow-from=127.0.0.0/8"]);
    exporter.send_udp(b"a:1|c");
    exporter.shows(&["a 1"]);
    let (code, log) = run(&mut command(&["--statsd.allow-from=10.0.0.0/99"]));
    assert!(code == Some(1) && log.contains("not a network"), "{log}");
}

#[test]
fn a_relay_spreads_series_over_its_targets() {
    let targets = [(); 2].map(|()| UdpSocket::bind("127.0.0.1:0").expect("a socket"));
    let addresses = targets.each_ref().map(|socket| {
        socket.set_read_timeout(Some(PATIENCE)).expect("a socket");
        socket.local_addr().expect("bound").to_string()
    });
    let exporter = Exporter::start(&[
        &format!("--statsd.relay.address={}, udp://{}", addresses[0], addresses[1]),
        "--statsd.relay.spread=hash",
        "--statsd.relay.only",
    ]);
    let lines: Vec<String> = (0..40).map(|n| format!("name{n}:1|c|#x:{n}")).collect();
    exporter.send_udp(lines.join("\n").as_bytes());
    let mut relayed: Vec<String> = Vec::new();
    for target in &targets {
        let mut buffer = [0; 2_000];
        let length = target.recv(&mut buffer).expect("its share");
        let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
        assert!(text.lines().count() > 5, "{text}");
        relayed.extend(text.lines().map(str::to_owned));
    }
    relayed.sort();
    let mut sent = lines;
    sent.sort();
    assert_eq!(relayed, sent, "each line once");
    exporter.shows(&["statsd_exporter_lines_total 40", "statsd_exporter_samples_total 0"]);
}

#[test]
fn an_empty_host_takes_both_families_of_addresses() {
    let exporter = Exporter::start(&["--statsd.listen-udp=:0", "--statsd.listen-tcp=:0"]);
    let (udp, tcp) = (exporter.udp.expect("a listener"), exporter.tcp.expect("a listener"));
    let mut sent = 0;
    // A machine may have no addresses of the newer family.
    for host in ["127.0.0.1", "::1"] {
        let Ok(socket) = UdpSocket::bind((host, 0)) else { continue };
        socket.send_to(b"a:1|c", (host, udp.port())).expect("loopback");
        let mut stream = TcpStream::connect((host, tcp.port())).expect("TCP");
        stream.write_all(b"a:10|c\n").expect("a line");
        sent += 11;
    }
    assert!(sent >= 11);
    exporter.shows(&[&format!("a {sent}")]);
}

#[test]
fn the_first_refusal_of_each_limit_is_logged() {
    let exporter = Exporter::start(&["--statsd.max-series=2", "--statsd.max-labels=1"]);
    for line in ["a:1|c", "b:1|c", "c:1|c", "d:1|c", "a:1|c|#x:y,z:w", "a:1|c|#x:y,z:v"] {
        exporter.send_udp(line.as_bytes());
    }
    exporter.shows(&[
        "a 1",
        "b 1",
        "statsd_exporter_limit_refusals_total{limit=\"series\"} 2",
        "statsd_exporter_limit_refusals_total{limit=\"labels\"} 2",
    ]);
    exporter.signal("TERM");
    let (_, log, _) = exporter.end();
    let refusals: Vec<&str> = log.lines().filter(|line| line.contains("limit reached")).collect();
    assert_eq!(refusals.len(), 2, "{log}");
    assert!(log.contains("flag=--statsd.max-series"), "{log}");
}
