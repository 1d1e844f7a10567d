//! What can be done to the platform and undone. Each takes the platform as it finds it, and may be done
//! again: what is there already stays.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use e2e::eventually_within;

use crate::{
    stack::{self, container},
    storage::Container,
};

/// For what a busy machine does in a second or two.
const SOON: Duration = Duration::from_secs(30);

/// Airflow gives a task up whose process is gone after five minutes, and looks every now and then.
const UNTIL_GIVEN_UP: Duration = Duration::from_mins(10);

/// Connections to Valkey, beside which those of Airflow come and go.
const CLIENTS: u64 = 150;

/// Freezing fails now and then on a busy machine.
pub(crate) fn pause(service: &str) -> Result<()> {
    eventually_within(SOON, "it is paused", || {
        if stack::inspect(service, "{{.State.Paused}}")? == "false" {
            stack::docker(&["pause", &container(service)])?;
        }
        Ok(())
    })
}

pub(crate) fn unpause(service: &str) -> Result<()> {
    eventually_within(SOON, "it goes on", || {
        if stack::inspect(service, "{{.State.Paused}}")? == "true" {
            stack::docker(&["unpause", &container(service)])?;
        }
        Ok(())
    })
}

/// Runs Python beside Airflow, from where metrics come.
pub(crate) fn python(script: &str) -> Result<()> {
    stack::exec("airflow-api-server", &["python", "-c", script]).map(drop)
}

pub(crate) fn send(lines: &str) -> Result<()> {
    python(&format!(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         to = ('statsd-exporter', 8125)\n{lines}"
    ))
}

/// To another exporter than the platform's.
pub(crate) fn send_many_names(to: &str) -> Result<()> {
    send_names(to, 20)
}

/// That many, fifty a datagram, and not so quickly that some are dropped.
pub(crate) fn send_names(to: &str, count: usize) -> Result<()> {
    python(&format!(
        "import socket, time; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
         names = [b'limit.%d:1|c' % i for i in range({count})]\n\
         for i in range(0, {count}, 50):\n \
         s.sendto(b'\\n'.join(names[i:i + 50]), ('{to}', 9125)); time.sleep(0.005)"
    ))
}

/// More datagrams than the kernel keeps for a process that does not read.
pub(crate) fn flood() -> Result<()> {
    pause("statsd-exporter")?;
    let sent = send("for i in range(20000): s.sendto(b'e2e.flood:1|c', to)");
    unpause("statsd-exporter")?;
    sent
}

pub(crate) fn send_nonsense() -> Result<()> {
    send("for i in range(100): s.sendto(b'e2e.nonsense', to)")
}

pub(crate) fn send_two_types() -> Result<()> {
    send("s.sendto(b'e2e.twofold:1|c', to)\ns.sendto(b'e2e.twofold:1|g', to)")
}

/// With `-e`, an answer that is an error is one.
fn valkey(command: &[&str]) -> Result<String> {
    stack::exec("valkey", &[&["valkey-cli", "-e"], command].concat())
}

/// A number of `INFO`, from the server itself: what Prometheus has may be a scrape old.
fn valkey_info(section: &str, name: &str) -> Result<u64> {
    let text = valkey(&["INFO", section])?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    Ok(line.with_context(|| format!("{name} in {text}"))?.trim().parse()?)
}

/// One that has been seen by a scrape, and goes.
pub(crate) fn lose_a_replica() -> Result<()> {
    let image = stack::image("valkey")?;
    let command = ["IMAGE", "valkey-server", "--replicaof", "valkey", "6379"];
    let _replica = Container::beside(&image, "valkey-replica", &command)?;
    stack::wait_for("redis_connected_slaves == 1", Duration::from_mins(2))
}

pub(crate) fn log_every_command() -> Result<()> {
    valkey(&["CONFIG", "SET", "slowlog-log-slower-than", "0"]).map(drop)
}

pub(crate) fn log_slow_commands() -> Result<()> {
    valkey(&["CONFIG", "SET", "slowlog-log-slower-than", "10000"]).map(drop)
}

/// One process holds many connections for as long as a file is there. Twenty more are left, so that
/// nobody is refused.
pub(crate) fn allow_few_clients() -> Result<()> {
    let hold = format!(
        "import os, socket, time\n\
         open('/tmp/e2e-clients', 'w').close()\n\
         held = [socket.create_connection(('valkey', 6379)) for _ in range({CLIENTS})]\n\
         while os.path.exists('/tmp/e2e-clients'): time.sleep(0.5)"
    );
    let clients = || valkey_info("clients", "connected_clients");
    if clients()? < CLIENTS {
        let service = container("airflow-api-server");
        stack::docker(&["exec", "--detach", &service, "python", "-c", &hold])?;
    }
    eventually_within(Duration::from_mins(1), "they are connected", || {
        let clients = clients()?;
        ensure!(clients >= CLIENTS, "{clients} clients");
        valkey(&["CONFIG", "SET", "maxclients", &(clients + 20).to_string()]).map(drop)
    })
}

