//! Traces of scrapes over OTLP: one span a scrape, below it one a collector.
//!
//! Sent as OTLP/HTTP in JSON to a collector on the same machine or network, by a thread of its own.
//! The crates of OpenTelemetry would do the same with a large tree of further crates in each static
//! binary, a second HTTP client and a protobuf runtime among them; what is needed of them is this file.
//! Source of the format: `opentelemetry-proto` 1.x, `collector/trace/v1`.

use std::{
    fmt,
    io::{self, Read as _, Write as _},
    net::{TcpStream, ToSocketAddrs as _},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    },
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use ring::rand::{SecureRandom as _, SystemRandom};
use serde_json::{Value, json};
use tracing::{
    Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    warn,
};
use tracing_subscriber::{Layer, layer::Context, registry::LookupSpan};

use crate::telemetry::ExporterInfo;

/// The `tracing` target of spans which are sent; all others stay in the process.
pub const TARGET: &str = "metrics_server::scrape";

/// Spans which may wait; further ones are dropped and counted in the log.
const WAITING_MAX: usize = 1_024;
/// Spans sent at once.
const BATCH_MAX: usize = 256;
/// Longest time that a span waits for others.
const BATCH_WAIT: Duration = Duration::from_secs(5);
/// Time to connect, to write, and to read.
const SEND_LIMIT: Duration = Duration::from_secs(3);

/// Where spans are sent: `http://host:port`, to which `/v1/traces` is added where no path is given.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    host: String,
    path: String,
}

impl Endpoint {
    /// Reads an address.
    ///
    /// # Errors
    ///
    /// It is not `http://host:port` with or without a path.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("http://").ok_or(
            "expected http://host:port; for TLS, send to a collector on this machine and let it forward",
        )?;
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let port = host.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() || host.starts_with(':') || host.contains('@') {
            return Err("expected http://host:port".to_owned());
        }
        let path = match path.trim_end_matches('/') {
            "" => "/v1/traces".to_owned(),
            path => format!("/{path}"),
        };
        Ok(Self { host: host.to_owned(), path })
    }
}

/// A `tracing` layer which hands finished spans to the sending thread.
#[derive(Clone, Debug)]
pub struct SpanLayer {
    sender: SyncSender<Message>,
    dropped: Arc<AtomicU64>,
    random: SystemRandom,
}

/// Sends what waits when it is dropped.
#[derive(Debug)]
pub struct Sending {
    sender: SyncSender<Message>,
}

#[derive(Debug)]
enum Message {
    Span(Box<Span>),
    /// Send what waits, then answer.
    Flush(SyncSender<()>),
}

#[derive(Clone, Debug)]
struct Span {
    trace: [u8; 16],
    id: [u8; 8],
    parent: Option<[u8; 8]>,
    name: &'static str,
    start: SystemTime,
    end: SystemTime,
    attributes: Vec<(&'static str, String)>,
}

/// Starts the sending thread. Spans are made by the layer, which belongs into the subscriber.
///
/// # Errors
///
/// The thread cannot be started.
pub fn start(endpoint: Endpoint, info: &'static ExporterInfo) -> io::Result<(SpanLayer, Sending)> {
    let (sender, received) = mpsc::sync_channel(WAITING_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let sending = Sender { endpoint, info, dropped: Arc::clone(&dropped), failing: false };
    thread::Builder::new().name("spans".to_owned()).spawn(move || sending.run(&received))?;
    let layer = SpanLayer { sender: sender.clone(), dropped, random: SystemRandom::new() };
    Ok((layer, Sending { sender }))
}

impl Drop for Sending {
    fn drop(&mut self) {
        let (answer, answered) = mpsc::sync_channel(1);
        // A full queue or a dead thread costs the last spans, not the stop of the process.
        if self.sender.try_send(Message::Flush(answer)).is_ok() {
            let _late = answered.recv_timeout(2 * SEND_LIMIT / 5);
        }
    }
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for SpanLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().target() != TARGET {
            return;
        }
        let Some(span) = context.span(id) else { return };
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        let parent = span.parent().and_then(|parent| {
            parent.extensions().get::<Span>().map(|parent| (parent.trace, parent.id))
        });
        let remote = || fields.traceparent.as_deref().and_then(parse_traceparent);
        let (trace, parent) = match parent.or_else(remote) {
            Some((trace, parent)) => (trace, Some(parent)),
            None => (self.random(), None),
        };
        #[expect(clippy::disallowed_methods, reason = "a span begins when it is made")]
        let now = SystemTime::now();
        span.extensions_mut().insert(Span {
            trace,
            id: self.random(),
            parent,
            name: attributes.metadata().name(),
            start: now,
            end: now,
            attributes: fields.attributes,
        });
    }

    fn on_record(&self, id: &Id, record: &Record<'_>, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        if let Some(ours) = span.extensions_mut().get_mut::<Span>() {
            let mut fields = Fields::default();
            record.record(&mut fields);
            ours.attributes.append(&mut fields.attributes);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let Some(span) = context.span(&id) else { return };
        let Some(mut ours) = span.extensions_mut().remove::<Span>() else { return };
        #[expect(clippy::disallowed_methods, reason = "a span ends when it is closed")]
        let now = SystemTime::now();
        ours.end = now;
        if self.sender.try_send(Message::Span(Box::new(ours))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl SpanLayer {
    /// An identifier; zeros, which are none, if the system has no randomness.
    fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match self.random.fill(&mut bytes) {
            Ok(()) => bytes,
            Err(_unspecified) => [0; N],
        }
    }
}

#[derive(Default)]
struct Fields {
    traceparent: Option<String>,
    attributes: Vec<(&'static str, String)>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "traceparent" => self.traceparent = Some(value.to_owned()),
            name => self.attributes.push((name, value.to_owned())),
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }
}

/// Trace and parent of a W3C `traceparent`: `00-<32 hex>-<16 hex>-<2 hex>`.
fn parse_traceparent(text: &str) -> Option<([u8; 16], [u8; 8])> {
    let mut parts = text.split('-');
    let (version, trace, parent) = (parts.next()?, parts.next()?, parts.next()?);
    let trace: [u8; 16] = unhex(trace)?;
    let parent: [u8; 8] = unhex(parent)?;
    let valid = version.len() == 2 && version != "ff" && trace != [0; 16] && parent != [0; 8];
    valid.then_some((trace, parent))
}

fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    if text.len() != 2 * N || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    bytes
        .iter()
        .flat_map(|byte| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]])
        .collect()
}

