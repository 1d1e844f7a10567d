//! The mapping loader: no file panics, and one that is taken maps and explains every name.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statsd_exporter::{
    line::{Kind, Labels},
    mapping::{Mapped, Mapping, UnknownKeys},
};

fuzz_target!(|text: &str| {
    // Names that the file itself mentions are likely to fit its rules.
    let names = text.split(|c: char| c.is_whitespace() || ",{}[]'\"".contains(c)).take(40);
    for unknown_keys in [UnknownKeys::Refuse, UnknownKeys::Warn] {
        let Ok(mapping) = Mapping::parse_with(text, unknown_keys) else { continue };
        for initial in mapping.initial() {
            assert!(initial.value.is_finite());
        }
        for name in names.clone() {
            for kind in Kind::ALL {
                let mut labels = Labels::default();
                labels.set("env".to_owned(), "prod".to_owned());
                let explained = mapping.explain(name, kind, &labels);
                let dropped = matches!(mapping.apply(name, kind, labels), Mapped::Drop);
                assert_eq!(
                    dropped,
                    explained.lines().next().unwrap_or_default().ends_with("drops it")
                );
            }
        }
    }
});
