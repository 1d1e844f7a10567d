//! Error replies by their first word: `errors_total`.

use super::Snapshot;
use crate::{
    info,
    out::{Metric, Out},
};

const ERRORS: Metric = Metric::counter("errors_total", "Total number of errors per error type");

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let mut series = out.family(&ERRORS);
    for (field, value) in snapshot.info.section("Errorstats") {
        let count = info::items(value).and_then(|items| items.number("count"));
        if let (Some(error), Some(count)) = (field.strip_prefix("errorstat_"), count) {
            series.sample(&[("err", error)], count);
        }
    }
}
