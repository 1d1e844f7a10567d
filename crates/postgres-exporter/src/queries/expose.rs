//! From an answer to families: pure, rows in, samples out.

use std::sync::Arc;

use metrics_server::{Desc, HistogramState, Kind, LabelBlock, Page, SummaryState, exposition};

use super::{
    Buckets, Column, Histogram, Null, Number, Query, ROWS_MAX, Reading, SERIES_MAX, Summary, Usage,
    value,
};
use crate::{instance::Facts, row::Rows};

/// Why a part of an answer is not on the page.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Dropped {
    /// More rows than are allowed.
    Rows,
    /// More series than are allowed.
    Series,
    /// A value which is no number, or a word without one.
    Value,
    /// A state that is not listed.
    State,
    /// A histogram or summary whose columns do not fit together.
    Buckets,
    /// A column whose name no metric can have.
    Name,
}

impl Dropped {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Rows, Self::Series, Self::Value, Self::State, Self::Buckets, Self::Name];

    /// The `reason` label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Series => "series",
            Self::Value => "value",
            Self::State => "state",
            Self::Buckets => "buckets",
            Self::Name => "name",
        }
    }
}

/// What became of an answer.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Rows that were read.
    pub rows: u64,
    /// Series that were written.
    pub series: u64,
    dropped: [u64; Dropped::ALL.len()],
}

impl Tally {
    /// How much was dropped, by reason.
    pub fn dropped(&self) -> impl Iterator<Item = (Dropped, u64)> {
        Dropped::ALL.into_iter().zip(self.dropped).filter(|(_, count)| *count > 0)
    }

    /// Adds another answer's.
    pub fn add(&mut self, other: &Self) {
        self.rows += other.rows;
        self.series += other.series;
        for (count, more) in self.dropped.iter_mut().zip(other.dropped) {
            *count += more;
        }
    }

    const fn drop(&mut self, reason: Dropped) {
        self.dropped[reason as usize] += 1;
    }
}

/// A row, and the labels of its series.
struct Line<'a> {
    cells: Vec<Option<&'a str>>,
    labels: Vec<(&'a str, &'a str)>,
    block: Arc<LabelBlock>,
}

struct Writer<'a> {
    query: &'a Query,
    columns: Vec<&'a str>,
    lines: Vec<Line<'a>>,
    series_max: u64,
    tally: Tally,
}

impl Query {
    /// Adds what the answer `rows` says to `page`. `more` are labels which all series get unless
    /// they have them already.
    pub fn write(
        &self,
        rows: &Rows,
        facts: &Facts,
        more: &[(&str, &str)],
        page: &mut Page,
    ) -> Tally {
        let mut writer = Writer::new(self, rows, facts, more);
        for column in self.columns.iter().filter(|column| column.is_there(facts)) {
            writer.column(column, page);
        }
        writer.info(facts, page);
        if self.unmapped {
            writer.unmapped(page);
        }
        writer.tally
    }
}

impl Column {
    fn is_there(&self, facts: &Facts) -> bool {
        self.versions.as_ref().is_none_or(|range| range.contains(facts))
    }
}

impl<'a> Writer<'a> {
    fn new(query: &'a Query, rows: &'a Rows, facts: &Facts, more: &[(&'a str, &'a str)]) -> Self {
        let columns: Vec<_> = rows.columns().collect();
        let rows_max = query.rows_max.unwrap_or(ROWS_MAX);
        let series_max = query.series_max.unwrap_or(SERIES_MAX).into();
        let mut tally = Tally::default();
        let label_columns: Vec<(usize, &str)> = query
            .columns
            .iter()
            .filter(|column| column.is_there(facts))
            .filter_map(|column| match &column.usage {
                Usage::Label(label) => {
                    Some((columns.iter().position(|name| *name == column.name)?, label.as_str()))
                }
                _ => None,
            })
            .collect();
        let mut lines = Vec::with_capacity(rows.len());
        for row in rows.iter() {
            if tally.rows == u64::from(rows_max) {
                tally.drop(Dropped::Rows);
                continue;
            }
            tally.rows += 1;
            let cells: Vec<_> = row.cells().collect();
            let own = label_columns.iter().map(|(index, label)| {
                (*label, cells.get(*index).copied().flatten().unwrap_or_default())
            });
            let fixed = query.labels.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let mut labels: Vec<_> = own.chain(fixed).collect();
            for (name, value) in more {
                if labels.iter().all(|(known, _)| known != name) && !query.names(name) {
                    labels.push((name, value));
                }
            }
            let block =
                LabelBlock::new(&labels).expect("label names were checked and are distinct");
            lines.push(Line { cells, labels, block: Arc::new(block) });
        }
        // Once here, and each family of the page finds its samples in order.
        lines.sort_by(|a, b| a.block.cmp(&b.block));
        Self { query, columns, lines, series_max, tally }
    }

