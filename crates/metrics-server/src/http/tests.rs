use std::{
    io::Read as _,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    sync::Semaphore,
    task::JoinHandle,
};

use super::{Refused, Scrape, ScrapeRequest, Scraped, Scraping, Server, bind, time_limit};
use crate::{
    args::{self, Dialect, SettingsArgs, WebArgs},
    exposition::{Desc, Encoder, Families, HistogramState, Kind, LabelBlock, Page},
    health::{Health, Role},
    shutdown::{Shutdown, ShutdownHandle},
    telemetry::{ExporterInfo, Telemetry},
};

pub(super) mod certificates;
mod landing;
mod limits;
mod listening;
mod tls;
mod web_config;

const INFO: ExporterInfo = ExporterInfo {
    name: "x_exporter",
    title: "X Exporter",
    description: "Exports x.",
    version: "1.2.3",
    documentation_url: "https://example.org/x",
};

#[derive(clap::Parser)]
struct Flags {
    #[command(flatten)]
    web: WebArgs,
    #[command(flatten)]
    settings: SettingsArgs,
}

/// Answers with what the query asks for, so that each test reads in one place.
struct Example {
    gate: Semaphore,
    seen: Mutex<Vec<ScrapeRequest>>,
}

impl Scrape for Example {
    fn scrape<'a>(&'a self, request: &'a ScrapeRequest) -> Scraping<'a> {
        Box::pin(async move {
            self.seen.lock().expect("no panics").push(request.clone());
            let mut page = Page::new();
            page.sample(Desc::gauge("x_up", "Up."), &[], 1.0);
            page.family(Desc::gauge("x_twice", "Twice.")).sample(&[], 1.0).sample(&[], 2.0);
            match request.query.get("do") {
                Some("refuse") => Err(Refused::bad_request("no such target")),
                Some("wait") => {
                    let _permit = self.gate.acquire().await;
                    Ok(page.into())
                }
                Some("down") => Ok(Scraped { page, down: true, ..Scraped::default() }),
                Some("many") => {
                    let bounds = (0..5_000_u32).map(|bound| (f64::from(bound), 0)).collect();
                    let state = HistogramState { buckets: bounds, ..HistogramState::default() };
                    page.family(MANY).histogram(&[], state);
                    Ok(page.into())
                }
                Some("large") => Ok(Scraped {
                    page,
                    sources: vec![Arc::new(Large { samples: LARGE_SAMPLES })],
                    down: false,
                }),
                Some("endless") => Ok(Scraped {
                    page,
                    sources: vec![Arc::new(Large { samples: u32::MAX })],
                    down: false,
                }),
                _ => Ok(page.into()),
            }
        })
    }
}

/// One series of many lines.
const MANY: Desc<'_> = Desc::new("x_many", "Many.", Kind::Histogram);

/// One family of many samples, written in chunks.
struct Large {
    samples: u32,
}

const LARGE_SAMPLES: u32 = 20_000;

impl Families for Large {
    fn names(&self) -> Vec<Arc<str>> {
        vec![Arc::from("large"), Arc::from("x_up")]
    }

    fn write(&self, name: &str, out: &mut Encoder<'_>) -> std::io::Result<()> {
        let mut family = out.family(Desc::gauge(name, "Large."));
        for number in 0..self.samples {
            let labels = LabelBlock::new(&[("n", &format!("{number:06}"))]).expect("valid");
            family.sample(&labels, f64::from(number));
            family.flush()?;
        }
        Ok(())
    }
}

struct Running {
    /// The first TCP address.
    address: SocketAddr,
    example: Arc<Example>,
    health: Health,
    stop: ShutdownHandle,
    served: JoinHandle<std::io::Result<()>>,
}

/// On a free port, where `words` name no address.
fn read(words: &[&str]) -> Flags {
    let port = ["x", "--web.listen-address=127.0.0.1:0"];
    let named = words.iter().any(|word| word.starts_with("--web.listen-address"));
    let line = port[..2 - usize::from(named)].iter().chain(words).map(Into::into).collect();
    args::parse(Dialect::Kingpin, "HTTP_TEST", line, |command| command).expect("valid flags")
}

