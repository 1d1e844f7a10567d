//! Modules and their own metrics: `INFO MODULES`.

use super::{Snapshot, fields::UnknownFields};
use crate::{
    app::Options,
    command::Command,
    facts::Facts,
    fields,
    info::{self, Info},
    out::{Metric, Out},
};

const MODULE: Metric = Metric::gauge("module_info", "Information about a loaded module");

/// `name=bf,ver=1,api=1,filters=0,usedby=[],using=[],options=[]`.
const PARTS: usize = 7;
/// Those which are labels.
const LABELS: [&str; 6] = ["name", "ver", "api", "filters", "usedby", "using"];

fn info_modules() -> Command {
    Command::new("INFO MODULES")
}

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    if options.data.modules && !facts.sentinel { vec![info_modules()] } else { Vec::new() }
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let Some(text) = snapshot.answers.text(&info_modules()) else { return };
    let mut unknown = UnknownFields::new(snapshot.options);
    for line in Info::parse(&text).lines() {
        if line.field == "module" {
            write_module(line.value, out);
        } else if let (Some(row), Some(number)) =
            (fields::find_module(line.field), info::number(line.value))
        {
            out.start(row.name, row.help(), row.kind).sample(&[], number);
        } else {
            unknown.write(line.field, line.value, out);
        }
    }
}

fn write_module(value: &str, out: &mut Out<'_>) {
    let parts: Vec<_> = value.split(',').map(|part| part.split_once('=')).collect();
    if parts.len() != PARTS {
        return;
    }
    let labels: Option<Vec<_>> = LABELS
        .iter()
        .zip(&parts)
        .map(|(label, part)| part.map(|(_, value)| (*label, value)))
        .collect();
    if let Some(labels) = labels {
        out.family(&MODULE).sample(&labels, 1.0);
    }
}
