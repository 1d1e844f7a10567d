//! Tile38, a geographical database which speaks the same protocol: `SERVER EXT`.

use super::Snapshot;
use crate::{
    app::Options,
    command::{self, Command},
    facts::Facts,
    fields, info,
    out::Out,
};

fn server_ext() -> Command {
    Command::new("SERVER EXT")
}

pub(super) fn commands(options: &Options, _facts: &Facts) -> Vec<Command> {
    if options.data.tile38 { vec![server_ext()] } else { Vec::new() }
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    let Some(answer) = snapshot.answers.get(&server_ext()) else { return };
    for (field, value) in command::pairs(answer) {
        let field = field.strip_prefix("tile38_").unwrap_or(&field);
        let number = command::text(value).and_then(|text| info::number(&text));
        if let (Some(row), Some(number)) = (fields::find_tile38(field), number) {
            out.start(row.name, row.help(), row.kind).sample(&[], number);
        }
    }
}
