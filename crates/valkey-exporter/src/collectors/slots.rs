//! Slots of a cluster: `CLUSTER SLOT-STATS` (Valkey 8) and `CLUSTER GETSLOTMIGRATIONS` (Valkey 9).

use std::collections::{BTreeMap, BTreeSet};

use redis::Value;

use super::Snapshot;
use crate::{
    app::Options,
    command::{self, Command, items},
    facts::Facts,
    out::{Metric, Out},
};

/// Which slots have series of their own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum SlotStats {
    /// None, and nothing is asked.
    Off,
    /// Those with most keys, most CPU time and most traffic: as many of each.
    Top(u16),
    /// All: up to 65,536 series for a cluster.
    All,
}

impl SlotStats {
    /// `off`, `top:N` or `all`.
    ///
    /// # Errors
    ///
    /// What is expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text.split_once(':') {
            None if text == "off" => Ok(Self::Off),
            None if text == "all" => Ok(Self::All),
            Some(("top", count)) => count.parse().map(Self::Top).map_err(|error| error.to_string()),
            _ => Err("expected off, top:N or all".to_owned()),
        }
    }
}

/// Item of the answer, family of a slot, family of the total, and what the value is divided by.
const STATISTICS: [(&str, Metric, Metric, f64); 5] = [
    (
        "key-count",
        Metric::gauge("cluster_slot_keys", "Keys of a slot"),
        Metric::gauge("cluster_slots_keys", "Keys of all slots of this shard"),
        1.0,
    ),
    (
        "cpu-usec",
        Metric::counter("cluster_slot_cpu_seconds_total", "Time spent on commands of a slot"),
        Metric::gauge(
            "cluster_slots_cpu_seconds",
            "Time spent on commands of the slots of this shard",
        ),
        1e6,
    ),
    (
        "network-bytes-in",
        Metric::counter("cluster_slot_network_input_bytes_total", "Bytes received for a slot"),
        Metric::gauge(
            "cluster_slots_network_input_bytes",
            "Bytes received for the slots of this shard",
        ),
        1.0,
    ),
    (
        "network-bytes-out",
        Metric::counter("cluster_slot_network_output_bytes_total", "Bytes sent for a slot"),
        Metric::gauge(
            "cluster_slots_network_output_bytes",
            "Bytes sent for the slots of this shard",
        ),
        1.0,
    ),
    (
        "memory-bytes",
        Metric::gauge("cluster_slot_memory_bytes", "Memory of the keys of a slot"),
        Metric::gauge(
            "cluster_slots_memory_bytes",
            "Memory of the keys of all slots of this shard",
        ),
        1.0,
    ),
];
const OWNED: Metric = Metric::gauge("cluster_slots_owned", "Slots of this shard");
const KEYS_MAX: Metric =
    Metric::gauge("cluster_slot_keys_max", "Keys of the slot of this shard that has most");

const MIGRATIONS: Metric =
    Metric::gauge("cluster_slot_migrations", "Slot migrations that the server remembers");
const REMAINING: Metric = Metric::gauge(
    "cluster_slot_migration_remaining_bytes",
    "Bytes that running slot migrations still have to send",
);
const ACK_AGE: Metric = Metric::gauge(
    "cluster_slot_migration_last_ack_age_seconds",
    "Time since the other side of a running slot migration was heard of, at most",
);
const FAILED_AT: Metric = Metric::gauge(
    "cluster_slot_migration_last_failure_timestamp_seconds",
    "When a slot migration failed for the last time",
);

/// States in which a migration has ended; all others are running ones.
const ENDED: [&str; 3] = ["success", "failed", "cancelled"];

fn statistics_command() -> Command {
    Command::new("CLUSTER SLOT-STATS SLOTSRANGE 0 16383")
}

fn migrations_command() -> Command {
    Command::new("CLUSTER GETSLOTMIGRATIONS")
}

pub(super) fn commands(options: &Options, facts: &Facts) -> Vec<Command> {
    let mut commands = Vec::new();
    if facts.clustered {
        if options.slot_stats != SlotStats::Off {
            commands.push(statistics_command());
        }
        if facts.slot_migrations {
            commands.push(migrations_command());
        }
    }
    commands
}

pub(super) fn write(snapshot: &Snapshot<'_>, out: &mut Out<'_>) {
    if let Some(answer) = snapshot.answers.get(&statistics_command()) {
        write_statistics(&read_statistics(answer), snapshot.options.slot_stats, out);
    }
    if let Some(answer) = snapshot.answers.get(&migrations_command()) {
        let now = snapshot.now.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        write_migrations(answer, now.as_secs_f64(), out);
    }
}

/// Statistics of each slot, in the order of [`STATISTICS`].
type Slots = BTreeMap<u16, [Option<f64>; STATISTICS.len()]>;