    fn index(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| *column == name)
    }

    fn column(&mut self, column: &Column, page: &mut Page) {
        match &column.usage {
            Usage::Label(_) | Usage::Info(_) | Usage::Discard => {}
            Usage::Number(number) => {
                if let Some(index) = self.index(&column.name) {
                    self.numbers(index, number, page);
                }
            }
            Usage::States { family, help, label, states } => {
                if let Some(index) = self.index(&column.name) {
                    let desc = Desc::gauge(family, help);
                    self.states(index, desc, label, states, page);
                }
            }
            Usage::Histogram(histogram) => self.histograms(histogram, page),
            Usage::Summary(summary) => self.summaries(summary, page),
        }
    }

    /// Room for `count` more series.
    const fn takes(&mut self, count: u64) -> bool {
        if self.tally.series + count > self.series_max {
            self.tally.drop(Dropped::Series);
            return false;
        }
        self.tally.series += count;
        true
    }

    fn numbers(&mut self, index: usize, number: &Number, page: &mut Page) {
        let mut family = page.family(Desc::new(&number.family, &number.help, number.kind));
        for line in std::mem::take(&mut self.lines) {
            match number.read(line.cells.get(index).copied().flatten()) {
                Ok(Some(value)) if self.takes(1) => {
                    if number.labels.is_empty() {
                        family.series(&line.block, value);
                    } else {
                        let own = number.labels.iter().map(|(name, value)| (&**name, &**value));
                        let labels: Vec<_> = own.chain(line.labels.iter().copied()).collect();
                        family.sample(&labels, value);
                    }
                }
                Ok(_) => {}
                Err(()) => self.tally.drop(Dropped::Value),
            }
            self.lines.push(line);
        }
    }

    fn states(
        &mut self,
        index: usize,
        desc: Desc<'_>,
        label: &str,
        states: &[String],
        page: &mut Page,
    ) {
        let mut family = page.family(desc);
        for line in std::mem::take(&mut self.lines) {
            if let Some(now) = line.cells.get(index).copied().flatten() {
                if !states.iter().any(|state| state == now) {
                    self.tally.drop(Dropped::State);
                }
                if self.takes(states.len() as u64) {
                    for state in states {
                        let labels = [&line.labels[..], &[(label, state.as_str())]].concat();
                        family.sample(&labels, f64::from(u8::from(state == now)));
                    }
                }
            }
            self.lines.push(line);
        }
    }

    fn histograms(&mut self, histogram: &Histogram, page: &mut Page) {
        let desc = Desc::new(&histogram.family, &histogram.help, Kind::Histogram);
        let mut family = page.family(desc);
        for line in std::mem::take(&mut self.lines) {
            let cell = |name: &str| line.cells.get(self.index(name)?).copied().flatten();
            match histogram.read(&cell) {
                Some(state) => {
                    if self.takes(1) {
                        family.histogram(&line.labels, state);
                    }
                }
                None => self.tally.drop(Dropped::Buckets),
            }
            self.lines.push(line);
        }
    }

    fn summaries(&mut self, summary: &Summary, page: &mut Page) {
        let mut family = page.family(Desc::new(&summary.family, &summary.help, Kind::Summary));
        for line in std::mem::take(&mut self.lines) {
            let cell = |name: &str| line.cells.get(self.index(name)?).copied().flatten();
            match summary.read(&cell) {
                Some(state) => {
                    if self.takes(1) {
                        family.summary(&line.labels, state);
                    }
                }
                None => self.tally.drop(Dropped::Buckets),
            }
            self.lines.push(line);
        }
    }

    /// All columns with usage INFO make one series a row.
    fn info(&mut self, facts: &Facts, page: &mut Page) {
        let query = self.query;
        let columns: Vec<(usize, &str)> = query
            .columns
            .iter()
            .filter(|column| column.is_there(facts))
            .filter_map(|column| match &column.usage {
                Usage::Info(label) => Some((self.index(&column.name)?, label.as_str())),
                _ => None,
            })
            .collect();
        if columns.is_empty() {
            return;
        }
        let name = match query.namespace.strip_suffix("_info") {
            Some(_) => query.namespace.clone(),
            None => format!("{}_info", query.namespace),
        };
        let help = format!("What does not change often about {}", query.namespace);
        let mut family = page.family(Desc::gauge(&name, &help));
        for line in std::mem::take(&mut self.lines) {
            let texts = columns.iter().map(|(index, label)| {
                (*label, line.cells.get(*index).copied().flatten().unwrap_or_default())
            });
            let mut labels: Vec<_> = texts.collect();
            labels.extend(
                line.labels
                    .iter()
                    .filter(|(name, _)| columns.iter().all(|(_, label)| label != name)),
            );
            if self.takes(1) {
                family.sample(&labels, 1.0);
            }
            self.lines.push(line);
        }
    }

    /// Columns which nothing is said of: numbers of unknown kind, as `postgres_exporter` has them.
    fn unmapped(&mut self, page: &mut Page) {
        for (index, name) in self.columns.clone().into_iter().enumerate() {
            if self.query.mentions(name) {
                continue;
            }
            let family = format!("{}_{name}", self.query.namespace);
            let numbers = self.lines.iter().any(|line| {
                line.cells.get(index).copied().flatten().and_then(value::number).is_some()
            });
            if !numbers {
                continue;
            }
            if !exposition::is_metric_name(&family) {
                self.tally.drop(Dropped::Name);
                continue;
            }
            let number = Number {
                help: format!("Unknown metric from {}", self.query.namespace),
                family,
                kind: Kind::Untyped,
                labels: Vec::new(),
                reading: Reading::Plain,
                scale: 1.0,
                null: self.query.null,
            };
            self.numbers(index, &number, page);
        }
    }
}

