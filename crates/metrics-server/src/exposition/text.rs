//! The lines of the text formats.

use super::{
    Desc, Escaping, Exemplar, Extras, Format, HistogramState, Kind, LabelBlock, SummaryState,
    write_float,
};

/// What all lines of one family share.
pub(super) struct Lines<'a> {
    pub(super) format: Format,
    pub(super) escaping: Escaping,
    pub(super) desc: &'a Desc<'a>,
}

impl Lines<'_> {
    /// `# HELP` and `# TYPE`.
    pub(super) fn header(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"# HELP ");
        self.name(self.base(), out);
        out.push(b' ');
        self.help(out);
        out.extend_from_slice(b"\n# TYPE ");
        self.name(self.base(), out);
        out.push(b' ');
        out.extend_from_slice(self.desc.kind.as_str(self.format).as_bytes());
        out.push(b'\n');
    }

    pub(super) fn number(
        &self,
        labels: &LabelBlock,
        value: f64,
        extras: &Extras,
        out: &mut Vec<u8>,
    ) {
        let suffix = if self.renames_counter() { "_total" } else { "" };
        self.start(suffix, labels, None, out);
        self.value(value, out);
        if self.desc.kind == Kind::Counter {
            self.exemplar(extras.exemplars.first(), out);
        }
        out.push(b'\n');
        if self.desc.kind == Kind::Counter {
            self.created(labels, extras, out);
        }
    }

    /// A missing `+Inf` bucket is added.
    pub(super) fn histogram(
        &self,
        labels: &LabelBlock,
        state: &HistogramState,
        extras: &Extras,
        out: &mut Vec<u8>,
    ) {
        let complete = state.buckets.last().is_some_and(|(bound, _)| *bound == f64::INFINITY);
        let infinity = (!complete).then_some((f64::INFINITY, state.count));
        let mut below = f64::NEG_INFINITY;
        for (bound, count) in state.buckets.iter().copied().chain(infinity) {
            self.start("_bucket", labels, Some(("le", bound)), out);
            self.count(count, out);
            let inside = |exemplar: &&Exemplar| below < exemplar.value && exemplar.value <= bound;
            self.exemplar(extras.exemplars.iter().find(inside), out);
            out.push(b'\n');
            below = bound;
        }
        self.sum_and_count(labels, state.sum, state.count, out);
        self.created(labels, extras, out);
    }

    pub(super) fn summary(
        &self,
        labels: &LabelBlock,
        state: &SummaryState,
        extras: &Extras,
        out: &mut Vec<u8>,
    ) {
        for &(quantile, value) in &state.quantiles {
            self.start("", labels, Some(("quantile", quantile)), out);
            self.value(value, out);
            out.push(b'\n');
        }
        self.sum_and_count(labels, state.sum, state.count, out);
        self.created(labels, extras, out);
    }

    fn sum_and_count(&self, labels: &LabelBlock, sum: f64, count: u64, out: &mut Vec<u8>) {
        self.start("_sum", labels, None, out);
        self.value(sum, out);
        out.push(b'\n');
        self.start("_count", labels, None, out);
        self.count(count, out);
        out.push(b'\n');
    }

    fn created(&self, labels: &LabelBlock, extras: &Extras, out: &mut Vec<u8>) {
        if let (Format::OpenMetrics, Some(seconds)) = (self.format, extras.created_seconds) {
            self.start("_created", labels, None, out);
            self.value(seconds, out);
            out.push(b'\n');
        }
    }

    /// ` # {trace_id="…"} value time`, where the format has exemplars.
    fn exemplar(&self, exemplar: Option<&Exemplar>, out: &mut Vec<u8>) {
        let (Format::OpenMetrics, Some(exemplar)) = (self.format, exemplar) else { return };
        out.extend_from_slice(b" # {");
        self.pairs(&exemplar.labels, out);
        out.extend_from_slice(b"} ");
        self.value(exemplar.value, out);
        if let Some(seconds) = exemplar.timestamp_seconds {
            out.push(b' ');
            self.value(seconds, out);
        }
    }

    /// Everything before the value.
    fn start(
        &self,
        suffix: &str,
        labels: &LabelBlock,
        extra: Option<(&str, f64)>,
        out: &mut Vec<u8>,
    ) {
        self.name(self.base(), out);
        self.name(suffix, out);
        if !labels.as_str().is_empty() || extra.is_some() {
            out.push(b'{');
            self.pairs(labels, out);
            if let Some((name, bound)) = extra {
                if !labels.as_str().is_empty() {
                    out.push(b',');
                }
                out.extend_from_slice(name.as_bytes());
                out.extend_from_slice(b"=\"");
                self.value(bound, out);
                out.push(b'"');
            }
            out.push(b'}');
        }
        out.push(b' ');
    }

    /// What stands between braces: as it is, unless names are escaped.
    fn pairs(&self, labels: &LabelBlock, out: &mut Vec<u8>) {
        if self.escaping != Escaping::Dots {
            out.extend_from_slice(labels.as_str().as_bytes());
            return;
        }
        for (index, (name, value)) in labels.pairs().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            self.name(name, out);
            out.extend_from_slice(b"=\"");
            out.extend_from_slice(value.as_bytes());
            out.push(b'"');
        }
    }

    fn name(&self, name: &str, out: &mut Vec<u8>) {
        out.extend_from_slice(self.escaping.name(name).as_bytes());
    }

    /// OpenMetrics knows a counter by its name without `_total`.
    fn base(&self) -> &str {
        if self.renames_counter() {
            self.desc.name.strip_suffix("_total").unwrap_or(&self.desc.name)
        } else {
            &self.desc.name
        }
    }

    fn renames_counter(&self) -> bool {
        self.format == Format::OpenMetrics && self.desc.kind == Kind::Counter
    }

    /// Text has Go's floats; OpenMetrics wants a point or an exponent in each.
    fn value(&self, value: f64, out: &mut Vec<u8>) {
        let start = out.len();
        write_float(value, out);
        if self.format == Format::OpenMetrics
            && out[start..].iter().all(|byte| byte.is_ascii_digit() || *byte == b'-')
        {
            out.extend_from_slice(b".0");
        }
    }

    /// Text writes a count as any float (`1e+06`), OpenMetrics as a whole number.
    fn count(&self, count: u64, out: &mut Vec<u8>) {
        if self.format == Format::OpenMetrics {
            out.extend_from_slice(itoa::Buffer::new().format(count).as_bytes());
        } else {
            write_float(count as f64, out);
        }
    }

    fn help(&self, out: &mut Vec<u8>) {
        let help = &self.desc.help;
        if !help.bytes().any(|byte| matches!(byte, b'\\' | b'\n' | b'"')) {
            out.extend_from_slice(help.as_bytes());
            return;
        }
        for byte in help.bytes() {
            match byte {
                b'\\' => out.extend_from_slice(b"\\\\"),
                b'\n' => out.extend_from_slice(b"\\n"),
                b'"' if self.format == Format::OpenMetrics => out.extend_from_slice(b"\\\""),
                _ => out.push(byte),
            }
        }
    }
}
