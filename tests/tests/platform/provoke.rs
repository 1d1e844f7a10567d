//! What an operator fears, one thing after the other: done to the live platform, seen to alert in
//! Prometheus and to arrive in Alertmanager, undone, seen to resolve.
//!
//! The rules of the programs run as a copy with short windows, so that this takes minutes; the five of
//! the lakehouse are not touched (`alerts.rs`).

use std::{collections::BTreeSet, fs, path::PathBuf, time::Duration};

use anyhow::{Context as _, Result, ensure};
use e2e::{eventually_within, rules};

use crate::stack::{self, PREFIX, container};

/// What is written as the left is read as the right, in this order.
const SHORTER: [(&str, &str); 10] = [
    ("[5m]", "[1m]"),
    ("[10m]", "[1m]"),
    ("[15m]", "[1m]"),
    ("[30m]", "[2m]"),
    ("[1h]", "[2m]"),
    ("[2m]", "[1m]"),
    ("offset 10m", "offset 1m"),
    ("offset 15m", "offset 1m"),
    ("offset 1h", "offset 2m"),
    ("> 300\n", "> 20\n"),
];

/// A scrape, two evaluations, a window of a minute, and time for a busy machine.
const LIMIT: Duration = Duration::from_mins(4);

/// Where the copy stands.
pub(crate) fn rules_folder() -> PathBuf {
    std::env::temp_dir().join(format!("{PREFIX}-rules"))
}

/// Writes the copy of the programs' rules.
pub(crate) fn shorten_rules() -> Result<()> {
    let folder = rules_folder();
    fs::create_dir_all(&folder)?;
    for path in rules::files()? {
        let name = path.file_name().context("a name")?;
        if name == "lakehouse.yml" {
            continue;
        }
        let mut text = fs::read_to_string(&path)?;
        for (long, short) in SHORTER {
            text = text.replace(long, short);
        }
        let lines: Vec<&str> = text
            .lines()
            .map(|line| match line.trim_start().strip_prefix("for: ") {
                Some("0m") | None => line,
                Some(_) => "        for: 15s",
            })
            .collect();
        fs::write(folder.join(name), lines.join("\n") + "\n")?;
    }
    Ok(())
}

/// Something that can be done to the platform and undone.
struct Fear {
    alert: &'static str,
    /// None where the one before it provokes this one as well.
    provoke: Option<fn() -> Result<()>>,
    /// None where it is over by itself, once it has left the window.
    undo: Option<fn() -> Result<()>>,
}

/// What lasts comes before what is over after a minute.
const AT_ONCE: &[Fear] = &[
    Fear {
        alert: "SeaweedFSNoHeartbeats",
        provoke: Some(cut_off_the_volume_server),
        undo: Some(let_it_answer),
    },
    Fear { alert: "ServiceDown", provoke: None, undo: None },
    Fear { alert: "PostgresLongTransaction", provoke: Some(run_long), undo: Some(end_sessions) },
    Fear {
        alert: "PostgresIdleInTransaction",
        provoke: Some(idle_in_transaction),
        undo: Some(end_sessions),
    },
    Fear { alert: "PostgresRollbackRatioHigh", provoke: Some(roll_back), undo: None },
    Fear {
        alert: "ValkeyConnectionsHigh",
        provoke: Some(allow_few_clients),
        undo: Some(allow_many_clients),
    },
    Fear {
        alert: "ValkeySlowCommands",
        provoke: Some(log_every_command),
        undo: Some(log_slow_commands),
    },
    Fear { alert: "ValkeyReplicaLost", provoke: Some(lose_a_replica), undo: None },
    Fear {
        alert: "ValkeyPersistenceFailing",
        provoke: Some(forbid_saving),
        undo: Some(allow_saving),
    },
    Fear { alert: "PostgresDeadlocks", provoke: Some(deadlock), undo: None },
    Fear { alert: "StatsdDatagramsDropped", provoke: Some(flood), undo: None },
    Fear { alert: "StatsdSamplesRefused", provoke: Some(send_nonsense), undo: None },
    Fear { alert: "StatsdTypeConflict", provoke: Some(send_two_types), undo: None },
];

/// Tasks get stuck when Airflow has some to start, which takes a while after a stop of PostgreSQL.
const SLOW: &[Fear] = &[
    Fear {
        alert: "AirflowTasksStuckInQueue",
        provoke: Some(stop_the_worker),
        undo: Some(start_the_worker),
    },
    Fear {
        alert: "AirflowSchedulerDown",
        provoke: Some(stop_the_scheduler),
        undo: Some(start_the_scheduler),
    },
    Fear {
        alert: "AirflowDagProcessorDown",
        provoke: Some(pause_the_processor),
        undo: Some(start_the_processor),
    },
    Fear {
        alert: "SeaweedFSVolumesReadOnlyDiskFull",
        provoke: Some(fill_the_disk),
        undo: Some(free_the_disk),
    },
    Fear {
        alert: "ValkeyMemoryCritical",
        provoke: Some(allow_little_memory),
        undo: Some(allow_more_memory),
    },
];