/// `[[slot, {name: value}], …]`.
fn read_statistics(answer: &Value) -> Slots {
    let read = |entry: &Value| {
        let [slot, values] = items(entry) else { return None };
        let slot = command::text(slot)?.parse().ok()?;
        let pairs = command::pairs(values);
        let get = |name: &str| {
            let (_, value) = pairs.iter().find(|(known, _)| known == name)?;
            command::number(value)
        };
        Some((slot, STATISTICS.map(|(name, .., divisor)| get(name).map(|value| value / divisor))))
    };
    items(answer).iter().filter_map(read).collect()
}

fn write_statistics(slots: &Slots, wanted: SlotStats, out: &mut Out<'_>) {
    out.value(&OWNED, slots.len() as f64);
    for (index, (_, _, total, _)) in STATISTICS.iter().enumerate() {
        let values: Vec<_> =
            slots.values().filter_map(|values| values.get(index).copied().flatten()).collect();
        if !values.is_empty() {
            out.value(total, values.iter().sum());
        }
    }
    if let Some(most) = slots.values().filter_map(|values| values[0]).max_by(f64::total_cmp) {
        out.value(&KEYS_MAX, most);
    }
    let chosen = chosen(slots, wanted);
    for (index, (_, metric, _, _)) in STATISTICS.iter().enumerate() {
        for (slot, values) in slots.iter().filter(|(slot, _)| chosen.contains(slot)) {
            if let Some(value) = values.get(index).copied().flatten() {
                out.family(metric).sample(&[("slot", &slot.to_string())], value);
            }
        }
    }
}

/// The slots that have most of anything.
fn chosen(slots: &Slots, wanted: SlotStats) -> BTreeSet<u16> {
    let count = match wanted {
        SlotStats::Off => 0,
        SlotStats::All => usize::from(u16::MAX),
        SlotStats::Top(count) => usize::from(count),
    };
    let mut chosen = BTreeSet::new();
    for index in 0..STATISTICS.len() {
        let mut ranked: Vec<_> = slots
            .iter()
            .filter_map(|(slot, values)| {
                let value = values.get(index).copied().flatten()?;
                (value > 0.0 || wanted == SlotStats::All).then_some((value, *slot))
            })
            .collect();
        ranked.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        chosen.extend(ranked.into_iter().take(count).map(|(_, slot)| slot));
    }
    chosen
}

fn write_migrations(answer: &Value, now: f64, out: &mut Out<'_>) {
    let mut counts = BTreeMap::<(String, String), f64>::new();
    let (mut remaining, mut age) = (BTreeMap::<String, f64>::new(), BTreeMap::<String, f64>::new());
    let mut failed_at = None::<f64>;
    for migration in items(answer) {
        let pairs = command::pairs(migration);
        let find = |name: &str| pairs.iter().find(|(known, _)| known == name).map(|(_, v)| *v);
        let word = |name: &str| Some(command::text(find(name)?)?.to_ascii_lowercase());
        let number = |name: &str| command::number(find(name)?);
        let (Some(operation), Some(state)) = (word("operation"), word("state")) else { continue };
        let running = !ENDED.contains(&state.as_str());
        let shown = if running { "running".to_owned() } else { state.clone() };
        *counts.entry((operation.clone(), shown)).or_default() += 1.0;
        if running {
            if let Some(bytes) = number("remaining_repl_size") {
                *remaining.entry(operation.clone()).or_default() += bytes;
            }
            if let Some(ack) = number("last_ack_time") {
                let oldest = age.entry(operation).or_default();
                *oldest = oldest.max(now - ack);
            }
        } else if state == "failed"
            && let Some(time) = number("last_update_time")
        {
            failed_at = Some(failed_at.unwrap_or_default().max(time));
        }
    }
    for ((operation, state), count) in &counts {
        out.family(&MIGRATIONS).sample(&[("operation", operation), ("state", state)], *count);
    }
    for (metric, values) in [(&REMAINING, &remaining), (&ACK_AGE, &age)] {
        for (operation, value) in values {
            out.family(metric).sample(&[("operation", operation)], *value);
        }
    }
    if let Some(time) = failed_at {
        out.value(&FAILED_AT, time);
    }
}

#[cfg(test)]
mod tests {
    use super::SlotStats;

    #[test]
    fn the_flag_is_read() {
        assert_eq!(SlotStats::parse("off"), Ok(SlotStats::Off));
        assert_eq!(SlotStats::parse("top:10"), Ok(SlotStats::Top(10)));
        assert_eq!(SlotStats::parse("all"), Ok(SlotStats::All));
        for text in ["", "top", "top:", "top:x", "top:-1", "some"] {
            assert!(SlotStats::parse(text).is_err(), "{text}");
        }
    }
}
