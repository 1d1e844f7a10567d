//! The exporter's binary, and a small HTTP client for it.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::JoinHandle,
    time::{Duration, Instant},
};

/// Longest wait for anything in these tests.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

/// A running exporter, killed when it is dropped.
pub(crate) struct Exporter {
    child: Child,
    address: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// A command which sees nothing of the environment of the test.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_valkey-exporter"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::null());
    command
}

impl Exporter {
    /// Starts it on a free port and waits until it listens.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(command(arguments))
    }

    pub(crate) fn start_with(mut command: Command) -> Self {
        let mut child = command
            .arg("--web.listen-address=127.0.0.1:0")
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary was built");
        let mut lines = BufReader::new(child.stderr.take().expect("it was asked for"));
        let mut text = String::new();
        let address = loop {
            let start = text.len();
            let read = lines.read_line(&mut text).expect("readable");
            assert!(read > 0, "the exporter ended: {text}");
            if let Some(rest) = text.get(start..).and_then(|line| line.split_once(" address=")) {
                break rest.1.trim().to_owned();
            }
        };
        let log = Arc::new(Mutex::new(text));
        let sink = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.lines().map_while(Result::ok) {
                let mut log = sink.lock().expect("no test panics while it holds this");
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { child, address, log, reader: Some(reader) }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> String {
        self.address.clone()
    }

    /// GET `path`.
    pub(crate) fn get(&self, path: &str) -> Response {
        self.get_with(path, "")
    }

    /// GET `path` with further header lines, each ended by CR LF.
    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Response {
        let mut stream = TcpStream::connect(&self.address).expect("the exporter listens");
        stream.set_read_timeout(Some(LIMIT)).expect("a valid time");
        write!(stream, "GET {path} HTTP/1.0\r\nHost: x\r\n{headers}\r\n").expect("sent");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("an answer in time");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
        Response { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() }
    }

    /// Asks for `path` until `good` is true of the answer.
    pub(crate) fn until(&self, path: &str, good: impl Fn(&Response) -> bool) -> Response {
        let start = now();
        loop {
            let response = self.get(path);
            if good(&response) {
                return response;
            }
            assert!(start.elapsed() < LIMIT, "{path} stays {response:?}");
        }
    }

    /// Asks it to stop; the status, and how long it took.
    pub(crate) fn terminate(&mut self) -> (ExitStatus, Duration) {
        let start = now();
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().expect("kill is there");
        assert!(sent.success());
        let status = self.child.wait().expect("it is our child");
        (status, start.elapsed())
    }

    /// Everything it has logged; complete once it has ended.
    pub(crate) fn log(&mut self) -> String {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
        self.log.lock().expect("no test panics while it holds this").clone()
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // It may have ended already.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

/// The clock of these tests.
#[expect(clippy::disallowed_methods, reason = "these tests measure a real program")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The value of the series which is written as `series`.
pub(crate) fn value(page: &str, series: &str) -> Option<f64> {
    let rest = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    rest.and_then(|value| value.parse().ok())
}
