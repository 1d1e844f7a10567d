//! Clients which are slow, large, many, or do not speak HTTP.

use std::time::Duration;

use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{Instant, timeout},
};

use super::{
    Running, start,
    tls::{Client, Site},
};

/// Longer than any limit in these tests, on a machine which is busy.
const PATIENCE: Duration = Duration::from_secs(20);

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.address).await.unwrap()
}

/// What comes until the peer closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off() {
    let running = start(&["--web.read-header-timeout=300ms"]).await;
    let mut silent = connect(&running).await;
    assert_eq!(rest(&mut silent).await, "");

    let mut slow = connect(&running).await;
    let begin = Instant::now();
    let mut trickle = b"GET /metrics HTTP/1.1\r\nX-Header: ".iter().chain(std::iter::repeat(&b'a'));
    let cut_off = timeout(PATIENCE, async {
        loop {
            let byte = *trickle.next().unwrap();
            if slow.write_all(&[byte]).await.is_err() {
                return;
            }
            let mut answer = [0];
            let closed = timeout(Duration::from_millis(20), slow.read(&mut answer)).await;
            if matches!(closed, Ok(Ok(0) | Err(_))) {
                return;
            }
        }
    });
    cut_off.await.expect("bytes that come do not extend the limit");
    assert!(begin.elapsed() >= Duration::from_millis(300));
    assert_eq!(running.get("/metrics").await.status, 200, "others are served meanwhile");
}

#[tokio::test]
async fn a_second_head_has_its_own_limit_and_idle_connections_another() {
    let running = start(&["--web.read-header-timeout=300ms", "--web.idle-timeout=1500ms"]).await;
    let mut stream = connect(&running).await;
    let head = b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut answer = vec![0; 1_024];
    stream.write_all(head).await.unwrap();
    assert!(stream.read(&mut answer).await.unwrap() > 0);

    tokio::time::sleep(Duration::from_millis(600)).await;
    stream.write_all(head).await.unwrap();
    assert!(stream.read(&mut answer).await.unwrap() > 0, "idle is longer than a head");

    let begin = Instant::now();
    stream.write_all(b"HEAD /").await.unwrap();
    assert_eq!(rest(&mut stream).await, "");
    assert!(begin.elapsed() < Duration::from_millis(1_500), "a head that was begun is not idle");

    let mut stream = connect(&running).await;
    stream.write_all(head).await.unwrap();
    let begin = Instant::now();
    assert!(rest(&mut stream).await.starts_with("HTTP/1.1 200"));
    assert!(begin.elapsed() >= Duration::from_millis(1_400));
}