#[expect(clippy::disallowed_methods, reason = "a test starts its own clock")]
async fn start(flags: &[&str]) -> Running {
    let flags = read(flags);
    let health = Health::new(std::time::Instant::now());
    let telemetry = Telemetry::new(INFO.name).expect("valid names");
    telemetry.register_build_info(&INFO).expect("registered once");
    let (stop, shutdown) = Shutdown::new();
    let example = Arc::new(Example { gate: Semaphore::new(0), seen: Mutex::default() });
    let scrape: Arc<dyn Scrape> = Arc::<Example>::clone(&example);
    let server = Server::new(&INFO, &flags.web, telemetry, health.clone())
        .metrics(Arc::clone(&scrape))
        .probe_form("/probe", &[landing::TARGET, landing::MODULE], scrape)
        .lifecycle(stop.clone(), || Err("no such file".to_owned()));
    let bound = bind(&flags.web).await.expect("a free port");
    let addresses = bound.addresses().expect("bound");
    let address = addresses.first().copied().unwrap_or(([127, 0, 0, 1], 0).into());
    let served = tokio::spawn(server.serve(bound, shutdown));
    Running { address, example, health, stop, served }
}

/// An answer, its head in lower case, its body decoded from chunks and gzip.
struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Running {
    async fn get(&self, path: &str) -> Answer {
        self.request(&format!("GET {path} HTTP/1.1\r\nHost: x\r\n")).await
    }

    async fn request(&self, head: &str) -> Answer {
        let stream = TcpStream::connect(self.address).await.expect("it listens");
        exchange(stream, head).await.expect("it answers")
    }
}

/// Sends one request, whose head lacks its last line, and reads the answer.
async fn exchange(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    head: &str,
) -> std::io::Result<Answer> {
    let request = format!("{head}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await?;
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or(std::io::ErrorKind::UnexpectedEof)? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII").to_lowercase();
    let mut body = bytes.split_off(end);
    if head.contains("transfer-encoding: chunked") {
        body = unchunk(&body);
    }
    if head.contains("content-encoding: gzip") {
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(body.as_slice()).read_to_end(&mut plain).expect("gzip");
        body = plain;
    } else if head.contains("content-encoding: zstd") {
        body = unzstd(&body);
    }
    let status = head.split(' ').nth(1).expect("a status").parse().expect("a number");
    Ok(Answer { status, head, body: String::from_utf8(body).expect("text") })
}

fn unchunk(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n").expect("a size");
        let size = std::str::from_utf8(&rest[..end]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a hexadecimal size");
        if size == 0 {
            return body;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 4 + size..];
    }
}

/// Frames in a row are one text.
fn unzstd(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while !rest.is_empty() {
        let mut frame = ruzstd::decoding::StreamingDecoder::new(&mut rest).expect("a frame");
        frame.read_to_end(&mut body).expect("zstd");
    }
    body
}

#[tokio::test]
async fn a_page_has_the_exporters_families_and_its_own() {
    let running = start(&[]).await;
    let answer = running.get("/metrics").await;
    assert_eq!(answer.status, 200);
    let content_type =
        "content-type: text/plain; version=0.0.4; charset=utf-8; escaping=underscores";
    assert!(answer.head.contains(content_type), "{}", answer.head);
    assert!(!answer.head.contains("\r\nserver:"));
    for line in [
        "x_up 1\n",
        "x_twice 1\n",
        "# TYPE process_cpu_seconds_total counter\n",
        "promhttp_metric_handler_requests_in_flight 1\n",
        "promhttp_metric_handler_requests_total{code=\"200\"} 0\n",
    ] {
        assert!(answer.body.contains(line), "{line} is not in\n{}", answer.body);
    }
    let again = running.get("/metrics").await.body;
    assert!(again.contains("promhttp_metric_handler_requests_total{code=\"200\"} 1\n"));
    assert!(again.contains("x_exporter_exposition_refused_total{reason=\"duplicate\"} 1\n"));
    assert!(again.contains("x_exporter_build_info{"));
    assert!(again.contains("x_exporter_page_duration_seconds_count 1\n"));
    assert!(again.contains("x_exporter_page_size_bytes_count 1\n"));
}

#[tokio::test]
async fn a_probe_has_the_targets_families_alone() {
    let answer = start(&[]).await.get("/probe?target=t").await;
    assert_eq!(answer.body.lines().filter(|line| !line.starts_with('#')).count(), 2);
}

#[tokio::test]
async fn formats_and_gzip_are_negotiated() {
    let running = start(&["--web.enable-openmetrics"]).await;
    let head = "GET /metrics HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\
                Accept: application/openmetrics-text;version=1.0.0\r\n";
    let answer = running.request(head).await;
    assert!(answer.head.contains("content-encoding: gzip"));
    assert!(answer.head.contains("application/openmetrics-text; version=1.0.0"));
    assert!(answer.body.contains("x_up 1.0\n"));
    assert!(answer.body.ends_with("# EOF\n"));
}

#[tokio::test]
async fn families_and_collectors_can_be_chosen() {
    let running = start(&[]).await;
    let answer = running.get("/metrics?name[]=x_up&collect[]=a&collect[]=b").await;
    assert_eq!(answer.body, "# HELP x_up Up.\n# TYPE x_up gauge\nx_up 1\n");
    assert_eq!(running.example.seen.lock().expect("no panics")[0].collect, ["a", "b"]);
}

#[tokio::test]
async fn a_large_source_is_streamed_whole_and_in_order() {
    let running = start(&[]).await;
    for encoding in ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: zstd\r\n"] {
        let head = format!("GET /metrics?do=large HTTP/1.1\r\nHost: x\r\n{encoding}");
        let answer = running.request(&head).await;
        let samples: Vec<_> =
            answer.body.lines().filter(|line| line.starts_with("large{")).collect();
        assert_eq!(samples.len(), LARGE_SAMPLES as usize);
        assert!(samples.is_sorted());
        assert_eq!(answer.body.matches("\nx_up ").count(), 1, "the page's own family wins");
    }
    let refused = running.get("/metrics").await.body;
    assert!(refused.contains("x_exporter_exposition_refused_total{reason=\"type_clash\"} 3\n"));
}

