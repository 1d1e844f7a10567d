//! A server which speaks RESP2 and answers from a table.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    task::JoinHandle,
};

/// What a command is answered.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    Text(String),
    Error(String),
    Json(serde_json::Value),
    /// Nothing, ever.
    Silence,
}

/// A server on a port of its own, until it is dropped.
pub(crate) struct Fake {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<String>>>,
    batches: Arc<AtomicUsize>,
    /// Connections which were opened before are not answered any more.
    muted: Arc<AtomicUsize>,
    opened: Arc<AtomicUsize>,
    /// Holds the tasks which serve.
    _runtime: Runtime,
    accepting: JoinHandle<()>,
}

impl Fake {
    /// Answers `table`, whose commands are written in any case; all else is an error but `PING`,
    /// `SELECT`, `AUTH` and `CLIENT SETNAME`.
    pub(crate) fn start(table: &[(&str, Reply)]) -> Self {
        Self::start_on(0, table)
    }

    /// Waits before each answer.
    pub(crate) fn start_slow(pause: Duration, table: &[(&str, Reply)]) -> Self {
        Self::start_with(0, pause, table)
    }

    pub(crate) fn start_on(port: u16, table: &[(&str, Reply)]) -> Self {
        Self::start_with(port, Duration::ZERO, table)
    }

    fn start_with(port: u16, pause: Duration, table: &[(&str, Reply)]) -> Self {
        let table: BTreeMap<_, _> =
            table.iter().map(|(command, reply)| (command.to_lowercase(), reply.clone())).collect();
        let table = Arc::new(table);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let listener =
            runtime.block_on(TcpListener::bind(("127.0.0.1", port))).expect("a free port");
        let port = listener.local_addr().expect("a bound socket").port();
        let [batches, muted, opened]: [Arc<AtomicUsize>; 3] = Default::default();
        let served = Served {
            table,
            pause,
            number: 0,
            seen: Arc::clone(&seen),
            batches: Arc::clone(&batches),
            muted: Arc::clone(&muted),
        };
        let count = Arc::clone(&opened);
        let accepting = runtime.spawn(async move {
            while let Ok((stream, _peer)) = listener.accept().await {
                let number = count.fetch_add(1, Ordering::SeqCst);
                tokio::spawn(serve(stream, Served { number, ..served.clone() }));
            }
        });
        Self { port, seen, batches, muted, opened, _runtime: runtime, accepting }
    }

    /// The commands received so far, in their order.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("no test panics while it holds this").clone()
    }
}

impl Fake {
    /// How often commands came after all earlier ones had been answered.
    pub(crate) fn batches(&self) -> usize {
        self.batches.load(Ordering::SeqCst)
    }

    /// Says nothing more on the connections which are open.
    pub(crate) fn mute_open_connections(&self) {
        self.muted.store(self.opened.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// What a connection needs.
#[derive(Clone)]
struct Served {
    table: Arc<BTreeMap<String, Reply>>,
    pause: Duration,
    number: usize,
    seen: Arc<Mutex<Vec<String>>>,
    batches: Arc<AtomicUsize>,
    muted: Arc<AtomicUsize>,
}

async fn serve(stream: TcpStream, served: Served) {
    stream.set_nodelay(true).expect("a TCP socket");
    let mut stream = BufReader::new(stream);
    loop {
        // Nothing is buffered: the peer has waited for its answers.
        let new = stream.buffer().is_empty();
        let Some(words) = read_command(&mut stream).await else { return };
        if new {
            served.batches.fetch_add(1, Ordering::SeqCst);
        }
        let command = words.join(" ");
        served.seen.lock().expect("no test panics while it holds this").push(command.clone());
        let muted = served.number < served.muted.load(Ordering::SeqCst);
        let reply = answer(&served.table, &command).filter(|_| !muted);
        let Some(reply) = reply else {
            // What follows is not answered either: a server takes one command after the other.
            return std::future::pending().await;
        };
        if !served.pause.is_zero() {
            tokio::time::sleep(served.pause).await;
        }
        if stream.write_all(&reply).await.is_err() {
            return;
        }
    }
}

async fn read_command(stream: &mut BufReader<TcpStream>) -> Option<Vec<String>> {
    let count = read_header(stream, '*').await?;
    let mut words = Vec::new();
    for _ in 0..count {
        let length = read_header(stream, '$').await?;
        let mut word = vec![0; length + 2];
        stream.read_exact(&mut word).await.ok()?;
        word.truncate(length);
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    Some(words)
}

async fn read_header(stream: &mut BufReader<TcpStream>, mark: char) -> Option<usize> {
    let mut line = String::new();
    stream.read_line(&mut line).await.ok().filter(|count| *count > 0)?;
    line.trim_end().strip_prefix(mark)?.parse().ok()
}

fn answer(table: &BTreeMap<String, Reply>, command: &str) -> Option<Vec<u8>> {
    let lower = command.to_lowercase();
    let listed = table.get(&lower).or_else(|| {
        let star = table.iter().find(|(known, _)| {
            known.strip_suffix('*').is_some_and(|start| lower.starts_with(start))
                && !known.starts_with("config get")
        });
        star.map(|(_, reply)| reply)
    });
    let word = lower.split(' ').next().unwrap_or_default();
    match listed {
        Some(Reply::Silence) => None,
        Some(Reply::Text(text)) => Some(bulk(text)),
        Some(Reply::Error(text)) => Some(format!("-{text}\r\n").into_bytes()),
        Some(Reply::Json(value)) => Some(encode(value)),
        None if word == "ping" => Some(b"+PONG\r\n".to_vec()),
        None if ["auth", "select"].contains(&word) || lower.starts_with("client setname") => {
            Some(b"+OK\r\n".to_vec())
        }
        None => Some(format!("-ERR unknown command '{word}'\r\n").into_bytes()),
    }
}

fn bulk(text: &str) -> Vec<u8> {
    format!("${}\r\n{text}\r\n", text.len()).into_bytes()
}

fn encode(value: &serde_json::Value) -> Vec<u8> {
    match value {
        serde_json::Value::Null => b"$-1\r\n".to_vec(),
        serde_json::Value::Number(number) => format!(":{number}\r\n").into_bytes(),
        serde_json::Value::String(text) => bulk(text),
        serde_json::Value::Array(items) => {
            let mut bytes = format!("*{}\r\n", items.len()).into_bytes();
            bytes.extend(items.iter().flat_map(encode));
            bytes
        }
        other => panic!("no such reply: {other}"),
    }
}
