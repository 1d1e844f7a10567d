use expect_test::expect;
use metrics_server::{Format, Page};
use proptest::prelude::*;
use redis::Value;

use super::{read_consumers, read_groups, read_stream};
use crate::{keys::argument::KeyName, out::Out};

fn bulk(text: &str) -> Value {
    Value::BulkString(text.as_bytes().to_vec())
}

fn table(pairs: &[(&str, Value)]) -> Value {
    Value::Array(pairs.iter().flat_map(|(name, value)| [bulk(name), value.clone()]).collect())
}

fn key() -> KeyName {
    KeyName { database: 3, name: b"orders".to_vec() }
}

#[test]
fn a_stream_becomes_these_families() {
    let entry = Value::Array(vec![bulk("1638006862416-0"), Value::Array(Vec::new())]);
    let stream = table(&[
        ("length", Value::Int(2)),
        ("last-generated-id", bulk("1638006862417-2")),
        ("first-entry", entry),
        ("last-entry", Value::Nil),
        ("entries-added", bulk("no number")),
    ]);
    let mut stream = read_stream(key(), &stream).expect("a table");
    stream.groups = read_groups(&Value::Array(vec![table(&[
        ("name", bulk("g1")),
        ("consumers", Value::Int(1)),
        ("pending", Value::Int(4)),
        ("entries-read", Value::Nil),
        ("lag", Value::Nil),
    ])]));
    stream.groups[0].consumers = read_consumers(&Value::Array(vec![table(&[
        ("name", bulk("c1")),
        ("pending", Value::Int(4)),
        ("idle", Value::Int(1_500)),
    ])]));
    let mut page = Page::new();
    stream.write(&mut Out::new(&mut page, "redis", None));
    let text = page.into_text(Format::Text);
    let samples: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
    expect![[r#"
        redis_stream_first_entry_id{db="db3",stream="orders"} 1.638006862416e+12
        redis_stream_group_consumer_idle_seconds{consumer="c1",db="db3",group="g1",stream="orders"} 1.5
        redis_stream_group_consumer_messages_pending{consumer="c1",db="db3",group="g1",stream="orders"} 4
        redis_stream_group_consumers{db="db3",group="g1",stream="orders"} 1
        redis_stream_group_messages_pending{db="db3",group="g1",stream="orders"} 4
        redis_stream_last_entry_id{db="db3",stream="orders"} 0
        redis_stream_last_generated_id{db="db3",stream="orders"} 1.638006862417e+12
        redis_stream_length{db="db3",stream="orders"} 2"#]]
    .assert_eq(&samples.join("\n"));
}

#[test]
fn what_is_no_table_is_no_stream() {
    assert_eq!(read_stream(key(), &Value::Nil), None);
    assert_eq!(read_stream(key(), &Value::Array(vec![bulk("length")])), None);
    assert!(read_groups(&Value::Int(3)).is_empty());
    assert!(read_consumers(&Value::Array(vec![Value::Int(3)])).is_empty());
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Nil),
        any::<i64>().prop_map(Value::Int),
        "(length|name|lag|first-entry|idle|[0-9]{1,20}-?[0-9]?|[a-z]{0,3})"
            .prop_map(|text| bulk(&text)),
        any::<Vec<u8>>().prop_map(Value::BulkString),
    ];
    leaf.prop_recursive(3, 40, 8, |inner| {
        proptest::collection::vec(inner, 0..8).prop_map(Value::Array)
    })
}

proptest! {
    #[test]
    fn property_no_answer_panics(answer in value()) {
        let mut page = Page::new();
        if let Some(mut stream) = read_stream(key(), &answer) {
            stream.groups = read_groups(&answer);
            stream.write(&mut Out::new(&mut page, "redis", None));
        }
        let _consumers = read_consumers(&answer);
    }
}
