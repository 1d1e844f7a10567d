//! Recent examples of what clients send and nobody wants: bad lines, and names without a rule. Kept
//! only with `--web.enable-debug`, and no more of them than a person reads.

use std::{
    collections::{BTreeMap, VecDeque},
    fmt::Write as _,
    sync::{Mutex, PoisonError},
};

/// Names and reasons which are kept apart.
const KEYS_MAX: usize = 256;
/// Examples of each.
const EXAMPLES_MAX: usize = 5;
/// Bytes of each example.
const EXAMPLE_BYTES_MAX: usize = 256;

/// What was seen lately.
#[derive(Debug, Default)]
pub struct Inspect {
    unmapped: Mutex<Recent>,
    bad_lines: Mutex<Recent>,
}

impl Inspect {
    /// A new series of a name without a rule.
    pub fn unmapped(&self, name: &str, line: &[u8]) {
        add(&self.unmapped, name, line);
    }

    /// A line, or a sample of it, that was refused.
    pub fn bad_line(&self, reason: &'static str, line: &[u8]) {
        add(&self.bad_lines, reason, line);
    }

    /// Names without a rule, those with most series first.
    pub fn unmapped_text(&self) -> String {
        text(&self.unmapped, "series")
    }

    /// Reasons and examples, the most frequent first.
    pub fn bad_lines_text(&self) -> String {
        text(&self.bad_lines, "samples")
    }
}

#[derive(Debug, Default)]
struct Recent {
    by_key: BTreeMap<String, Seen>,
    others: u64,
}

#[derive(Debug, Default)]
struct Seen {
    count: u64,
    examples: VecDeque<String>,
}

fn add(recent: &Mutex<Recent>, key: &str, line: &[u8]) {
    let mut recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
    let key = shortened(key.as_bytes());
    if !recent.by_key.contains_key(&key) && recent.by_key.len() >= KEYS_MAX {
        recent.others += 1;
        return;
    }
    let seen = recent.by_key.entry(key).or_default();
    seen.count += 1;
    if seen.examples.len() == EXAMPLES_MAX {
        seen.examples.pop_front();
    }
    seen.examples.push_back(shortened(line));
}

/// The beginning of what strangers sent, as one printable line.
fn shortened(bytes: &[u8]) -> String {
    let start = &bytes[..bytes.len().min(EXAMPLE_BYTES_MAX)];
    start.escape_ascii().to_string()
}

fn text(recent: &Mutex<Recent>, unit: &str) -> String {
    let recent = recent.lock().unwrap_or_else(PoisonError::into_inner);
    let mut seen: Vec<_> = recent.by_key.iter().collect();
    seen.sort_by(|a, b| b.1.count.cmp(&a.1.count).then(a.0.cmp(b.0)));
    let mut text = String::new();
    for (key, Seen { count, examples }) in seen {
        writeln!(text, "{key}: {count} {unit}").expect("a string takes every line");
        for example in examples {
            writeln!(text, "    {example}").expect("a string takes every line");
        }
    }
    if recent.others > 0 {
        writeln!(text, "others: {} {unit}", recent.others).expect("a string takes every line");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{Inspect, KEYS_MAX};

    #[test]
    fn the_most_frequent_come_first_with_the_latest_examples() {
        let inspect = Inspect::default();
        inspect.bad_line("rare", b"x");
        for number in 0..7 {
            inspect.bad_line("often", format!("a\n{number}(").as_bytes());
        }
        let text = inspect.bad_lines_text();
        assert!(text.starts_with("often: 7 samples\n    a\\n2"), "{text}");
        assert!(text.ends_with("rare: 1 samples\n    x\n"), "{text}");
    }

    #[test]
    fn strangers_cannot_make_it_grow() {
        let inspect = Inspect::default();
        for number in 0..KEYS_MAX + 10 {
            inspect.unmapped(&format!("{number}{}", "x".repeat(10_000)), &vec![b'y'; 60_000]);
        }
        let text = inspect.unmapped_text();
        assert!(text.ends_with("others: 10 series\n"));
        assert!(text.len() < KEYS_MAX * 1_100, "{}", text.len());
    }
}