pub(crate) fn allow_many_clients() -> Result<()> {
    let allowed = valkey(&["CONFIG", "SET", "maxclients", "10000"]).map(drop);
    python("import os; os.path.exists('/tmp/e2e-clients') and os.remove('/tmp/e2e-clients')")?;
    eventually_within(SOON, "they are gone", || {
        let clients = valkey_info("clients", "connected_clients")?;
        ensure!(clients < CLIENTS, "{clients} clients");
        Ok(())
    })
    .and(allowed)
}

/// More than are left; Valkey takes the connection, says so and closes it.
pub(crate) fn come_in_vain() -> Result<()> {
    let refused = || valkey_info("stats", "rejected_connections");
    let before = refused()?;
    python(
        "import socket, time\n\
         held = [socket.create_connection(('valkey', 6379)) for _ in range(40)]\n\
         time.sleep(1)",
    )?;
    let refused = refused()?;
    ensure!(refused > before, "nobody was refused");
    Ok(())
}

/// For keys that are not there, and by a command that is none.
pub(crate) fn ask_for_nothing() -> Result<()> {
    let ask = "valkey-cli -r 20000 GET e2e:never; valkey-cli -r 20000 e2e-nothing; true";
    let ask = format!("exec >/dev/null 2>&1; {ask}");
    stack::exec("valkey", &["sh", "-c", &ask]).map(drop)
}

/// The folder that it saves to may no longer be written to.
pub(crate) fn forbid_saving() -> Result<()> {
    save("000", "err")
}

pub(crate) fn allow_saving() -> Result<()> {
    save("755", "ok")
}

fn save(mode: &str, outcome: &str) -> Result<()> {
    let container = container("valkey");
    stack::docker(&["exec", "--user", "root", &container, "chmod", mode, "/data"])?;
    eventually_within(SOON, "it saves, or fails to", || {
        // It says no while another save is under way.
        let asked = valkey(&["BGSAVE"]);
        let text = valkey(&["INFO", "persistence"])?;
        let is_so = text.contains(&format!("rdb_last_bgsave_status:{outcome}"));
        ensure!(is_so, "{asked:?}: {text}");
        Ok(())
    })
}

/// Runs a script of the shell beside PostgreSQL, in the background.
pub(crate) fn beside_postgres(script: &str) -> Result<()> {
    let script = format!(
        "exec >/dev/null 2>&1; export PGAPPNAME=e2e; \
         sql() {{ psql -XqtA -U postgres -d lakehouse \"$@\"; }}; {script}"
    );
    stack::docker(&["exec", "--detach", &container("postgres"), "sh", "-c", &script]).map(drop)
}

/// Two sessions that each wait for what the other holds, begun at once.
pub(crate) fn deadlock() -> Result<()> {
    beside_postgres(
        "lock() { sql -c \"BEGIN; SELECT pg_advisory_xact_lock($1), pg_sleep(3); \
         SELECT pg_advisory_xact_lock($2); COMMIT\"; }; lock 1 2 & lock 2 1 & wait",
    )
}

pub(crate) fn run_long() -> Result<()> {
    beside_postgres("sql -c 'SELECT pg_sleep(900)'")
}

pub(crate) fn idle_in_transaction() -> Result<()> {
    beside_postgres("(echo 'BEGIN; SELECT 1;'; sleep 900) | sql")
}

/// Until [`end_sessions`]. A transaction that reads no table is not counted before its session ends.
pub(crate) fn roll_back() -> Result<()> {
    beside_postgres(
        "for i in $(seq 9000); do echo 'BEGIN; SELECT count(*) FROM pg_class; ROLLBACK;' || exit; sleep 0.1; done | sql",
    )
}

/// Of 3,840 that the settings speak of; a few more fit.
pub(crate) fn take_many_locks() -> Result<()> {
    beside_postgres(
        "sql -c 'BEGIN; SELECT pg_advisory_xact_lock(i) FROM generate_series(1001, 4300) AS i; \
         SELECT pg_sleep(900)'",
    )
}

