//! `io.prometheus.client.MetricFamily` on the wire, by hand: seven small messages.
//!
//! Field numbers are those of `metrics.proto` of `prometheus/client_model`. A family is written as
//! one message or, where it fills a chunk, as several which follow each other.

use super::{
    Desc, Escaping, Exemplar, Extras, HistogramState, Kind, LabelBlock, NativeBuckets, Span,
    SummaryState,
};

/// Appends a delimited `MetricFamily` with `metrics`, the encoded fields 4 of it.
pub(super) fn write_family(desc: &Desc<'_>, escaping: Escaping, metrics: &[u8], out: &mut Vec<u8>) {
    let mut head = Vec::new();
    text(1, &escaping.name(&desc.name), &mut head);
    text(2, &desc.help, &mut head);
    let kind = match desc.kind {
        Kind::Counter => 0,
        Kind::Gauge => 1,
        Kind::Summary => 2,
        Kind::Untyped => 3,
        Kind::Histogram => 4,
    };
    unsigned(3, kind, &mut head);
    varint((head.len() + metrics.len()) as u64, out);
    out.extend_from_slice(&head);
    out.extend_from_slice(metrics);
}

/// Appends one `Metric` of a counter, gauge or untyped family, as field 4 of its family.
pub(super) fn write_number(
    kind: Kind,
    escaping: Escaping,
    labels: &LabelBlock,
    value: f64,
    extras: &Extras,
    out: &mut Vec<u8>,
) {
    let mut number = Vec::new();
    double(1, value, &mut number);
    let field = match kind {
        Kind::Gauge => 2,
        Kind::Counter => {
            if let Some(exemplar) = extras.exemplars.first() {
                message(2, &encode_exemplar(exemplar, escaping), &mut number);
            }
            created(3, extras, &mut number);
            3
        }
        _ => 5,
    };
    write_metric(escaping, labels, field, &number, out);
}

/// Appends one `Metric` of a summary family.
pub(super) fn write_summary(
    escaping: Escaping,
    labels: &LabelBlock,
    state: &SummaryState,
    extras: &Extras,
    out: &mut Vec<u8>,
) {
    let mut summary = Vec::new();
    unsigned(1, state.count, &mut summary);
    double(2, state.sum, &mut summary);
    for &(quantile, value) in &state.quantiles {
        let mut pair = Vec::new();
        double(1, quantile, &mut pair);
        double(2, value, &mut pair);
        message(3, &pair, &mut summary);
    }
    created(4, extras, &mut summary);
    write_metric(escaping, labels, 4, &summary, out);
}

/// Appends one `Metric` of a histogram family: classic buckets, native ones, or both.
pub(super) fn write_histogram(
    escaping: Escaping,
    labels: &LabelBlock,
    state: &HistogramState,
    extras: &Extras,
    out: &mut Vec<u8>,
) {
    let mut histogram = Vec::new();
    unsigned(1, state.count, &mut histogram);
    double(2, state.sum, &mut histogram);
    let mut below = f64::NEG_INFINITY;
    for &(bound, count) in &state.buckets {
        let mut bucket = Vec::new();
        unsigned(1, count, &mut bucket);
        double(2, bound, &mut bucket);
        let inside = |exemplar: &&Exemplar| below < exemplar.value && exemplar.value <= bound;
        if let Some(exemplar) = extras.exemplars.iter().find(inside) {
            message(3, &encode_exemplar(exemplar, escaping), &mut bucket);
        }
        message(3, &bucket, &mut histogram);
        below = bound;
    }
    if let Some(native) = &extras.native {
        native_fields(native, &mut histogram);
        // An exemplar of a native histogram has to say when it was.
        for exemplar in extras.exemplars.iter().filter(|e| e.timestamp_seconds.is_some()) {
            message(16, &encode_exemplar(exemplar, escaping), &mut histogram);
        }
    }
    created(15, extras, &mut histogram);
    write_metric(escaping, labels, 7, &histogram, out);
}