fn provoke_and_undo(fears: &[Fear]) -> Result<()> {
    for fear in fears {
        if let Some(provoke) = fear.provoke {
            provoke().with_context(|| format!("cannot provoke {}", fear.alert))?;
        }
    }
    let seen = wait_for_all(fears);
    // All of it, whatever was seen: the steps after this one need a whole platform.
    let mut undone = Ok(());
    for fear in fears {
        if let Some(undo) = fear.undo {
            undone = undone.and(undo().with_context(|| format!("cannot undo {}", fear.alert)));
        }
    }
    seen.and(undone)?;
    for fear in fears {
        stack::wait_for_silence(fear.alert, LIMIT)?;
    }
    Ok(())
}

/// All at once: some are over before others begin.
fn wait_for_all(fears: &[Fear]) -> Result<()> {
    let names: BTreeSet<String> = fears.iter().map(|fear| fear.alert.to_owned()).collect();
    let (mut firing, mut arrived) = (BTreeSet::new(), BTreeSet::new());
    eventually_within(LIMIT, "all of them fire and arrive", || {
        for (mut labels, _) in stack::query(r#"ALERTS{alertstate="firing"}"#)? {
            firing.extend(labels.remove("alertname"));
        }
        arrived.extend(stack::alertmanager()?);
        let quiet: Vec<_> = names.difference(&firing).collect();
        let lost: Vec<_> = names.difference(&arrived).collect();
        ensure!(
            quiet.is_empty() && lost.is_empty(),
            "not firing: {quiet:?}, not arrived: {lost:?}"
        );
        Ok(())
    })
}

pub(crate) fn what_an_operator_fears_alerts_and_resolves() -> Result<()> {
    provoke_and_undo(AT_ONCE)
}

pub(crate) fn what_takes_longer_alerts_and_resolves() -> Result<()> {
    provoke_and_undo(SLOW)
}

/// Python in Airflow's worker, from where metrics come.
fn send(lines: &str) -> Result<()> {
    let script = format!(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         to = ('statsd-exporter', 8125)\n{lines}"
    );
    stack::exec("airflow-scheduler", &["python", "-c", &script]).map(drop)
}

/// Freezing fails now and then on a busy machine.
fn pause(service: &str) -> Result<()> {
    eventually_within(Duration::from_secs(30), "it is paused", || {
        stack::docker(&["pause", &container(service)]).map(drop)
    })
}

/// More datagrams than the kernel keeps for a process that does not read.
fn flood() -> Result<()> {
    pause("statsd-exporter")?;
    let sent = send("for i in range(20000): s.sendto(b'e2e.flood:1|c', to)");
    stack::docker(&["unpause", &container("statsd-exporter")])?;
    sent
}

fn send_nonsense() -> Result<()> {
    send("for i in range(100): s.sendto(b'e2e.nonsense', to)")
}

fn send_two_types() -> Result<()> {
    send("s.sendto(b'e2e.twofold:1|c', to)\ns.sendto(b'e2e.twofold:1|g', to)")
}

fn valkey(command: &[&str]) -> Result<()> {
    stack::exec("valkey", &[&["valkey-cli"], command].concat()).map(drop)
}

/// One that has been seen by a scrape, and goes.
fn lose_a_replica() -> Result<()> {
    let name = container("valkey-replica");
    let image = stack::inspect("valkey", "{{.Config.Image}}")?;
    let network = format!("{PREFIX}_default");
    stack::docker(&[
        "run",
        "--detach",
        "--rm",
        "--name",
        &name,
        "--network",
        &network,
        &image,
        "valkey-server",
        "--replicaof",
        "valkey",
        "6379",
    ])?;
    let seen = stack::wait_for("redis_connected_slaves == 1", Duration::from_mins(1));
    stack::docker(&["rm", "--force", &name])?;
    seen
}

fn log_every_command() -> Result<()> {
    valkey(&["CONFIG", "SET", "slowlog-log-slower-than", "0"])
}

fn log_slow_commands() -> Result<()> {
    valkey(&["CONFIG", "SET", "slowlog-log-slower-than", "10000"])
}