impl Query {
    /// Whether a column has this label for its series alone.
    fn names(&self, label: &str) -> bool {
        self.columns.iter().any(|column| match &column.usage {
            Usage::Number(number) => number.labels.iter().any(|(name, _)| name == label),
            Usage::States { label: name, .. } => name == label,
            _ => false,
        })
    }

    /// Whether the file says what becomes of a column.
    fn mentions(&self, name: &str) -> bool {
        self.columns.iter().any(|column| {
            column.name == name
                || match &column.usage {
                    Usage::Histogram(histogram) => histogram.mentions(name),
                    Usage::Summary(summary) => {
                        summary.quantiles.iter().any(|(_, column)| column == name)
                            || is(summary.sum.as_ref(), name)
                            || is(summary.count.as_ref(), name)
                    }
                    _ => false,
                }
        }) || self.freshness.as_ref().is_some_and(|check| is(check.column.as_ref(), name))
    }
}

fn is(column: Option<&String>, name: &str) -> bool {
    column.is_some_and(|column| column == name)
}

impl Number {
    /// `Ok(None)` is no sample, an error is a text without a number.
    fn read(&self, text: Option<&str>) -> Result<Option<f64>, ()> {
        let Some(text) = text else {
            return Ok(match self.null {
                Null::Value(number) => Some(number),
                Null::Absent => None,
            });
        };
        let number = match &self.reading {
            Reading::Plain => value::number(text),
            Reading::Words(words) => words.get(text).copied(),
            Reading::Duration => value::milliseconds(text),
        };
        number.map(|number| Some(number * self.scale)).ok_or(())
    }
}

impl Histogram {
    fn mentions(&self, name: &str) -> bool {
        let bucket = match &self.buckets {
            Buckets::Arrays { bounds, counts } => name == bounds || name == counts,
            Buckets::Columns { columns, .. } => columns.iter().any(|(_, column)| column == name),
        };
        bucket || is(self.sum.as_ref(), name) || is(self.count.as_ref(), name)
    }

    fn read<'a>(&self, cell: &dyn Fn(&str) -> Option<&'a str>) -> Option<HistogramState> {
        let mut buckets: Vec<(f64, u64)> = match &self.buckets {
            Buckets::Arrays { bounds, counts } => {
                let bounds = value::numbers(cell(bounds)?)?;
                let counts = value::numbers(cell(counts)?)?;
                if bounds.len() != counts.len() || !bounds.is_sorted() {
                    return None;
                }
                let counts = counts.into_iter().map(count).collect::<Option<Vec<_>>>()?;
                bounds.into_iter().zip(counts).collect()
            }
            Buckets::Columns { columns, cumulative } => {
                let mut so_far = 0_u64;
                let mut buckets = Vec::with_capacity(columns.len());
                for (bound, column) in columns {
                    let own = count(value::number(cell(column)?)?)?;
                    so_far = if *cumulative { own } else { so_far.saturating_add(own) };
                    buckets.push((*bound, so_far));
                }
                buckets
            }
        };
        if buckets.iter().any(|(bound, _)| bound.is_nan())
            || !buckets.is_sorted_by_key(|(_, count)| *count)
        {
            return None;
        }
        let last = buckets.last().map(|(_, count)| *count);
        let total = match &self.count {
            Some(column) => count(value::number(cell(column)?)?)?,
            None => last?,
        };
        if last.is_some_and(|last| last > total) {
            return None;
        }
        buckets.retain(|(bound, _)| bound.is_finite());
        for (bound, _) in &mut buckets {
            *bound *= self.scale;
        }
        // Without a sum there is none to tell; NaN keeps people from dividing by it.
        let sum = match &self.sum {
            Some(column) => value::number(cell(column)?)? * self.scale,
            None => f64::NAN,
        };
        Some(HistogramState { buckets, sum, count: total })
    }
}

impl Summary {
    fn read<'a>(&self, cell: &dyn Fn(&str) -> Option<&'a str>) -> Option<SummaryState> {
        let mut quantiles = Vec::with_capacity(self.quantiles.len());
        for (quantile, column) in &self.quantiles {
            let value = cell(column).map_or(Some(f64::NAN), value::number)?;
            quantiles.push((*quantile, value * self.scale));
        }
        let sum = match &self.sum {
            Some(column) => value::number(cell(column)?)? * self.scale,
            None => f64::NAN,
        };
        let total = match &self.count {
            Some(column) => count(value::number(cell(column)?)?)?,
            None => 0,
        };
        Some(SummaryState { quantiles, sum, count: total })
    }
}

/// A number of observations.
fn count(number: f64) -> Option<u64> {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked before")]
    (0.0..9.0e18).contains(&number).then_some(number as u64)
}