struct Sender {
    endpoint: Endpoint,
    info: &'static ExporterInfo,
    dropped: Arc<AtomicU64>,
    failing: bool,
}

impl Sender {
    /// Until nobody can send any more.
    fn run(mut self, received: &Receiver<Message>) {
        let mut batch = Vec::new();
        loop {
            match received.recv_timeout(BATCH_WAIT) {
                Ok(Message::Span(span)) => {
                    batch.push(*span);
                    if batch.len() >= BATCH_MAX {
                        self.send(&mut batch);
                    }
                }
                Ok(Message::Flush(answer)) => {
                    self.send(&mut batch);
                    let _gone = answer.try_send(());
                }
                Err(RecvTimeoutError::Timeout) => self.send(&mut batch),
                Err(RecvTimeoutError::Disconnected) => return self.send(&mut batch),
            }
        }
    }

    /// Sends a batch and forgets it, whatever comes of it: the log tells when that changes.
    fn send(&mut self, batch: &mut Vec<Span>) {
        let dropped = self.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            warn!(dropped, "spans were dropped: more of them than can be sent");
        }
        if batch.is_empty() {
            return;
        }
        let outcome = post(&self.endpoint, &encode(self.info, batch).to_string());
        let spans = batch.len();
        batch.clear();
        match outcome {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                warn!(%error, endpoint = self.endpoint.host, spans, "cannot send spans; they are dropped until it works again");
            }
            Err(_still) => {}
        }
    }
}

/// `ExportTraceServiceRequest` in JSON.
fn encode(info: &ExporterInfo, batch: &[Span]) -> Value {
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    let spans: Vec<_> = batch
        .iter()
        .map(|span| {
            let attributes: Vec<_> =
                span.attributes.iter().map(|(key, value)| attribute(key, value)).collect();
            json!({
                "traceId": hex(&span.trace),
                "spanId": hex(&span.id),
                "parentSpanId": span.parent.map(|parent| hex(&parent)).unwrap_or_default(),
                "name": span.name,
                // A scrape is served; a collector is work within it.
                "kind": if span.name == "scrape" { 2 } else { 1 },
                "startTimeUnixNano": nanoseconds(span.start),
                "endTimeUnixNano": nanoseconds(span.end),
                "attributes": attributes,
            })
        })
        .collect();
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", info.name),
            attribute("service.version", info.version),
        ]},
        "scopeSpans": [{"scope": {"name": "metrics-server"}, "spans": spans}],
    }]})
}

/// 64-bit numbers are texts in JSON.
fn nanoseconds(time: SystemTime) -> String {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos().to_string()
}

fn post(endpoint: &Endpoint, body: &str) -> io::Result<()> {
    let unknown = || io::Error::other("the name has no address");
    let address = endpoint.host.to_socket_addrs()?.next().ok_or_else(unknown)?;
    let mut stream = TcpStream::connect_timeout(&address, SEND_LIMIT)?;
    stream.set_write_timeout(Some(SEND_LIMIT))?;
    stream.set_read_timeout(Some(SEND_LIMIT))?;
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nConnection: close\r\n\r\n",
        endpoint.path,
        endpoint.host,
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(body.as_bytes())?;
    let mut answer = Vec::new();
    stream.take(1_024).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or("no HTTP");
    if status.starts_with('2') {
        Ok(())
    } else {
        Err(io::Error::other(format!("answered {status}")))
    }
}

#[cfg(test)]
mod tests;
