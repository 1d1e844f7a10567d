//! The line parser: no bytes panic, counts agree, and the quick reader says what the grammar says.
#![no_main]

use libfuzzer_sys::fuzz_target;
use statsd_exporter::line::{Dialect, Fault, Valueless, lines, parse, quick};

/// Dialects by the first byte of the input.
fn dialect(switches: u8) -> Dialect {
    Dialect {
        dogstatsd: switches & 1 == 0,
        influxdb: switches & 2 == 0,
        librato: switches & 4 == 0,
        signalfx: switches & 8 == 0,
        valueless: if switches & 16 == 0 { Valueless::Refused } else { Valueless::Label("true") },
        container_label: switches & 32 == 0,
        external_label: switches & 64 != 0,
        cardinality_label: switches & 64 != 0,
        set_window_ms: u64::from(switches & 128 != 0),
    }
}

fuzz_target!(|input: &[u8]| {
    let Some((&switches, datagram)) = input.split_first() else { return };
    let dialect = dialect(switches);
    for line in lines(datagram) {
        let mut samples = parse(line, dialect);
        let mut read = Vec::new();
        for sample in &mut samples {
            if let Ok(sample) = &sample {
                let named = sample.identity.read(dialect);
                for (key, _) in named.labels.as_slice() {
                    assert!(!key.is_empty() && !key.starts_with("__"), "{key}");
                }
            }
            read.push(sample);
        }
        let (tally, count) = (samples.tally(), read.len() as u64);
        assert!(tally.samples <= count && count <= tally.samples + 1);
        if let Some(quick) = quick(line, dialect) {
            match &read[..] {
                [Err(Fault::MixedTaggingStyles | Fault::MalformedLine)] => {}
                other => assert_eq!(other, [Ok(quick)]),
            }
        }
    }
});
