//! Label pairs, sorted and escaped once.

use std::{borrow::Cow, cmp::Ordering, fmt};

use super::is_label_name;

/// Label pairs, sorted by name and escaped, for a series which outlives one scrape.
///
/// The text is what stands between the braces: `a="1",b="2"`, or nothing. Blocks are ordered as
/// Go's registry orders the series of a family: fewer labels first, then value by value.
#[derive(Clone, Default, Eq, Hash, PartialEq)]
pub struct LabelBlock(Box<str>);

impl LabelBlock {
    /// Sorts and escapes `labels`. `None` if a name is not a label name, or is there twice.
    #[must_use]
    pub fn new(labels: &[(&str, &str)]) -> Option<Self> {
        if labels.is_sorted_by_key(|(name, _)| *name) {
            return Self::of_sorted(labels.iter().copied());
        }
        let mut sorted: Vec<_> = labels.to_vec();
        sorted.sort_by_key(|(name, _)| *name);
        Self::of_sorted(sorted.into_iter())
    }

    /// Escapes labels which are sorted by name. `None` if they are not, or a name is not a label name or
    /// is there twice.
    #[must_use]
    pub fn of_sorted<'a>(labels: impl Iterator<Item = (&'a str, &'a str)> + Clone) -> Option<Self> {
        let mut bytes = 0_usize;
        let mut before = "";
        for (name, value) in labels.clone() {
            // No label name is empty, so the first one comes behind nothing.
            if !is_label_name(name) || name <= before {
                return None;
            }
            before = name;
            bytes += name.len() + value.len() + 4;
        }
        // Exact where nothing is escaped, so that the box is not moved.
        let mut text = String::with_capacity(bytes.saturating_sub(1));
        for (name, value) in labels {
            if !text.is_empty() {
                text.push(',');
            }
            text.push_str(name);
            text.push_str("=\"");
            escape_value(value, &mut text);
            text.push('"');
        }
        Some(Self(text.into()))
    }

    /// What stands between the braces.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Names and values as they were before they were escaped.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Cow<'_, str>)> {
        self.pairs().map(|(name, value)| (name, plain(value)))
    }

    /// The pairs, with values still escaped.
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parts().map(|pair| (pair.name, pair.value))
    }

    fn parts(&self) -> Pairs<'_> {
        Pairs { rest: &self.0 }
    }
}

impl fmt::Debug for LabelBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.0)
    }
}

impl Ord for LabelBlock {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut ours, mut theirs) = (self.parts(), other.parts());
        let mut values = Ordering::Equal;
        loop {
            match (ours.next(), theirs.next()) {
                (Some(a), Some(b)) => values = values.then_with(|| a.compare_values(&b)),
                // Label names only decide where all values are equal; Go leaves that open.
                (None, None) => return values.then_with(|| self.0.cmp(&other.0)),
                (ours, theirs) => return ours.is_some().cmp(&theirs.is_some()),
            }
        }
    }
}

impl PartialOrd for LabelBlock {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

struct Pairs<'a> {
    rest: &'a str,
}

struct Pair<'a> {
    name: &'a str,
    /// Still escaped.
    value: &'a str,
    is_escaped: bool,
}

impl<'a> Iterator for Pairs<'a> {
    type Item = Pair<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        // Names are short: looking at each byte is quicker than any search.
        let end = self.rest.bytes().position(|byte| byte == b'=')?;
        let (name, rest) = self.rest.split_at_checked(end)?;
        let rest = rest.strip_prefix("=\"")?;
        let (end, is_escaped) = closing_quote(rest);
        let (value, rest) = rest.split_at_checked(end)?;
        self.rest = rest.strip_prefix('"').unwrap_or(rest);
        self.rest = self.rest.strip_prefix(',').unwrap_or(self.rest);
        Some(Pair { name, value, is_escaped })
    }
}

impl Pair<'_> {
    /// In the order of the bytes before they were escaped.
    fn compare_values(&self, other: &Self) -> Ordering {
        if self.is_escaped || other.is_escaped {
            unescaped(self.value).cmp(unescaped(other.value))
        } else {
            self.value.cmp(other.value)
        }
    }
}