#[tokio::test]
async fn a_handshake_that_does_not_end_is_cut_off() {
    let site = Site::new();
    let flag = format!("--web.config.file={}", site.path("web.yml").display());
    drop(site.start("").await);
    let running = start(&[&flag, "--web.read-header-timeout=300ms"]).await;
    for begin in [&b""[..], b"\x16", b"\x16\x03\x01\x40\x00\x01"] {
        let mut stream = connect(&running).await;
        stream.write_all(begin).await.unwrap();
        rest(&mut stream).await;
    }
    // After the handshake a head has its limit as over plain HTTP, and HTTP/2 its first request.
    let mut stream = Client::new(&site.authority).connect(&running).await.unwrap();
    let mut bytes = Vec::new();
    let _end = timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("it is closed");
    assert!(bytes.is_empty());
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let running = start(&["--web.max-header-bytes=8192"]).await;
    let many = "X-Header: 0123456789\r\n".repeat(1_000);
    for head in [
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n", "a".repeat(9_000)),
        format!("GET /metrics HTTP/1.1\r\nHost: x\r\n{many}"),
        format!("GET /metrics?{} HTTP/1.1\r\nHost: x\r\n", "a".repeat(9_000)),
    ] {
        let mut stream = connect(&running).await;
        // It may close before it has read everything.
        let _written = stream.write_all(format!("{head}\r\n").as_bytes()).await;
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
    let fits = format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX-Large: {}\r\n", "a".repeat(7_000));
    assert_eq!(running.request(&fits).await.status, 200);
}

#[tokio::test]
async fn an_endless_head_takes_no_memory_and_ends() {
    let running = start(&[]).await;
    let mut stream = connect(&running).await;
    let block = [b'a'; 4_096];
    let closed = timeout(PATIENCE, async {
        stream.write_all(b"GET /").await?;
        // Many times what the limit is and what a socket's buffers hold.
        for _ in 0..8_192 {
            stream.write_all(&block).await?;
        }
        std::io::Result::Ok(())
    });
    assert!(closed.await.expect("it is closed").is_err(), "32 MiB were read");
}

#[tokio::test]
async fn what_is_no_request_is_refused() {
    let running = start(&[]).await;
    for request in [
        "nonsense\r\n\r\n",
        "GET /metrics\r\n\r\n",
        "GET /metrics HTTP/9.9\r\n\r\n",
        "GET  /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nHost x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\n: x\r\n\r\n",
        "GET /me\0trics HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        "GET /metrics HTTP/1.1\r\nTransfer-Encoding: chunked, nonsense\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n",
    ] {
        let mut stream = connect(&running).await;
        stream.write_all(request.as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{request:?}: {answer}");
    }
    for (request, status) in [
        ("GET http://x/metrics HTTP/1.1\r\nHost: x\r\n", 200),
        ("GET //metrics HTTP/1.1\r\nHost: x\r\n", 404),
        ("GET /metrics/../metrics HTTP/1.1\r\nHost: x\r\n", 404),
        ("GET /%6detrics HTTP/1.1\r\nHost: x\r\n", 404),
        ("GET /metrics HTTP/1.0\r\n", 200),
        ("OPTIONS * HTTP/1.1\r\nHost: x\r\n", 404),
        ("CONNECT x:80 HTTP/1.1\r\nHost: x\r\n", 404),
        ("TRACE /metrics HTTP/1.1\r\nHost: x\r\n", 405),
        ("PUT /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n", 405),
        ("GET /metrics HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n", 200),
    ] {
        let answer = running.request(request).await;
        assert_eq!(answer.status, status, "{request}");
        assert!(!answer.head.contains("\r\nserver:"), "{request}");
    }
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_and_idle_ones_make_room() {
    let running = start(&["--web.max-connections=2", "--web.read-header-timeout=15s"]).await;
    let mut answer = vec![0; 1_024];
    let mut idle = connect(&running).await;
    idle.write_all(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    assert!(idle.read(&mut answer).await.unwrap() > 0);
    let mut busy = connect(&running).await;
    busy.write_all(b"GET /metrics?do=wait HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        .await
        .unwrap();

    assert_eq!(running.get("/metrics").await.status, 200, "the idle one made room");
    assert_eq!(rest(&mut idle).await, "", "it was closed in good order");

    // Now the second place is held by somebody who is not idle.
    let mut held = connect(&running).await;
    held.write_all(b"GET").await.unwrap();
    let mut waiting = connect(&running).await;
    waiting.write_all(b"HEAD / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
    let early = timeout(Duration::from_millis(200), waiting.read(&mut answer)).await;
    assert!(early.is_err(), "there is no place");
    running.example.gate.add_permits(1);
    assert!(rest(&mut busy).await.contains("x_up 1\n"), "who is busy is not disturbed");
    assert!(rest(&mut waiting).await.starts_with("HTTP/1.1 200"));
    drop(held);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Raw bytes, alone and inside a request, over plain sockets.
    #[test]
    fn property_no_bytes_stop_the_server(
        batch in prop::collection::vec(
            (prop::collection::vec(any::<u8>(), 0..400), 0..4_u8), 1..20,
        )
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let running = start(&["--web.read-header-timeout=200ms"]).await;
            for (bytes, place) in batch {
                let mut stream = connect(&running).await;
                let (before, after): (&[u8], &[u8]) = match place {
                    0 => (b"", b""),
                    1 => (b"GET /", b" HTTP/1.1\r\nHost: x\r\n\r\n"),
                    2 => (b"GET /metrics HTTP/1.1\r\nHost: x\r\nAccept: ", b"\r\n\r\n"),
                    _ => (b"GET /metrics?name[]=", b" HTTP/1.1\r\nConnection: close\r\n\r\n"),
                };
                let request = [before, &bytes, after].concat();
                // The server may have seen enough before everything is sent.
                let _written = stream.write_all(&request).await;
                let _closed = stream.shutdown().await;
                rest(&mut stream).await;
            }
            assert_eq!(running.get("/metrics").await.status, 200);
            assert!(!running.served.is_finished());
        });
    }
}