#[tokio::test]
async fn a_small_page_is_sent_whole_and_a_large_one_in_chunks() {
    let running = start(&[]).await;
    for encoding in ["", "Accept-Encoding: gzip\r\n", "Accept-Encoding: zstd\r\n"] {
        for (query, whole) in [("", true), ("?do=many", false), ("?do=large", false)] {
            let head = format!("GET /metrics{query} HTTP/1.1\r\nHost: x\r\n{encoding}");
            let answer = running.request(&head).await;
            assert!(answer.body.contains("\nx_up 1\n"), "{}", answer.head);
            assert_eq!(answer.head.contains("content-length: "), whole, "{}", answer.head);
            assert_eq!(answer.head.contains("chunked"), !whole, "{}", answer.head);
        }
    }
    let page = running.get("/metrics").await.body;
    assert!(page.contains("promhttp_metric_handler_requests_in_flight 1\n"), "{page}");
    assert!(page.contains("x_exporter_page_size_bytes_count 9\n"), "{page}");
}

#[tokio::test]
async fn a_target_that_is_down_is_503_only_where_asked_for() {
    for (flags, status) in [(&[][..], 200), (&["--web.fail-when-down"][..], 503)] {
        let answer = start(flags).await.get("/metrics?do=down").await;
        assert_eq!(answer.status, status);
        assert!(answer.body.contains("x_up 1\n"), "the page is the same");
    }
}

#[tokio::test]
async fn scrapes_beyond_the_limit_are_503() {
    let running = Arc::new(start(&["--web.max-requests=1"]).await);
    let waiting = tokio::spawn({
        let running = Arc::clone(&running);
        async move { running.get("/metrics?do=wait").await.status }
    });
    while running.example.seen.lock().expect("no panics").is_empty() {
        tokio::task::yield_now().await;
    }
    let refused = running.get("/metrics").await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.body, "Limit of concurrent requests reached (1), try again later.\n");
    running.example.gate.add_permits(1);
    assert_eq!(waiting.await.expect("no panics"), 200);
}

/// On the runtime that exporters have: its number of threads is part of it.
#[test]
fn slow_readers_hold_up_nobody_and_are_cut_off() {
    crate::block_on(slow_readers()).expect("a runtime");
}

async fn slow_readers() {
    let running = start(&["--web.scrape-timeout=5s", "--web.send-timeout=5s"]).await;
    // More readers than pages which are rendered at once; none of them takes more than its buffers.
    let mut slow = Vec::new();
    for _ in 0..12 {
        let socket = TcpSocket::new_v4().expect("a socket");
        // Else the kernel takes megabytes for each of them, which have to be rendered first.
        socket.set_recv_buffer_size(4096).expect("a small buffer");
        let mut stream = socket.connect(running.address).await.expect("it listens");
        let request = b"GET /metrics?do=endless HTTP/1.1\r\nHost: x\r\n\r\n";
        stream.write_all(request).await.expect("it reads");
        slow.push(stream);
    }
    while running.example.seen.lock().expect("no panics").len() < slow.len() {
        tokio::task::yield_now().await;
    }
    let answer = running.get("/metrics").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(answer.body.contains("promhttp_metric_handler_requests_in_flight 13\n"));
    for mut stream in slow {
        let mut buffer = vec![0; 64 * 1024];
        let mut end = Vec::new();
        // Ends with the connection, which the server closes.
        while let Ok(count @ 1..) = stream.read(&mut buffer).await {
            end.extend_from_slice(&buffer[..count]);
            end.drain(..end.len().saturating_sub(5));
        }
        assert_ne!(end, b"0\r\n\r\n", "an endless page cannot be whole");
    }
    // A thread gives its request back a moment after its connection has ended.
    let given_back = async {
        let one = "promhttp_metric_handler_requests_in_flight 1\n";
        while !running.get("/metrics").await.body.contains(one) {}
    };
    tokio::time::timeout(Duration::from_secs(10), given_back)
        .await
        .expect("requests are given back");
}

