use redis::Value;

use super::{SlotRange, crc16, read_slots, slot};
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
