use redis::Value;

use super::{Redirection, SlotRange, crc16, read_redirection, read_slots, slot};
use crate::address::Place;

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn list(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}

#[test]
fn slots_are_those_of_the_servers() {
    // As CLUSTER KEYSLOT of Valkey 8.1 answers.
    assert_eq!(crc16(b"123456789"), 0x31c3);
    assert_eq!(slot(b"foo"), 12_182);
    assert_eq!(slot(b""), 0);
    assert_eq!(slot(b"{foo}.bar"), slot(b"foo"));
    assert_eq!(slot(b"a{foo}{b}"), slot(b"foo"));
    assert_eq!(slot(b"foo{}{bar}"), 8_363, "an empty tag is none");
    assert_eq!(slot(b"{bar"), crc16(b"{bar") % 16_384);
}

#[test]
fn primaries_are_read_and_replicas_are_not() {
    let primary = list([bulk("10.0.0.1"), Value::Int(7000), bulk("id")]);
    let replica = list([bulk("10.0.0.2"), Value::Int(7001), bulk("id")]);
    let unnamed = list([Value::Nil, Value::Int(7002)]);
    let answer = list([
        list([Value::Int(0), Value::Int(5460), primary, replica]),
        list([Value::Int(5461), Value::Int(16_383), unnamed]),
        list([Value::Int(1)]),
        Value::Nil,
    ]);
    let ranges = read_slots(&answer);
    let expected = [
        SlotRange { first: 0, last: 5460, host: Some("10.0.0.1".to_owned()), port: 7000 },
        SlotRange { first: 5461, last: 16_383, host: None, port: 7002 },
    ];
    assert_eq!(ranges, expected);
    let asked = Place::Tcp { host: "valkey".to_owned(), port: 6379 };
    assert_eq!(ranges[1].place(asked), Place::Tcp { host: "valkey".to_owned(), port: 7002 });
}

#[test]
fn a_node_names_the_one_that_has_a_key() {
    let here = Place::Tcp { host: "valkey".to_owned(), port: 6379 };
    let at = |host: &str, port, asking| {
        Some(Redirection { place: Place::Tcp { host: host.to_owned(), port }, asking })
    };
    for (reason, expected) in [
        ("MOVED 3999 10.0.0.1:6381", at("10.0.0.1", 6381, false)),
        ("ASK 3999 node-2.example.com:6381", at("node-2.example.com", 6381, true)),
        ("MOVED 1 fd00::1:7000", at("fd00::1", 7000, false)),
        ("MOVED 1 [fd00::1]:7000", at("fd00::1", 7000, false)),
        ("MOVED 1 :7000", at("valkey", 7000, false)),
        ("MOVED 1 ?:7000", at("valkey", 7000, false)),
        ("MOVED 16384 10.0.0.1:6381", None),
        ("MOVED 1 10.0.0.1:0", None),
        ("MOVED 1", None),
        ("MOVED", None),
        ("ASKING 1 10.0.0.1:6381", None),
        ("NOPERM this user has no permissions", None),
        ("", None),
    ] {
        assert_eq!(read_redirection(reason, &here), expected, "{reason}");
    }
    let socket = Place::Unix("/run/valkey.sock".to_owned());
    assert_eq!(read_redirection("MOVED 1 :7000", &socket), None);
}
