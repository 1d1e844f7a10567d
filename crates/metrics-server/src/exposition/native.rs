//! Native histograms: exponential buckets, as protobuf carries them.

/// The buckets of a native histogram with whole counts.
///
/// Bucket `i` of the positive side holds values in `(base^(i-1), base^i]` with
/// `base = 2^(2^-schema)`. Source: `metrics.proto` of `prometheus/client_model`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NativeBuckets {
    /// Resolution, -4 (coarse) to 8 (fine).
    pub schema: i32,
    /// Values up to this magnitude are zero.
    pub zero_threshold: f64,
    /// Observations which are zero.
    pub zero_count: u64,
    /// Runs of buckets on the positive side, ascending.
    pub positive_spans: Vec<Span>,
    /// Counts of these buckets, each less the one before it.
    pub positive_deltas: Vec<i64>,
    /// Runs of buckets on the negative side, ascending by magnitude.
    pub negative_spans: Vec<Span>,
    /// Counts of these buckets, each less the one before it.
    pub negative_deltas: Vec<i64>,
}

/// A run of consecutive buckets.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Span {
    /// The first run: its first bucket's index. Others: the gap after the run before.
    pub offset: i32,
    /// Its number of buckets.
    pub length: u32,
}

impl NativeBuckets {
    /// Packs counts by bucket index, ascending, into spans and deltas.
    #[must_use]
    pub fn pack(counts: impl IntoIterator<Item = (i32, u64)>) -> (Vec<Span>, Vec<i64>) {
        let (mut spans, mut deltas): (Vec<Span>, Vec<i64>) = (Vec::new(), Vec::new());
        let (mut next, mut before) = (0, 0_i64);
        for (index, count) in counts {
            match spans.last_mut() {
                Some(span) if index == next => span.length += 1,
                _ => spans.push(Span { offset: index - next, length: 1 }),
            }
            let count = i64::try_from(count).unwrap_or(i64::MAX);
            deltas.push(count - before);
            (next, before) = (index + 1, count);
        }
        (spans, deltas)
    }
}

#[cfg(test)]
mod tests {
    use super::{NativeBuckets, Span};

    #[test]
    fn counts_become_spans_and_deltas() {
        let (spans, deltas) = NativeBuckets::pack([(-2, 1), (-1, 3), (3, 2), (4, 2), (9, 1)]);
        let span = |offset, length| Span { offset, length };
        assert_eq!(spans, [span(-2, 2), span(3, 2), span(4, 1)]);
        assert_eq!(deltas, [1, 2, -1, 0, -1]);
        assert_eq!(NativeBuckets::pack([]), (Vec::new(), Vec::new()));
    }
}
