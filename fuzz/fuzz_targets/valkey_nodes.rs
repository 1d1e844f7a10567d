//! `CLUSTER NODES`: no answer panics, and every node that is read has an address.
#![no_main]

use libfuzzer_sys::fuzz_target;
use valkey_exporter::{cluster_nodes, info};

fuzz_target!(|bytes: &[u8]| {
    let text = info::text(bytes);
    let nodes = cluster_nodes::parse(&text);
    assert!(nodes.len() <= text.lines().count());
    for node in &nodes {
        assert!(node.port > 0 && !node.ip.is_empty(), "{node:?}");
        assert!(text.contains(node.id) && text.contains(node.ip));
        assert!(node.hostname.is_none_or(|name| text.contains(name)));
        assert!(!node.flags.contains(&"myself"));
    }
});