fn native_fields(native: &NativeBuckets, out: &mut Vec<u8>) {
    signed(5, i64::from(native.schema), out);
    double(6, native.zero_threshold, out);
    unsigned(7, native.zero_count, out);
    side(9, &native.negative_spans, &native.negative_deltas, out);
    side(12, &native.positive_spans, &native.positive_deltas, out);
    if native.positive_spans.is_empty() && native.negative_spans.is_empty() {
        // Without any span a reader could not tell an empty native histogram from a classic one.
        side(12, &[Span { offset: 0, length: 0 }], &[], out);
    }
}

fn side(field: u32, spans: &[Span], deltas: &[i64], out: &mut Vec<u8>) {
    for span in spans {
        let mut encoded = Vec::new();
        signed(1, i64::from(span.offset), &mut encoded);
        unsigned(2, u64::from(span.length), &mut encoded);
        message(field, &encoded, out);
    }
    for delta in deltas {
        signed(field + 1, *delta, out);
    }
}

fn write_metric(
    escaping: Escaping,
    labels: &LabelBlock,
    field: u32,
    value: &[u8],
    out: &mut Vec<u8>,
) {
    let mut metric = Vec::new();
    write_labels(escaping, labels, &mut metric);
    message(field, value, &mut metric);
    message(4, &metric, out);
}

fn write_labels(escaping: Escaping, labels: &LabelBlock, out: &mut Vec<u8>) {
    for (name, value) in labels.iter() {
        let mut pair = Vec::new();
        text(1, &escaping.name(name), &mut pair);
        text(2, &value, &mut pair);
        message(1, &pair, out);
    }
}

fn encode_exemplar(exemplar: &Exemplar, escaping: Escaping) -> Vec<u8> {
    let mut out = Vec::new();
    write_labels(escaping, &exemplar.labels, &mut out);
    double(2, exemplar.value, &mut out);
    if let Some(seconds) = exemplar.timestamp_seconds {
        message(3, &timestamp(seconds), &mut out);
    }
    out
}

fn created(field: u32, extras: &Extras, out: &mut Vec<u8>) {
    if let Some(seconds) = extras.created_seconds {
        message(field, &timestamp(seconds), out);
    }
}

/// `google.protobuf.Timestamp`.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "`as` saturates, and no time is that far away"
)]
fn timestamp(seconds: f64) -> Vec<u8> {
    let whole = seconds.floor();
    let mut out = Vec::new();
    tag(1, 0, &mut out);
    varint((whole as i64).cast_unsigned(), &mut out);
    tag(2, 0, &mut out);
    varint(((seconds - whole) * 1e9) as u64, &mut out);
    out
}

fn text(field: u32, text: &str, out: &mut Vec<u8>) {
    message(field, text.as_bytes(), out);
}

fn message(field: u32, bytes: &[u8], out: &mut Vec<u8>) {
    tag(field, 2, out);
    varint(bytes.len() as u64, out);
    out.extend_from_slice(bytes);
}

fn double(field: u32, value: f64, out: &mut Vec<u8>) {
    tag(field, 1, out);
    out.extend_from_slice(&value.to_le_bytes());
}

fn unsigned(field: u32, value: u64, out: &mut Vec<u8>) {
    tag(field, 0, out);
    varint(value, out);
}

/// `sint32` and `sint64`: the sign is the lowest bit.
fn signed(field: u32, value: i64, out: &mut Vec<u8>) {
    unsigned(field, ((value << 1) ^ (value >> 63)).cast_unsigned(), out);
}

fn tag(field: u32, wire_type: u32, out: &mut Vec<u8>) {
    varint(u64::from(field << 3 | wire_type), out);
}

fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value.to_le_bytes()[0] | 0x80);
        value >>= 7;
    }
    out.push(value.to_le_bytes()[0]);
}
