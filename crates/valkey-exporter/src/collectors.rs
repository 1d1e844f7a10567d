//! The collectors: which commands each wants, and what it makes of the answers.
//!
//! A collector is one file and one row of [`COLLECTORS`]. Those which read nothing but `INFO` want
//! no command.

use std::time::SystemTime;

use crate::{
    app::Options,
    command::{Answers, Command},
    facts::Facts,
    info::Info,
    out::Out,
};

mod certificates;
pub mod client_list;
mod clients;
mod cluster;
mod commandlog;
mod commandstats;
mod config;
mod errorstats;
mod fields;
mod instance;
mod keyspace;
mod latency;
mod latencystats;
mod modules;
mod rdb_file;
mod replication;
mod scripting;
mod scripts;
mod search;
mod sentinel;
mod slowlog;
mod tile38;

pub use config::named as config_named;
pub(crate) use fields::KEY_GROUPS_DURATION;
pub(crate) use keyspace::databases;

/// Everything that one scrape found out.
#[derive(Clone, Copy, Debug)]
pub struct Snapshot<'a> {
    /// The answer to `INFO`.
    pub info: &'a Info<'a>,
    /// The answers to all other commands.
    pub answers: &'a Answers,
    /// What the flags say.
    pub options: &'a Options,
    /// What is known of the server.
    pub facts: &'a Facts,
    /// When the scrape began.
    pub now: SystemTime,
}

/// A row of the table.
struct Collector {
    /// Commands worth sending to a server of which this is known.
    commands: fn(&Options, &Facts) -> Vec<Command>,
    /// Turns answers into families; what is missing is left out.
    write: fn(&Snapshot<'_>, &mut Out<'_>),
}

impl Collector {
    const fn of_info(write: fn(&Snapshot<'_>, &mut Out<'_>)) -> Self {
        Self { commands: |_options, _facts| Vec::new(), write }
    }
}

/// A server answers in the order of this table, so that what may take long stands last.
const COLLECTORS: &[Collector] = &[
    Collector { commands: info_commands, write: fields::write },
    Collector::of_info(instance::write),
    Collector::of_info(keyspace::write),
    Collector::of_info(replication::write),
    Collector::of_info(commandstats::write),
    Collector::of_info(errorstats::write),
    Collector::of_info(latencystats::write),
    Collector::of_info(clients::write),
    Collector::of_info(certificates::write),
    Collector::of_info(scripting::write),
    Collector { commands: config::commands, write: config::write },
    Collector { commands: cluster::commands, write: cluster::write },
    Collector { commands: slowlog::commands, write: slowlog::write },
    Collector { commands: commandlog::commands, write: commandlog::write },
    Collector { commands: sentinel::commands, write: sentinel::write },
    Collector { commands: latency::commands, write: latency::write },
    Collector::of_info(rdb_file::write),
    Collector { commands: modules::commands, write: modules::write },
    Collector { commands: tile38::commands, write: tile38::write },
    Collector { commands: client_list::commands, write: client_list::write },
    Collector { commands: search::commands, write: search::write },
    Collector { commands: scripts::commands, write: scripts::write },
];

/// All commands that are worth sending.
pub fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    let all = COLLECTORS.iter().flat_map(|collector| (collector.commands)(options, facts));
    all.filter(|command| !facts.lacking.contains(command)).collect()
}

/// Lets every collector write.
pub fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    for collector in COLLECTORS {
        (collector.write)(snapshot, out);
    }
}

fn info_commands(_options: &Options, facts: &Facts) -> Vec<Command> {
    vec![Command::new(if facts.info_all_refused { "INFO" } else { "INFO ALL" })]
}

#[cfg(test)]
mod tests;
