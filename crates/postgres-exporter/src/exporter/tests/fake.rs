//! A server that speaks just enough of the protocol, and misbehaves as it is told.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

use crate::row::{Rows, fixture::table};

/// A database which nobody can log in to.
pub(super) const REFUSED: &str = "gone";

/// What the server does with a query.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reply {
    /// A table as in `row::fixture`.
    Table(&'static str),
    /// An error with this code.
    Error(&'static str),
    /// Nothing, for ever.
    Silence,
    /// The connection closes.
    HangUp,
}

/// What a server does with its peers, from the first byte on.
#[derive(Clone, Copy)]
pub(super) enum Manner {
    /// Accepts, and never says a word.
    Silent,
    /// Accepts and closes.
    Closing,
    /// Lets everybody in and answers by this table.
    Answering(fn(&str) -> Reply),
}

/// A running server.
pub(super) struct Fake {
    pub(super) address: SocketAddr,
    queries: Arc<Mutex<Vec<String>>>,
    open: Arc<AtomicUsize>,
    open_max: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Fake {
    pub(super) async fn start(manner: Manner) -> Self {
        Self::start_at("127.0.0.1:0", manner).await
    }

    pub(super) async fn start_at(address: &str, manner: Manner) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let queries = Arc::new(Mutex::new(Vec::new()));
        let open = Arc::new(AtomicUsize::new(0));
        let open_max = Arc::new(AtomicUsize::new(0));
        let (log, now, max) = (Arc::clone(&queries), Arc::clone(&open), Arc::clone(&open_max));
        let task = tokio::spawn(async move {
            let mut peers = tokio::task::JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (log, now) = (Arc::clone(&log), Arc::clone(&now));
                max.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                peers.spawn(async move {
                    // An error is a peer that went away.
                    let _gone = serve(stream, manner, &log).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                });
            }
        });
        Self { address, queries, open, open_max, task }
    }

    /// How many queries contained `text`.
    pub(super) fn count(&self, text: &str) -> usize {
        self.queries.lock().unwrap().iter().filter(|query| query.contains(text)).count()
    }

    /// Connections now, and the most there have been.
    pub(super) fn connections(&self) -> (usize, usize) {
        (self.open.load(Ordering::SeqCst), self.open_max.load(Ordering::SeqCst))
    }

    /// Closes the port and all connections.
    pub(super) async fn stop(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }
}

async fn serve(
    mut stream: TcpStream,
    manner: Manner,
    log: &Mutex<Vec<String>>,
) -> std::io::Result<()> {
    let answer = match manner {
        Manner::Closing => return Ok(()),
        Manner::Silent => {
            // Until the peer gives up.
            while stream.read_u8().await.is_ok() {}
            return Ok(());
        }
        Manner::Answering(answer) => answer,
    };
    let length = stream.read_u32().await?;
    let mut startup = vec![0; length as usize - 4];
    stream.read_exact(&mut startup).await?;
    let startup = String::from_utf8_lossy(&startup).into_owned();
    let database =
        startup.split('\0').skip_while(|word| *word != "database").nth(1).unwrap_or_default();
    if database == REFUSED {
        return stream.write_all(&error("3D000")).await;
    }
    stream.write_all(b"R\0\0\0\x08\0\0\0\0Z\0\0\0\x05I").await?;
    loop {
        let kind = stream.read_u8().await?;
        let mut body = vec![0; stream.read_u32().await? as usize - 4];
        stream.read_exact(&mut body).await?;
        if kind != b'Q' {
            return Ok(());
        }
        let sql = String::from_utf8_lossy(&body).into_owned();
        log.lock().unwrap().push(format!("{database}: {sql}"));
        let bytes = match answer(&sql) {
            Reply::Table(text) => rows(&table(text)),
            Reply::Error(code) => error(code),
            Reply::Silence => {
                while stream.read_u8().await.is_ok() {}
                return Ok(());
            }
            Reply::HangUp => return Ok(()),
        };
        stream.write_all(&bytes).await?;
    }
}

fn message(kind: u8, body: &[u8], out: &mut Vec<u8>) {
    out.push(kind);
    out.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
    out.extend_from_slice(body);
}

fn count(number: usize) -> [u8; 2] {
    u16::try_from(number).unwrap().to_be_bytes()
}

fn rows(rows: &Rows) -> Vec<u8> {
    let mut out = Vec::new();
    let names: Vec<_> = rows.columns().collect();
    let mut body = count(names.len()).to_vec();
    for name in names {
        body.extend_from_slice(name.as_bytes());
        // End of the name; relation, column, type, size, modifier and format of a text.
        body.extend_from_slice(&[
            0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 25, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0, 0,
        ]);
    }
    message(b'T', &body, &mut out);
    for row in rows.iter() {
        let cells: Vec<_> = row.cells().collect();
        let mut body = count(cells.len()).to_vec();
        for cell in cells {
            match cell {
                Some(text) => {
                    body.extend_from_slice(&u32::try_from(text.len()).unwrap().to_be_bytes());
                    body.extend_from_slice(text.as_bytes());
                }
                None => body.extend_from_slice(&[0xff; 4]),
            }
        }
        message(b'D', &body, &mut out);
    }
    message(b'C', b"SELECT 1\0", &mut out);
    message(b'Z', b"I", &mut out);
    out
}

fn error(code: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let body = format!("SERROR\0VERROR\0C{code}\0Mas the test wants it\0\0");
    message(b'E', body.as_bytes(), &mut out);
    message(b'Z', b"I", &mut out);
    out
}
