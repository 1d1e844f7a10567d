//! What is feared of databases and cannot be done to those of the platform: a replica that falls behind,
//! more log and more memory than those have, rights that are taken away. Done to a PostgreSQL with a
//! replica, a Valkey and a statsd-exporter beside the platform.

use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::eventually_within;

use crate::{
    beside::{self, Beside, at, host},
    harm,
    provoke::{self, Fear, as_well, lasting, passing},
    stack,
    storage::ADDRESS,
};

const LIMIT: Duration = Duration::from_mins(2);

/// Of what the platform's limits are, these cannot be reached within minutes: 10 GiB of log, three
/// quarters of all transactions, a week, an hour. The last is how long a number of series is compared with.
const SHORTER: &[(&str, &str)] = &[
    ("_lag_seconds > 300 and", "_lag_seconds > 20 and"),
    ("> 10 * 1024 ^ 3\n", "> 200 * 1024 ^ 2\n"),
    ("> 1.5e9\n", "> 20000\n"),
    ("> 604800\n", "> 20\n"),
    ("_timestamp_seconds > 3600\n", "_timestamp_seconds > 20\n"),
    ("offset 1h", "offset 1m"),
];

/// What is undone last comes first: sessions that are open keep rows from being frozen, and keys that are
/// thrown away are to be saved as well.
const FEARS: &[Fear] = &[
    lasting("PostgresWraparoundRisk", use_up_transactions, freeze),
    lasting("PostgresAutovacuumStale", leave_rows_for_vacuum, drop_the_rows),
    lasting("PostgresCollectorFailing", take_a_right_away, give_it_back),
    lasting("PostgresCacheHitRatioLow", read_again_and_again, end_sessions),
    lasting("PostgresTemporaryFilesHigh", sort_on_disk, end_sessions),
    lasting("PostgresWALSizeHigh", keep_the_log, let_the_log_go),
    lasting("PostgresReplicationLagCritical", pause_the_replica, resume_the_replica),
    as_well("PostgresReplicationLagHigh"),
    lasting("ValkeySaveOverdue", punch_holes, save),
    lasting("ValkeyFragmentationHigh", punch_holes, flush),
    lasting("ValkeyScrapeIncomplete", forbid_the_slow_log, allow_all),
    passing("ValkeyEvictionsHigh", evict),
    passing("StatsdSeriesGrowing", send_many_more_names),
];

/// Small, and as quick as something that may be lost: a table need not be large to be more than fits,
/// and log that is not needed goes at once.
const SETTINGS: &str = "-c shared_buffers=16MB -c max_wal_size=64MB -c min_wal_size=32MB \
                        -c checkpoint_timeout=30s -c autovacuum=off -c fsync=off";

const INIT: &str = "set -e\n\
    echo 'host replication all all trust' >>\"$PGDATA/pg_hba.conf\"\n\
    psql -v ON_ERROR_STOP=1 -U postgres -c 'CREATE ROLE monitor LOGIN' -c 'GRANT pg_monitor TO monitor'\n";

fn start() -> Result<Beside> {
    let mut own = Beside::new()?;
    own.write("init.sh", INIT)?;
    let primary = [
        &["--env", "POSTGRES_PASSWORD=e2e", "--env", "POSTGRES_DB=lakehouse"][..],
        &["--env", "POSTGRES_HOST_AUTH_METHOD=trust"],
        &["--env", "PGDATA=/var/lib/postgresql/e2e"],
    ]
    .concat();
    let run = "mkdir -p /docker-entrypoint-initdb.d; cp /input/init.sh /docker-entrypoint-initdb.d/; \
               exec docker-entrypoint.sh postgres";
    own.run("postgres", "postgres", &primary, &["bash", "-c", &format!("{run} {SETTINGS}")])?;
    eventually_within(LIMIT, "PostgreSQL serves", || {
        beside::exec("postgres", &["pg_isready", "-q", "-h", "127.0.0.1"]).map(drop)
    })?;
    let copy = format!(
        "install -d -o postgres -g postgres -m 700 /standby && \
         exec setpriv --reuid postgres --regid postgres --init-groups sh -c \
         'pg_basebackup -h {} -U postgres -D /standby -R -C -S standby -c fast && \
          exec postgres -D /standby {SETTINGS}'",
        host("postgres")
    );
    own.run("postgres", "replica", &[], &["bash", "-c", &copy])?;
    for server in ["postgres", "replica"] {
        let uri = format!(
            "DATA_SOURCE_NAME=postgresql://monitor@{}/lakehouse?sslmode=disable",
            host(server)
        );
        let name = format!("{server}-exporter");
        let options = ["--env", &uri];
        own.run("postgres-exporter", &name, &options, &["--collector.database_wraparound"])?;
    }
    own.run("valkey", "valkey", &[], &["valkey-server", "--save", "", "--protected-mode", "no"])?;
    let valkey = format!("REDIS_ADDR=redis://{}:6379", host("valkey"));
    own.run("valkey-exporter", "valkey-exporter", &["--env", &valkey], &[])?;
    own.run("statsd-exporter", "statsd", &[], &[])?;
    Ok(own)
}

