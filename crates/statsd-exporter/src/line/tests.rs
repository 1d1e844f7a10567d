//! Samples as text, and what no bytes can do. What lines mean on the page stands in `tests/cases`.

use std::fmt::Write as _;

use expect_test::expect;
use proptest::prelude::*;

use super::{Dialect, Fault, Sample, lines, parse, quick};

/// Each sample of a line on a line of its own, then the tally where it says something.
fn shown(line: &str) -> String {
    let mut text = String::new();
    let mut samples = parse(line.as_bytes(), Dialect::default());
    for sample in &mut samples {
        match sample {
            Ok(Sample { identity, update }) => {
                let named = identity.read(Dialect::default());
                let labels = named.labels.as_slice();
                writeln!(text, "{} {labels:?} {update:?}", named.name)
            }
            Err(fault) => writeln!(text, "{}", fault.reason()),
        }
        .expect("memory");
    }
    writeln!(text, "{:?}", samples.tally()).expect("memory");
    text
}

#[test]
fn samples_borrow_what_names_them() {
    expect![[r#"
        a.b [("container_id", "id"), ("k", "v")] Observe { value: 0.001, weight: 10 }
        a.b [("container_id", "id"), ("k", "v")] Observe { value: 0.0025, weight: 10 }
        Tally { samples: 2, tag_errors: 0, tagged: 0, rate_errors: 0 }
    "#]]
    .assert_eq(&shown("a.b:1:2.5|ms|@0.1|#k:v,x|c:id|T1"));
    expect![[r#"
        a [("k", "v")] Shift(1.0)
        a [("k", "v")] Add(4.0)
        malformed_value
        Tally { samples: 3, tag_errors: 0, tagged: 0, rate_errors: 0 }
    "#]]
    .assert_eq(&shown("a,k=v:+1|g:2|c|@0.5:x|c"));
}

#[test]
fn identities_are_the_same_whatever_the_rate_and_time() {
    let identity = |line: &'static str| {
        let sample = parse(line.as_bytes(), Dialect::default()).next();
        sample.expect("a sample").expect("a good one").identity
    };
    assert_eq!(identity("a:1|c|@0.5|#k:v"), identity("a:7|c|#k:v|T12"));
    assert_ne!(identity("a:1|c|#k:v"), identity("a:1|g|#k:v"));
    assert_ne!(identity("a:1|c|#k:v"), identity("a:1|c|#k:w"));
}

#[test]
fn a_datagram_is_cut_at_line_feeds() {
    let cut: Vec<&[u8]> = lines(b"a\r\n\nb\n").collect();
    assert_eq!(cut, [&b"a"[..], b"", b"b", b""]);
}

#[test]
fn every_fault_has_a_reason_of_its_own() {
    let mut reasons = Fault::ALL.map(Fault::reason);
    reasons.sort_unstable();
    assert!(reasons.windows(2).all(|pair| pair[0] != pair[1]));
    for (index, fault) in Fault::ALL.into_iter().enumerate() {
        assert_eq!(fault as usize, index, "counters are found by position");
    }
}

/// A name and its labels.
type Read = (String, Vec<(String, String)>);

/// The grammar again, slow and with copies: split, then look.
fn naive(line: &str) -> Option<Vec<Read>> {
    let (name, rest) = line.split_once(':')?;
    let (values, rest) = rest.split_once('|')?;
    let mut parts = rest.split('|');
    let kind = parts.next()?;
    let mut tags = std::collections::BTreeMap::new();
    for part in parts {
        for tag in part.strip_prefix('#')?.split(',') {
            let (key, value) = tag.split_once(':')?;
            tags.insert(key.to_owned(), value.to_owned());
        }
    }
    let tags: Vec<_> = tags.into_iter().collect();
    kind.chars().next()?;
    Some(values.split(':').map(|_value| (name.to_owned(), tags.clone())).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn property_any_bytes_are_survived(line in prop::collection::vec(any::<u8>(), 0..100)) {
        for sample in parse(&line, Dialect::default()).flatten() {
            let _named = sample.identity.read(Dialect::default());
        }
    }

    #[test]
    fn property_nearly_lines_are_survived(
        line in "[ab.]{0,3}[#,\\[]?([ab_]{0,2}=?[ab]?,?){0,3}\\]?:?[0-9.e+-]{0,4}(:[0-9]{0,2}){0,2}(\\|[cgmshdT@#:,.0-9a-f]{0,6}){0,8}",
    ) {
        let mut samples = parse(line.as_bytes(), Dialect::default());
        let mut count = 0;
        for sample in &mut samples {
            count += 1;
            if let Ok(sample) = sample {
                let _named = sample.identity.read(Dialect::default());
            }
        }
        let tally = samples.tally();
        prop_assert!(tally.samples <= count && count <= tally.samples + 1);
    }

    /// The quick reader says what the whole grammar says, or nothing.
    #[test]
    fn property_quick_agrees_with_the_grammar(
        line in prop_oneof![
            "[a.]{1,3}([#,]a=b)?:[-+]?[0-9]{0,17}(\\.[0-9]{0,6})?\\|(c|g|ms|h|d|s|x)(\\|@[0-9.]{0,4})?(\\|#[a:,]{0,5})?(\\|(c:x|T1))?",
            "[a.:|#@0-9cgmshd+-]{0,24}",
        ],
        dogstatsd: bool,
    ) {
        let dialect = Dialect { dogstatsd, ..Dialect::default() };
        if let Some(quick) = quick(line.as_bytes(), dialect) {
            let mut samples = parse(line.as_bytes(), dialect);
            match samples.next() {
                // Its identity is never known, so nobody asks the quick reader.
                Some(Err(Fault::MixedTaggingStyles)) => {}
                first => {
                    prop_assert_eq!(first, Some(Ok(quick)));
                    prop_assert_eq!(samples.next(), None);
                    prop_assert_eq!(samples.tally().rate_errors, 0);
                }
            }
        }
    }

    #[test]
    fn property_good_lines_are_read_as_a_slow_reader_does(
        line in "[a-c.]{1,5}:[1-9]{1,2}(:[1-9]{1,2}){0,3}\\|(c|g|ms|h|d)(\\|#[a-c]{1,2}:[a-c:]{0,2}[a-c](,[a-c]{1,2}:[a-c]{1,2}){0,3})?",
    ) {
        let read: Vec<_> = parse(line.as_bytes(), Dialect::default())
            .map(|sample| {
                let named = sample.expect("a good line").identity.read(Dialect::default());
                let labels = named.labels.as_slice().iter();
                let labels = labels.map(|(key, value)| (key.to_string(), value.to_string()));
                (named.name.into_owned(), labels.collect())
            })
            .collect();
        prop_assert_eq!(Some(read), naive(&line));
    }
}
