use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use proptest::prelude::*;
use serde_json::Value;
use tracing::{field::Empty, info_span};
use tracing_subscriber::layer::SubscriberExt as _;

use super::{Endpoint, TARGET, parse_traceparent, start};
use crate::telemetry::ExporterInfo;

const INFO: ExporterInfo = ExporterInfo {
    name: "x_exporter",
    title: "X Exporter",
    description: "Exports x.",
    version: "1.2.3",
    documentation_url: "https://example.org/x",
};

#[test]
fn an_endpoint_is_an_http_address() {
    let endpoint =
        |host: &str, path: &str| Ok(Endpoint { host: host.to_owned(), path: path.to_owned() });
    assert_eq!(Endpoint::parse("http://h:4318"), endpoint("h:4318", "/v1/traces"));
    assert_eq!(Endpoint::parse("http://h:4318/"), endpoint("h:4318", "/v1/traces"));
    assert_eq!(Endpoint::parse("http://[::1]:1/a/b/"), endpoint("[::1]:1", "/a/b"));
    for wrong in
        ["", "h:4318", "https://h:4318", "http://h", "http://:1", "http://u:p@h:1", "http://h:x"]
    {
        assert!(Endpoint::parse(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn a_traceparent_is_read_or_ignored() {
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let (trace, parent) = parse_traceparent(good).expect("the example of the specification");
    assert_eq!((trace[0], trace[15], parent[0], parent[7]), (0x0a, 0x9c, 0xb7, 0x31));
    for bad in [
        "",
        "00",
        "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        "00-0af7651916cd43dd8448eb211c80319-b7ad6b7169203331-01",
        "00-0gf7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    ] {
        assert_eq!(parse_traceparent(bad), None, "{bad}");
    }
}

proptest! {
    #[test]
    fn property_no_traceparent_panics(text: String) {
        let _read = parse_traceparent(&text);
        let _parsed = Endpoint::parse(&text);
    }
}

/// A collector which takes one request and gives its head and body.
fn collector() -> (String, thread::JoinHandle<(String, Value)>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    let taken = thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("somebody sends");
        let mut text = String::new();
        let mut buffer = [0; 4_096];
        loop {
            let count = stream.read(&mut buffer).expect("a request");
            text.push_str(std::str::from_utf8(&buffer[..count]).expect("text"));
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
            if body.len() == length.expect("a length").parse::<usize>().expect("a number") {
                stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").expect("an answer");
                return (head.to_owned(), serde_json::from_str(body).expect("JSON"));
            }
        }
    });
    (address, taken)
}

#[test]
fn a_scrape_and_its_collectors_are_one_trace() {
    let (address, taken) = collector();
    let endpoint = Endpoint::parse(&address).expect("an address");
    let (layer, sending) = start(endpoint, &INFO).expect("a thread");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        let traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let scrape =
            info_span!(target: TARGET, "scrape", traceparent, path = "/metrics", status = Empty);
        scrape.in_scope(|| {
            let _collector = info_span!(target: TARGET, "collector", collector = "locks").entered();
            let _other = info_span!("not for sending").entered();
        });
        scrape.record("status", 200);
    });
    drop(sending);

    let (head, body) = taken.join().expect("no panics");
    assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
    let resource = &body["resourceSpans"][0];
    assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "x_exporter");
    let spans = resource["scopeSpans"][0]["spans"].as_array().expect("spans");
    let [collector, scrape] = spans.as_slice() else { panic!("two spans: {body}") };
    assert_eq!(scrape["name"], "scrape");
    assert_eq!(scrape["kind"], 2);
    assert_eq!(scrape["traceId"], "0af7651916cd43dd8448eb211c80319c");
    assert_eq!(scrape["parentSpanId"], "b7ad6b7169203331");
    assert_eq!(scrape["attributes"][1]["key"], "status");
    assert_eq!(scrape["attributes"][1]["value"]["stringValue"], "200");
    assert_eq!(collector["name"], "collector");
    assert_eq!(collector["traceId"], scrape["traceId"]);
    assert_eq!(collector["parentSpanId"], scrape["spanId"]);
    assert_eq!(collector["attributes"][0]["value"]["stringValue"], "locks");
}

#[test]
fn nobody_to_send_to_costs_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = format!("http://{}", listener.local_addr().expect("bound"));
    drop(listener);
    let endpoint = Endpoint::parse(&address).expect("an address");
    let (layer, sending) = start(endpoint, &INFO).expect("a thread");
    tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), || {
        for _ in 0..3 {
            let _scrape = info_span!(target: TARGET, "scrape").entered();
        }
    });
    drop(sending);
}