fn watched(mut own: Beside) -> Result<Beside> {
    own.watch(
        &["postgres", "valkey", "statsd"],
        SHORTER,
        &[
            (
                "postgres-exporter",
                &["postgres-exporter", "replica-exporter"].map(|name| at(name, 9187)),
            ),
            ("valkey-exporter", &[at("valkey-exporter", 9121)]),
            ("statsd-exporter", &[at("statsd", 9102)]),
        ],
    )?;
    Ok(own)
}

pub(crate) fn what_databases_do_rarely_alerts_and_resolves() -> Result<()> {
    let _servers = watched(start()?)?;
    provoke::provoke_and_undo(ADDRESS, FEARS)
}

/// In one session of the owner's, each statement for itself.
fn sql(server: &str, statements: &[&str]) -> Result<String> {
    let mut command =
        vec!["psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", "lakehouse"];
    command.extend(statements.iter().flat_map(|statement| ["-c", statement]));
    beside::exec(server, &command)
}

/// A statement again and again, until [`end_sessions`].
fn again_and_again(statement: &str) -> Result<()> {
    beside::in_background(
        "postgres",
        &format!(
            "for i in $(seq 9000); do echo \"{statement}\" || exit; sleep 0.2; done | \
             PGAPPNAME=e2e psql -Xq -U postgres -d lakehouse"
        ),
    )
}

fn end_sessions() -> Result<()> {
    let end =
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'e2e'";
    sql("postgres", &[end]).map(drop)
}

/// Their real number: only the limit is lower.
fn use_up_transactions() -> Result<()> {
    let burn = "DO $$ BEGIN FOR i IN 1..30000 LOOP \
                PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$";
    sql("postgres", &["SET synchronous_commit = off", burn]).map(drop)
}

fn freeze() -> Result<()> {
    let all = ["vacuumdb", "-q", "-U", "postgres", "--all", "--freeze"];
    beside::exec("postgres", &all).map(drop)
}

fn leave_rows_for_vacuum() -> Result<()> {
    let statements = [
        "CREATE TABLE IF NOT EXISTS e2e_stale (i int)",
        "INSERT INTO e2e_stale SELECT generate_series(1, 30000)",
        "VACUUM e2e_stale",
        "UPDATE e2e_stale SET i = i + 1",
    ];
    // Once: a table that was vacuumed again would be fresh.
    if sql("postgres", &["SELECT to_regclass('e2e_stale')"])?.is_empty() {
        sql("postgres", &statements)?;
    }
    Ok(())
}

fn drop_the_rows() -> Result<()> {
    sql("postgres", &["DROP TABLE IF EXISTS e2e_stale"]).map(drop)
}

fn take_a_right_away() -> Result<()> {
    sql("postgres", &["REVOKE SELECT ON pg_stat_archiver FROM PUBLIC"]).map(drop)
}

fn give_it_back() -> Result<()> {
    sql("postgres", &["GRANT SELECT ON pg_stat_archiver TO PUBLIC"]).map(drop)
}

