//! How the cluster is, in the eyes of this node: `CLUSTER INFO`.

use super::{Snapshot, fields::write_field};
use crate::{app::Options, command::Command, facts::Facts, out::Out};

pub(super) fn commands(_options: &Options, facts: &Facts) -> Vec<Command> {
    if facts.cluster { vec![Command::new("CLUSTER INFO")] } else { Vec::new() }
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let Some(text) = snapshot.answers.text(&Command::new("CLUSTER INFO")) else { return };
    for line in text.split('\n').map(str::trim) {
        // What is no number, or not known, is left out.
        let _written = line.split_once(':').map(|(field, value)| write_field(field, value, out));
    }
}
