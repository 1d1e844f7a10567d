//! What a Sentinel knows of the primaries it watches.

use std::collections::BTreeMap;

use redis::Value;

use super::{Snapshot, config};
use crate::{
    app::Options,
    command::{self, Answer, Command, Failure, items},
    facts::Facts,
    info,
    out::{Metric, Out},
};

const STATUS: Metric = Metric::gauge("sentinel_master_status", "Master status on Sentinel");
const REPLICAS: Metric =
    Metric::gauge("sentinel_master_slaves", "The number of slaves of the master");
const SENTINELS: Metric =
    Metric::gauge("sentinel_master_sentinels", "The number of sentinels monitoring this master");
const OK_REPLICAS: Metric =
    Metric::gauge("sentinel_master_ok_slaves", "The number of okay slaves of the master");
const OK_SENTINELS: Metric = Metric::gauge(
    "sentinel_master_ok_sentinels",
    "The number of okay sentinels monitoring this master",
);
const QUORUM: Metric = Metric::gauge("sentinel_master_ckquorum_status", "Master ckquorum status");
const FAILOVER: Metric = Metric::gauge(
    "sentinel_master_failover_in_progress",
    "Whether this Sentinel sees a failover of the master under way",
);
const PEER: Metric = Metric::gauge("sentinel_peer_info", "Information about a Sentinel peer");

/// Item of `SENTINEL MASTERS`, family, and what the value is divided by.
const SETTINGS: [(&str, Metric, f64); 6] = [
    (
        "quorum",
        Metric::gauge(
            "sentinel_master_setting_ckquorum",
            "Show the current ckquorum config for each master",
        ),
        1.0,
    ),
    (
        "failover-timeout",
        Metric::gauge(
            "sentinel_master_setting_failover_timeout",
            "Show the current failover-timeout config for each master",
        ),
        1.0,
    ),
    (
        "parallel-syncs",
        Metric::gauge(
            "sentinel_master_setting_parallel_syncs",
            "Show the current parallel-syncs config for each master",
        ),
        1.0,
    ),
    (
        "down-after-milliseconds",
        Metric::gauge(
            "sentinel_master_setting_down_after_milliseconds",
            "Show the current down-after-milliseconds config for each master",
        ),
        1.0,
    ),
    (
        "config-epoch",
        Metric::gauge(
            "sentinel_master_config_epoch",
            "The configuration epoch of the master (increments on each failover)",
        ),
        1.0,
    ),
    (
        "last-ok-ping-reply",
        Metric::gauge(
            "sentinel_master_last_ok_ping_reply_seconds",
            "Elapsed time in seconds since the last successful ping reply from the master",
        ),
        1e3,
    ),
];

const KEY_VALUE: Metric =
    Metric::gauge("sentinel_config_key_value", "Sentinel config key and value");
const VALUE: Metric =
    Metric::gauge("sentinel_config_value", "Sentinel config key and value as metric");

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    if !facts.sentinel {
        return Vec::new();
    }
    let masters = facts.sentinel_masters.iter();
    let asked = masters.flat_map(|name| [quorum(name), sentinels(name), replicas(name)]);
    let settings = options.include_config_metrics.then(settings_command);
    asked.chain([masters_command()]).chain(settings).collect()
}

fn settings_command() -> Command {
    Command::new("SENTINEL CONFIG GET *")
}

fn masters_command() -> Command {
    Command::new("SENTINEL MASTERS")
}

fn quorum(master: &str) -> Command {
    Command::new("SENTINEL CKQUORUM").arg(master)
}

fn sentinels(master: &str) -> Command {
    Command::new("SENTINEL SENTINELS").arg(master)
}

fn replicas(master: &str) -> Command {
    Command::new("SENTINEL SLAVES").arg(master)
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    for (field, value) in snapshot.info.section("Sentinel") {
        if info::index(field, "master").is_some() {
            write_line(value, out);
        }
    }
    if let Some(settings) = snapshot.answers.get(&settings_command()) {
        write_settings(settings, snapshot.options.redact_config_metrics, out);
    }
    let Some(masters) = snapshot.answers.get(&masters_command()) else { return };
    for master in items(masters) {
        write_master(&texts(master), snapshot, out);
    }
}

