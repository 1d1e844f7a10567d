use proptest::prelude::*;

use super::{Bounds, Excess, Framing, State};

const BOUNDS: Bounds = Bounds { bytes_max: 200_000, values_max: 100 };

fn take(replies: &[u8], piece: usize) -> Result<Framing, Excess> {
    let mut framing = Framing::new(BOUNDS);
    for bytes in replies.chunks(piece) {
        framing.take(bytes)?;
    }
    Ok(framing)
}

#[test]
fn what_is_beyond_a_bound_is_refused_before_it_has_come() {
    let line = |length: usize| format!("+{}\r\n", "x".repeat(length));
    for (replies, expected) in [
        ("$200001\r\n".to_owned(), Some(Excess::Bytes)),
        ("$199000\r\n".to_owned(), None),
        ("$9223372036854775807\r\n".to_owned(), Some(Excess::Bytes)),
        ("$92233720368547758070\r\n".to_owned(), None),
        ("$-1\r\n$-1\r\n".to_owned(), None),
        ("=-1\r\n".to_owned(), Some(Excess::Bytes)),
        ("*100\r\n".to_owned(), Some(Excess::Values)),
        ("*99\r\n".to_owned(), None),
        ("%50\r\n".to_owned(), Some(Excess::Values)),
        ("|9223372036854775807\r\n".to_owned(), Some(Excess::Values)),
        ("*2\r\n*60\r\n".to_owned() + &"_\r\n".repeat(60) + "*50\r\n", Some(Excess::Values)),
        (":1\r\n".repeat(100), None),
        (":1\r\n".repeat(101), Some(Excess::Values)),
        ("*1\r\n".repeat(32), None),
        ("*1\r\n".repeat(33), Some(Excess::Depth)),
        (line(60_000), None),
        (line(70_000), Some(Excess::Line)),
        ("-".to_owned() + &"x".repeat(70_000), Some(Excess::Line)),
        ("*".to_owned() + &" ".repeat(40), Some(Excess::Line)),
        ("HTTP/1.1 400 Bad Request\r\n*1000\r\n".to_owned(), None),
        (line(60_000).repeat(4), Some(Excess::Bytes)),
    ] {
        for piece in [1, 7, 1 << 20] {
            let refused = take(replies.as_bytes(), piece).err();
            let shown = replies.get(..replies.len().min(40));
            assert_eq!(refused, expected, "{shown:?} in pieces of {piece}");
        }
    }
}

#[test]
fn each_batch_may_have_as_much() {
    let mut framing = Framing::new(BOUNDS);
    for _batch in 0..10 {
        framing.refill();
        assert_eq!(framing.take(&b"*2\r\n:1\r\n$3\r\nabc\r\n".repeat(30)), Ok(()));
    }
    assert_eq!(framing.take(&b":1\r\n".repeat(11)), Err(Excess::Values));
}

/// A reply as a server would write it, and how many values it has.
fn reply() -> impl Strategy<Value = (Vec<u8>, u64)> {
    let leaf = prop_oneof![
        "[a-z\r]{0,9}[a-z]".prop_map(|text| (format!("+{text}\r\n").into_bytes(), 1)),
        any::<i64>().prop_map(|number| (format!(":{number}\r\n").into_bytes(), 1)),
        prop::sample::select(vec!["$-1\r\n", "*-1\r\n", "_\r\n", "#t\r\n", ",1.5\r\n", "*0\r\n"])
            .prop_map(|text| (text.as_bytes().to_vec(), 1)),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(|bytes| {
            let mut reply = format!("${}\r\n", bytes.len()).into_bytes();
            reply.extend_from_slice(&bytes);
            reply.extend_from_slice(b"\r\n");
            (reply, 1)
        }),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        (prop::sample::select(vec!['*', '~', '%']), prop::collection::vec(inner, 0..6)).prop_map(
            |(kind, mut items)| {
                if kind == '%' && items.len() % 2 == 1 {
                    items.pop();
                }
                let length = if kind == '%' { items.len() / 2 } else { items.len() };
                let mut reply = format!("{kind}{length}\r\n").into_bytes();
                let mut values = 1;
                for (bytes, count) in items {
                    reply.extend(bytes);
                    values += count;
                }
                (reply, values)
            },
        )
    })
}

proptest! {
    #[test]
    fn property_any_bytes_are_read(
        bytes in prop::collection::vec(
            prop_oneof![any::<u8>(), prop::sample::select(b"*$%|~>!=+-:0129\r\n".to_vec())], 0..300,
        ),
        piece in 1_usize..50,
    ) {
        let whole = take(&bytes, usize::MAX).map(|framing| (framing.open, framing.state));
        let pieces = take(&bytes, piece).map(|framing| (framing.open, framing.state));
        prop_assert_eq!(whole, pieces);
    }

    /// Where the driver finds the end of a reply, a reply ends here too.
    #[test]
    fn property_the_driver_agrees(replies in prop::collection::vec(reply(), 1..5), piece in 1_usize..50) {
        let bounds = Bounds { bytes_max: u64::MAX, values_max: u64::MAX };
        let mut framing = Framing::new(bounds);
        let mut values = 0;
        for (bytes, count) in &replies {
            prop_assert!(redis::parse_redis_value(bytes).is_ok());
            for piece in bytes.chunks(piece) {
                prop_assert_eq!(framing.take(piece), Ok(()));
            }
            prop_assert_eq!((framing.state, framing.open.len()), (State::Between, 0));
            values += count;
        }
        prop_assert_eq!(u64::MAX - framing.values_left, values);
    }
}