#[tokio::test]
async fn other_paths_and_methods_are_refused() {
    let running = start(&[]).await;
    for (head, status) in [
        ("GET /nowhere HTTP/1.1\r\nHost: x\r\n", 404),
        ("POST /metrics HTTP/1.1\r\nHost: x\r\n", 405),
        ("DELETE / HTTP/1.1\r\nHost: x\r\n", 405),
        ("GET /metrics?do=refuse HTTP/1.1\r\nHost: x\r\n", 400),
        ("HEAD /metrics HTTP/1.1\r\nHost: x\r\n", 200),
    ] {
        assert_eq!(running.request(head).await.status, status, "{head}");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: x\r\n", "a".repeat(40_000));
    assert!([414, 431].contains(&running.request(&long).await.status));
    assert_eq!(running.request("nonsense\r\n").await.status, 400);
}

#[tokio::test]
async fn health_is_told_by_path_and_status() {
    let running = start(&[]).await;
    let database = running.health.check("database", Role::Readiness);
    let ingest = running.health.check("ingest", Role::Liveness);
    for (path, status, body) in [
        ("/-/healthy", 200, "X Exporter is Healthy.\n"),
        ("/-/ready", 503, "X Exporter is not ready yet.\n"),
        ("/health/ready", 503, "X Exporter is not ready yet.\n"),
        ("/health/live", 200, "ok\n"),
    ] {
        let answer = running.get(path).await;
        assert_eq!((answer.status, answer.body.as_str()), (status, body), "{path}");
    }
    database.succeeded(std::time::SystemTime::UNIX_EPOCH, Duration::ZERO);
    ingest.succeeded(std::time::SystemTime::UNIX_EPOCH, Duration::ZERO);
    assert_eq!(running.get("/-/ready").await.status, 200);
    assert_eq!(running.get("/health").await.status, 200);

    database.failed("connection refused", Duration::ZERO);
    ingest.failed("thread ended", Duration::ZERO);
    assert_eq!(running.get("/health/live").await.status, 503);
    let report = running.get("/health").await;
    assert_eq!(report.status, 503);
    assert!(report.head.contains("content-type: application/json"));
    assert!(report.body.contains(r#""reason":"connection refused""#));
}

#[tokio::test]
async fn a_requested_stop_lets_open_responses_finish() {
    let running = start(&[]).await;
    let (address, example) = (running.address, Arc::clone(&running.example));
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.write_all(b"GET /metrics?do=wait HTTP/1.1\r\nHost: x\r\n\r\n").await.expect("it reads");
    while example.seen.lock().expect("no panics").is_empty() {
        tokio::task::yield_now().await;
    }
    running.stop.request();
    example.gate.add_permits(1);
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("it answers");
    let (head, page) = answer.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(&format!("Content-Length: {}", page.len())), "{answer}");
    assert!(page.contains("x_up 1\n"), "{answer}");
    running.served.await.expect("no panics").expect("served to the end");
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn a_used_port_is_one_clear_error() {
    let running = start(&[]).await;
    let address = running.address.to_string();
    let refused = async |address: &str| {
        let flags = read(&[&format!("--web.listen-address={address}")]);
        bind(&flags.web).await.expect_err("it cannot be used").to_string()
    };
    let error = refused(&address).await;
    let expected = format!("cannot listen on {address}: ");
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(refused(":port").await, "cannot listen on :port: invalid port \"port\"");
}

#[test]
fn the_scrapers_time_limit_is_respected_with_a_margin() {
    let seconds = Duration::from_secs;
    for (ours, theirs, expected) in [
        (seconds(9), None, seconds(9)),
        (seconds(9), Some(10.0), seconds(9)),
        (seconds(9), Some(5.0), Duration::from_millis(4_500)),
        (seconds(9), Some(0.4), Duration::from_millis(200)),
        (seconds(9), Some(0.0), seconds(9)),
        (seconds(9), Some(-1.0), seconds(9)),
        (seconds(9), Some(f64::NAN), seconds(9)),
        (seconds(9), Some(1e300), seconds(9)),
    ] {
        assert_eq!(time_limit(ours, theirs), expected, "{theirs:?}");
    }
}
