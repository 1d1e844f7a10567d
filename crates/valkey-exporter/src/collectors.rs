//! The collectors: which commands each wants, and what it makes of the answers.
//!
//! A collector is one file and one row of [`COLLECTORS`]. Those which read nothing but `INFO` want
//! no command.

use std::time::{Duration, SystemTime};

use crate::{
    app::Options,
    command::{Answers, Command, Failure},
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
mod log_entries;
mod modules;
mod rdb_file;
mod replication;
mod scripting;
mod scripts;
mod search;
mod sentinel;
mod slots;
mod slowlog;
mod tile38;

pub use config::named as config_named;
pub(crate) use fields::KEY_GROUPS_DURATION;
pub(crate) use keyspace::databases;
pub use slots::SlotStats;

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
    /// Its file's name, and the label `collector`.
    name: &'static str,
    /// Commands worth sending to a server of which this is known.
    commands: fn(&Options, &Facts) -> Vec<Command>,
    /// Turns answers into families; what is missing is left out.
    write: fn(&Snapshot<'_>, &mut Out<'_>),
}

impl Collector {
    const fn of_info(name: &'static str, write: fn(&Snapshot<'_>, &mut Out<'_>)) -> Self {
        Self { name, commands: |_options, _facts| Vec::new(), write }
    }

    /// How it went: what it asked for, and how long that took.
    fn report(&self, snapshot: &Snapshot<'_>) -> Report {
        let asked = (self.commands)(snapshot.options, snapshot.facts);
        let known = asked.iter().filter_map(|command| snapshot.answers.outcome(command));
        let success = known.filter_map(|answer| answer.as_ref().err()).all(Failure::is_an_answer);
        let took = asked.iter().filter_map(|command| snapshot.answers.took(command)).max();
        Report { name: self.name, success, took: took.unwrap_or_default() }
    }
}

/// A server answers in the order of this table, so that what may take long stands last.
const COLLECTORS: &[Collector] = &[
    Collector { name: "info", commands: info_commands, write: fields::write },
    Collector::of_info("instance", instance::write),
    Collector::of_info("keyspace", keyspace::write),
    Collector::of_info("replication", replication::write),
    Collector::of_info("commandstats", commandstats::write),
    Collector::of_info("errorstats", errorstats::write),
    Collector::of_info("latencystats", latencystats::write),
    Collector::of_info("clients", clients::write),
    Collector::of_info("certificates", certificates::write),
    Collector::of_info("scripting", scripting::write),
    Collector { name: "config", commands: config::commands, write: config::write },
    Collector { name: "cluster", commands: cluster::commands, write: cluster::write },
    Collector { name: "slots", commands: slots::commands, write: slots::write },
    Collector { name: "slowlog", commands: slowlog::commands, write: slowlog::write },
    Collector { name: "commandlog", commands: commandlog::commands, write: commandlog::write },
    Collector { name: "log_entries", commands: log_entries::commands, write: log_entries::write },
    Collector { name: "sentinel", commands: sentinel::commands, write: sentinel::write },
    Collector { name: "latency", commands: latency::commands, write: latency::write },
    Collector::of_info("rdb_file", rdb_file::write),
    Collector { name: "modules", commands: modules::commands, write: modules::write },
    Collector { name: "tile38", commands: tile38::commands, write: tile38::write },
    Collector { name: "client_list", commands: client_list::commands, write: client_list::write },
    Collector { name: "search", commands: search::commands, write: search::write },
    Collector { name: "scripts", commands: scripts::commands, write: scripts::write },
];

/// All commands that are worth sending.
pub fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    let all = COLLECTORS.iter().flat_map(|collector| (collector.commands)(options, facts));
    all.filter(|command| !facts.lacking.contains(command)).collect()
}

/// How a collector went.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Report {
    /// Its name.
    pub name: &'static str,
    /// Whether everything it asked for was answered, be it by "there is no such command".
    pub success: bool,
    /// When its last answer had come.
    pub took: Duration,
}

/// How every collector went.
pub fn reports(snapshot: &Snapshot<'_>) -> Vec<Report> {
    COLLECTORS.iter().map(|collector| collector.report(snapshot)).collect()
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