/// Index of the first quote which is not escaped, and whether something before it is.
fn closing_quote(text: &str) -> (usize, bool) {
    let (mut escaped, mut any) = (false, false);
    for (index, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => (escaped, any) = (true, true),
            b'"' => return (index, any),
            _ => {}
        }
    }
    (text.len(), any)
}

/// A value before it was escaped.
fn plain(value: &str) -> Cow<'_, str> {
    if value.contains('\\') {
        let bytes = unescaped(value).collect();
        Cow::Owned(String::from_utf8(bytes).expect("escaping only adds ASCII"))
    } else {
        Cow::Borrowed(value)
    }
}

/// The bytes of a value before it was escaped.
fn unescaped(value: &str) -> impl Iterator<Item = u8> {
    let mut bytes = value.bytes();
    std::iter::from_fn(move || match bytes.next()? {
        b'\\' => match bytes.next()? {
            b'n' => Some(b'\n'),
            byte => Some(byte),
        },
        byte => Some(byte),
    })
}

/// Escapes a label value as text 0.0.4 and OpenMetrics ask: backslash, quote, line feed.
fn escape_value(value: &str, out: &mut String) {
    if !value.bytes().any(|byte| matches!(byte, b'\\' | b'"' | b'\n')) {
        out.push_str(value);
        return;
    }
    for character in value.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            _ => out.push(character),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::{collection::btree_map, prelude::*};

    use super::LabelBlock;

    fn block(labels: &[(&str, &str)]) -> LabelBlock {
        LabelBlock::new(labels).expect("valid labels")
    }

    #[test]
    fn labels_are_sorted_and_escaped() {
        let labels = block(&[("b", "two\nlines"), ("a", r#"back\slash "quoted""#)]);
        assert_eq!(labels.as_str(), r#"a="back\\slash \"quoted\"",b="two\nlines""#);
    }

    #[test]
    fn a_label_name_is_valid_and_unique() {
        assert_eq!(LabelBlock::new(&[("a", "1"), ("a", "2")]), None);
        assert_eq!(LabelBlock::new(&[("a-b", "1")]), None);
        assert_eq!(LabelBlock::new(&[("", "1")]), None);
    }

    #[test]
    fn fewer_labels_come_first_then_values() {
        let mut blocks = [
            block(&[("a", "x"), ("b", "")]),
            block(&[("a", "x y")]),
            block(&[("a", "x")]),
            block(&[("a", "x\"")]),
            block(&[]),
        ];
        blocks.sort();
        let texts: Vec<_> = blocks.iter().map(LabelBlock::as_str).collect();
        assert_eq!(texts, ["", r#"a="x""#, r#"a="x y""#, r#"a="x\"""#, r#"a="x",b="""#]);
    }

    proptest! {
        #[test]
        fn property_blocks_are_ordered_by_raw_values(
            a in "\\PC{0,6}|[\"\\\\\n,=a]{0,6}", b in "\\PC{0,6}|[\"\\\\\n,=a]{0,6}",
        ) {
            let order = block(&[("l", &a), ("m", "z")]).cmp(&block(&[("l", &b), ("m", "z")]));
            prop_assert_eq!(order, a.as_bytes().cmp(b.as_bytes()));
        }

        #[test]
        fn property_the_count_comes_before_values_and_values_before_names(
            a in btree_map("[a-c]", "[\"\\\\\n,=a!]{0,3}", 0..4),
            b in btree_map("[a-c]", "[\"\\\\\n,=a!]{0,3}", 0..4),
        ) {
            let parts = |labels: &BTreeMap<String, String>| {
                let pairs: Vec<_> = labels.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
                let block = block(&pairs);
                let text = block.as_str().to_owned();
                (block, (pairs.len(), labels.values().cloned().collect::<Vec<_>>(), text))
            };
            let ((a, a_parts), (b, b_parts)) = (parts(&a), parts(&b));
            prop_assert_eq!(a.cmp(&b), a_parts.cmp(&b_parts));
        }
    }
}
