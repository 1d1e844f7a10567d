//! Lua scripts: what they return, and whether they did. One that fails says nothing of the server.

use std::borrow::Cow;

use redis::Value;

use super::Snapshot;
use crate::{
    app::Options,
    command::{self, Command, number},
    data::Script,
    facts::Facts,
    limits::Limit,
    out::{Metric, Out},
};

const VALUES: Metric = Metric::gauge("script_values", "Values returned by the collect script");
const RESULT: Metric = Metric::gauge(
    "script_result",
    "Result of the collect script: 1 it has values, 2 it has none, 0 it failed",
);

/// `EVAL script 0`.
fn run(script: &Script, options: &Options) -> Command {
    let word = if options.data.script.read_only { "EVAL_RO" } else { "EVAL" };
    Command::new(word).arg(script.text.clone()).arg("0")
}

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    if facts.sentinel {
        return Vec::new();
    }
    options.data.scripts.iter().map(|script| run(script, options)).collect()
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let Snapshot { options, answers, facts, .. } = snapshot;
    if facts.sentinel {
        return;
    }
    for script in options.data.scripts.iter() {
        let values = answers.get(&run(script, options)).and_then(read);
        let result = match values.as_deref() {
            None => 0.0,
            Some([]) => 2.0,
            Some(_) => 1.0,
        };
        let file = ("filename", script.path.as_str());
        out.family(&RESULT).sample(&[file], result);
        let values = values.unwrap_or_default();
        let shown = options.data.script.values_max.min(values.len());
        options.data.limits.left_out(Limit::ScriptValues, values.len() - shown);
        for (key, value) in values.iter().take(shown) {
            out.family(&VALUES).sample(&[("key", key), file], *value);
        }
    }
}

/// Names and numbers. `None` where one is no number: what else is there cannot be trusted then.
fn read(value: &Value) -> Option<Vec<(Cow<'_, str>, f64)>> {
    let is_list = matches!(value, Value::Map(_))
        || matches!(value, Value::Array(items) if items.len().is_multiple_of(2))
        || matches!(value, Value::Nil);
    if !is_list {
        return None;
    }
    command::pairs(value).into_iter().map(|(key, value)| Some((key, number(value)?))).collect()
}