/// A table that is four times what the server keeps.
fn read_again_and_again() -> Result<()> {
    if sql("postgres", &["SELECT to_regclass('e2e_large')"])?.is_empty() {
        sql("postgres", &["CREATE TABLE e2e_large AS SELECT generate_series(1, 1800000) AS i"])?;
    }
    again_and_again("SELECT count(*) FROM e2e_large;")
}

/// Some 50 MB at a time.
fn sort_on_disk() -> Result<()> {
    again_and_again(
        "SET work_mem = '64kB'; SELECT max(length(t)) FROM (SELECT decode(repeat(md5(i::text), 60), 'hex') \
         AS t FROM generate_series(1, 50000) AS i ORDER BY t) AS s;",
    )
}

/// For a slot that nobody reads.
fn keep_the_log() -> Result<()> {
    let slot = "SELECT pg_create_physical_replication_slot('e2e', true) \
                WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = 'e2e')";
    sql(
        "postgres",
        &[
            slot,
            "CREATE TABLE e2e_log AS SELECT generate_series(1, 4000000) AS i",
            "DROP TABLE e2e_log",
        ],
    )
    .map(drop)
}

fn let_the_log_go() -> Result<()> {
    let slot = "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'e2e'";
    sql("postgres", &[slot, "CHECKPOINT"]).map(drop)
}

fn pause_the_replica() -> Result<()> {
    sql("replica", &["SELECT pg_wal_replay_pause()"])?;
    sql(
        "postgres",
        &["CREATE TABLE IF NOT EXISTS e2e_missed (i int)", "INSERT INTO e2e_missed VALUES (1)"],
    )
    .map(drop)
}

fn resume_the_replica() -> Result<()> {
    sql("replica", &["SELECT pg_wal_replay_resume()"]).map(drop)
}

fn valkey(command: &[&str]) -> Result<String> {
    beside::exec("valkey", &[&["valkey-cli", "-e"], command].concat())
}

/// Every second of two million small keys: pages are in use that are half empty.
fn punch_holes() -> Result<()> {
    let keys: u64 = valkey(&["DBSIZE"])?.parse()?;
    if keys > 0 {
        return Ok(());
    }
    let fill = "for i = 1, 2400000 do redis.call('SET', 'e2e:' .. i, string.rep('x', 100)) end";
    let holes = "for i = 1, 2400000, 2 do redis.call('DEL', 'e2e:' .. i) end";
    for script in [fill, holes] {
        valkey(&["EVAL", script, "0"])?;
    }
    Ok(())
}

fn flush() -> Result<()> {
    valkey(&["CONFIG", "SET", "maxmemory", "0"])?;
    valkey(&["FLUSHALL"]).map(drop)
}

fn save() -> Result<()> {
    eventually_within(LIMIT, "it is saved", || {
        valkey(&["SAVE"])?;
        let text = valkey(&["INFO", "persistence"])?;
        ensure!(text.contains("rdb_changes_since_last_save:0"), "{text}");
        Ok(())
    })
}

fn forbid_the_slow_log() -> Result<()> {
    valkey(&["ACL", "SETUSER", "default", "-slowlog"]).map(drop)
}

fn allow_all() -> Result<()> {
    valkey(&["ACL", "SETUSER", "default", "+@all"]).map(drop)
}

/// For new keys, at the limit.
fn evict() -> Result<()> {
    let used = valkey(&["INFO", "memory"])?;
    let used = used.lines().find_map(|line| line.strip_prefix("used_memory:")).unwrap_or_default();
    valkey(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])?;
    valkey(&["CONFIG", "SET", "maxmemory", used.trim()])?;
    let write = "seq 100000 | sed 's/.*/SET e2e:new:& xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx/' | \
                 valkey-cli >/dev/null";
    beside::exec("valkey", &["sh", "-c", write]).map(drop)
}

/// Ten thousand is what a few programs may have; that many more than a minute ago.
fn send_many_more_names() -> Result<()> {
    eventually_within(LIMIT, "there is a number to compare with", || {
        let before = stack::query_at(ADDRESS, "statsd_exporter_metrics_current offset 1m")?;
        ensure!(!before.is_empty(), "none yet");
        Ok(())
    })?;
    harm::send_names(&host("statsd"), 20_000)
}