fn write_settings(settings: &Value, redact: bool, out: &mut Out<'_>) {
    for (name, value) in command::pairs(settings) {
        let Some(value) = command::text(value) else { continue };
        if redact && config::is_secret(&name) {
            continue;
        }
        out.family(&KEY_VALUE).sample(&[("key", &name), ("value", &value)], 1.0);
        if let Ok(number) = value.parse() {
            out.family(&VALUE).sample(&[("key", &name)], number);
        }
    }
}

/// `name=mymaster,status=ok,address=10.0.0.7:6379,slaves=2,sentinels=3`.
fn write_line(value: &str, out: &mut Out<'_>) -> Option<()> {
    let items = info::items(value)?;
    let labels = [("master_name", items.get("name")?), ("master_address", items.get("address")?)];
    let status = items.get("status")?;
    let (replicas, sentinels) = (items.number("slaves")?, items.number("sentinels")?);
    let ok = f64::from(u8::from(status == "ok"));
    out.family(&STATUS).sample(&[labels[0], labels[1], ("master_status", status)], ok);
    out.family(&REPLICAS).sample(&labels, replicas);
    out.family(&SENTINELS).sample(&labels, sentinels);
    Some(())
}

/// An item of a Sentinel's answer: names and texts.
fn texts(value: &Value) -> BTreeMap<String, String> {
    let pairs = command::pairs(value).into_iter();
    pairs
        .filter_map(|(name, value)| Some((name.into_owned(), command::text(value)?.into_owned())))
        .collect()
}

fn write_master(
    master: &BTreeMap<String, String>,
    snapshot: &Snapshot<'_>,
    out: &mut Out<'_>,
) -> Option<()> {
    let get = |item: &str| master.get(item).map(String::as_str);
    let name = get("name")?;
    let address = format!("{}:{}", get("ip")?, get("port")?);
    let labels = [("master_name", name), ("master_address", &*address)];
    for (item, metric, divisor) in &SETTINGS {
        if let Some(number) = get(item).and_then(|value| value.parse::<f64>().ok()) {
            out.family(metric).sample(&labels, number / divisor);
        }
    }
    if let Some(flags) = get("flags") {
        let failing_over = flags.split(',').any(|flag| flag == "failover_in_progress");
        out.family(&FAILOVER).sample(&labels, f64::from(u8::from(failing_over)));
    }
    if let Some(answer) = snapshot.answers.outcome(&quorum(name)) {
        write_quorum(name, answer, out);
    }
    if let Some(answer) = snapshot.answers.get(&replicas(name)) {
        let ok = items(answer).iter().filter(|replica| is_ok(&texts(replica))).count();
        out.family(&OK_REPLICAS).sample(&labels, ok as f64);
    }
    if let Some(answer) = snapshot.answers.get(&sentinels(name)) {
        let peers: Vec<_> = items(answer).iter().map(texts).collect();
        // The others and this one.
        let ok = peers.iter().filter(|peer| is_ok(peer)).count() + 1;
        out.family(&OK_SENTINELS).sample(&labels, ok as f64);
        if snapshot.options.include_sentinel_peer_info {
            for peer in &peers {
                write_peer(&labels, peer, out);
            }
        }
    }
    Some(())
}

fn write_quorum(name: &str, answer: &Answer, out: &mut Out<'_>) {
    let (message, ok) = match answer {
        Ok(value) => (command::text(value).unwrap_or_default().into_owned(), 1.0),
        Err(Failure::Refused(reason)) => (reason.clone(), 0.0),
        Err(_broken) => return,
    };
    out.family(&QUORUM).sample(&[("master_name", name), ("message", &message)], ok);
}

fn write_peer(labels: &[(&str, &str)], peer: &BTreeMap<String, String>, out: &mut Out<'_>) {
    let own = ["name", "ip", "port", "runid", "flags"]
        .map(|item| (item, peer.get(item).map(String::as_str).unwrap_or_default()));
    let labels: Vec<_> = labels.iter().copied().chain(own).collect();
    out.family(&PEER).sample(&labels, 1.0);
}

/// Neither down in anybody's eyes nor cut off.
fn is_ok(peer: &BTreeMap<String, String>) -> bool {
    let flags = peer.get("flags").map(String::as_str);
    flags.is_some_and(|flags| {
        !["o_down", "s_down", "disconnected"].iter().any(|flag| flags.contains(flag))
    })
}