/// Sixty wait for a key that never comes, for as long as this takes; a few more than those may come.
fn allow_few_clients() -> Result<()> {
    let wait = "for i in $(seq 60); do valkey-cli BLPOP e2e:never 180 >/dev/null & done; wait";
    stack::docker(&["exec", "--detach", &container("valkey"), "sh", "-c", wait])?;
    stack::wait_for("redis_connected_clients > 60", Duration::from_mins(1))?;
    let clients = stack::value("redis_connected_clients")?;
    valkey(&["CONFIG", "SET", "maxclients", &format!("{:.0}", clients + 8.0)])
}

fn allow_many_clients() -> Result<()> {
    valkey(&["CONFIG", "SET", "maxclients", "10000"])
}

/// The folder that it saves to may no longer be written to.
fn forbid_saving() -> Result<()> {
    let container = container("valkey");
    stack::docker(&["exec", "--user", "root", &container, "chmod", "000", "/data"])?;
    valkey(&["BGSAVE"])
}

fn allow_saving() -> Result<()> {
    let container = container("valkey");
    stack::docker(&["exec", "--user", "root", &container, "chmod", "755", "/data"])?;
    valkey(&["BGSAVE"])
}

/// Runs statements in a session of its own, in the background.
fn session(statements: &str) -> Result<()> {
    let script = format!(
        "PGAPPNAME=e2e psql -XqtA -U postgres -d lakehouse -c \"{statements}\" >/dev/null 2>&1"
    );
    stack::docker(&["exec", "--detach", &container("postgres"), "sh", "-c", &script]).map(drop)
}

/// Two sessions that each wait for what the other holds.
fn deadlock() -> Result<()> {
    for (first, second) in [(1, 2), (2, 1)] {
        session(&format!(
            "BEGIN; SELECT pg_advisory_xact_lock({first}), pg_sleep(2); SELECT pg_advisory_xact_lock({second}); COMMIT"
        ))?;
    }
    Ok(())
}

fn run_long() -> Result<()> {
    session("SELECT pg_sleep(600)")
}

fn idle_in_transaction() -> Result<()> {
    let script = "(echo 'BEGIN; SELECT 1;'; sleep 600) | PGAPPNAME=e2e psql -XqtA -U postgres -d lakehouse >/dev/null 2>&1";
    stack::docker(&["exec", "--detach", &container("postgres"), "sh", "-c", script]).map(drop)
}

fn roll_back() -> Result<()> {
    let script = "for i in $(seq 600); do echo 'BEGIN; SELECT 1; ROLLBACK;'; sleep 0.1; done | psql -XqtA -U postgres -d lakehouse >/dev/null 2>&1";
    stack::docker(&["exec", "--detach", &container("postgres"), "sh", "-c", script]).map(drop)
}

fn end_sessions() -> Result<()> {
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'e2e'";
    stack::sql("postgres", end).map(drop)
}

fn allow_little_memory() -> Result<()> {
    let used = stack::value("redis_memory_used_bytes")?;
    valkey(&["CONFIG", "SET", "maxmemory", &format!("{:.0}", used * 1.02)])
}

fn allow_more_memory() -> Result<()> {
    valkey(&["CONFIG", "SET", "maxmemory", "32mb"])
}

fn stop_the_worker() -> Result<()> {
    stack::docker(&["stop", &container("airflow-worker")]).map(drop)
}

fn start_the_worker() -> Result<()> {
    stack::docker(&["start", &container("airflow-worker")]).map(drop)
}

fn stop_the_scheduler() -> Result<()> {
    pause("airflow-scheduler")
}

fn start_the_scheduler() -> Result<()> {
    stack::docker(&["unpause", &container("airflow-scheduler")]).map(drop)
}

fn pause_the_processor() -> Result<()> {
    pause("airflow-dag-processor")
}

fn start_the_processor() -> Result<()> {
    stack::docker(&["unpause", &container("airflow-dag-processor")]).map(drop)
}

/// Beyond the 1 % that a volume server keeps free.
fn fill_the_disk() -> Result<()> {
    let fill = "cat /dev/zero >/data/e2e-filler 2>/dev/null; true";
    stack::exec("seaweedfs-volume", &["sh", "-c", fill]).map(drop)
}

fn free_the_disk() -> Result<()> {
    stack::exec("seaweedfs-volume", &["rm", "/data/e2e-filler"]).map(drop)
}

/// It runs, and answers neither the master nor Prometheus.
fn cut_off_the_volume_server() -> Result<()> {
    pause("seaweedfs-volume")
}

fn let_it_answer() -> Result<()> {
    stack::docker(&["unpause", &container("seaweedfs-volume")]).map(drop)
}