/// In a table which is vacuumed by nobody.
pub(crate) fn leave_dead_rows() -> Result<()> {
    let table = "CREATE TABLE IF NOT EXISTS e2e_dead (i int) WITH (autovacuum_enabled = off)";
    for statement in [
        table,
        "INSERT INTO e2e_dead SELECT generate_series(1, 30000)",
        "UPDATE e2e_dead SET i = i + 1",
    ] {
        stack::sql("lakehouse", statement)?;
    }
    Ok(())
}

pub(crate) fn drop_dead_rows() -> Result<()> {
    stack::sql("lakehouse", "DROP TABLE IF EXISTS e2e_dead").map(drop)
}

pub(crate) fn make_a_slot() -> Result<()> {
    drop_the_slot()?;
    let slot = "SELECT pg_create_physical_replication_slot('e2e')";
    stack::sql("postgres", slot).map(drop)
}

pub(crate) fn drop_the_slot() -> Result<()> {
    let slot = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots \
                WHERE slot_name = 'e2e'";
    stack::sql("postgres", slot).map(drop)
}

pub(crate) fn ask_for_checkpoints() -> Result<()> {
    for _ in 0..4 {
        stack::sql("postgres", "CHECKPOINT")?;
    }
    Ok(())
}

pub(crate) fn end_sessions() -> Result<()> {
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'e2e'";
    stack::sql("postgres", end).map(drop)
}

/// All but four of those that are left: with three kept for superusers, the exporter may still come in.
/// Airflow's come and go: all of it stands still meanwhile, with those that it has.
pub(crate) fn take_all_connections() -> Result<()> {
    pause("airflow-api-server")?;
    // One of those that are taken is that of the question.
    let left = "SELECT current_setting('max_connections')::int - count(*) + 1 \
                FROM pg_stat_activity WHERE datname IS NOT NULL";
    let take = stack::sql("postgres", left)?.parse::<i64>()? - 4;
    beside_postgres(&format!(
        "for i in $(seq {take}); do sql -c 'SELECT pg_sleep(900)' & done; wait"
    ))
}

pub(crate) fn give_connections_back() -> Result<()> {
    let ended = end_sessions();
    unpause("airflow-api-server").and(ended)
}

/// To what is in use.
pub(crate) fn allow_little_memory() -> Result<()> {
    let used = valkey_info("memory", "used_memory")?;
    valkey(&["CONFIG", "SET", "maxmemory", &used.to_string()]).map(drop)
}

pub(crate) fn allow_more_memory() -> Result<()> {
    valkey(&["CONFIG", "SET", "maxmemory", "32mb"]).map(drop)
}

/// Frozen while no task runs: one that is caught running counts as running until Airflow gives it up,
/// as does one that an earlier stop has caught. Tasks are queued within a minute, as long as the
/// scheduler goes on.
pub(crate) fn pause_the_worker() -> Result<()> {
    let stuck = "max(airflow_pool_queued_slots_default_pool) > 0 \
                 and max(airflow_pool_running_slots_default_pool) == 0";
    eventually_within(UNTIL_GIVEN_UP, "tasks are queued and none runs", || {
        let count = "SELECT count(*) FROM task_instance WHERE state = 'running'";
        let running = stack::sql("airflow", count)?;
        ensure!(running == "0", "{running} tasks run");
        pause("airflow-worker")?;
        let seen = stack::wait_for(stuck, Duration::from_mins(3));
        if seen.is_err() {
            unpause("airflow-worker")?;
        }
        seen
    })
}

pub(crate) fn start_the_worker() -> Result<()> {
    unpause("airflow-worker")
}

pub(crate) fn pause_the_scheduler() -> Result<()> {
    pause("airflow-scheduler")
}

pub(crate) fn start_the_scheduler() -> Result<()> {
    unpause("airflow-scheduler")
}

pub(crate) fn pause_the_processor() -> Result<()> {
    pause("airflow-dag-processor")
}

pub(crate) fn start_the_processor() -> Result<()> {
    unpause("airflow-dag-processor")
}

/// Beyond the 1 % that a volume server keeps free.
pub(crate) fn fill_the_disk() -> Result<()> {
    let fill = "cat /dev/zero >/data/e2e-filler 2>/dev/null; true";
    stack::exec("seaweedfs-volume", &["sh", "-c", fill]).map(drop)
}

pub(crate) fn free_the_disk() -> Result<()> {
    stack::exec("seaweedfs-volume", &["rm", "-f", "/data/e2e-filler"]).map(drop)
}

/// It runs, and answers neither the master nor Prometheus.
pub(crate) fn cut_off_the_volume_server() -> Result<()> {
    pause("seaweedfs-volume")
}

pub(crate) fn let_it_answer() -> Result<()> {
    unpause("seaweedfs-volume")
}
