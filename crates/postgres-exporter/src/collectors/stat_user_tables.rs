//! Access to and size of tables in the watched databases: `pg_stat_user_tables_*`.

use futures_util::FutureExt as _;
use metrics_server::{Collecting, Collector, CollectorSpec, Desc, Page};

use super::columns::{self, Column};
use crate::{
    databases::Database,
    instance::Instance,
    row::{RowError, Rows},
    session::QueryError,
};

/// See the module.
pub const SPEC: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_user_tables",
    help: "Tables of the connected database",
    enabled_by_default: true,
    build: || Box::new(StatUserTables),
};

const QUERY: &str = include_str!("stat_user_tables.sql");
/// Where the query takes `true OR`, to measure nothing that could be locked.
const ESTIMATE_MARK: &str = "/* estimate */";
const LABELS: &[&str] = &["datname", "relname", "schemaname"];
const COLUMNS: &[Column] = &[
    Column::new(
        "seq_scan",
        Desc::counter(
            "pg_stat_user_tables_seq_scan",
            "Number of sequential scans initiated on this table",
        ),
    ),
    Column::new(
        "seq_tup_read",
        Desc::counter(
            "pg_stat_user_tables_seq_tup_read",
            "Number of live rows fetched by sequential scans",
        ),
    ),
    Column::new(
        "idx_scan",
        Desc::counter(
            "pg_stat_user_tables_idx_scan",
            "Number of index scans initiated on this table",
        ),
    ),
    Column::new(
        "idx_tup_fetch",
        Desc::counter(
            "pg_stat_user_tables_idx_tup_fetch",
            "Number of live rows fetched by index scans",
        ),
    ),
    Column::new(
        "n_tup_ins",
        Desc::counter("pg_stat_user_tables_n_tup_ins", "Number of rows inserted"),
    ),
    Column::new(
        "n_tup_upd",
        Desc::counter("pg_stat_user_tables_n_tup_upd", "Number of rows updated"),
    ),
    Column::new(
        "n_tup_del",
        Desc::counter("pg_stat_user_tables_n_tup_del", "Number of rows deleted"),
    ),
    Column::new(
        "n_tup_hot_upd",
        Desc::counter(
            "pg_stat_user_tables_n_tup_hot_upd",
            "Number of rows HOT updated (i.e., with no separate index update required)",
        ),
    ),
    Column::new(
        "n_live_tup",
        Desc::gauge("pg_stat_user_tables_n_live_tup", "Estimated number of live rows"),
    ),
    Column::new(
        "n_dead_tup",
        Desc::gauge("pg_stat_user_tables_n_dead_tup", "Estimated number of dead rows"),
    ),
    Column::new(
        "n_mod_since_analyze",
        Desc::gauge(
            "pg_stat_user_tables_n_mod_since_analyze",
            "Estimated number of rows changed since last analyze",
        ),
    ),
    Column::new(
        "last_vacuum",
        Desc::gauge(
            "pg_stat_user_tables_last_vacuum",
            "Last time at which this table was manually vacuumed (not counting VACUUM FULL)",
        ),
    ),
    Column::new(
        "last_autovacuum",
        Desc::gauge(
            "pg_stat_user_tables_last_autovacuum",
            "Last time at which this table was vacuumed by the autovacuum daemon",
        ),
    ),
    Column::new(
        "last_analyze",
        Desc::gauge(
            "pg_stat_user_tables_last_analyze",
            "Last time at which this table was manually analyzed",
        ),
    ),
    Column::new(
        "last_autoanalyze",
        Desc::gauge(
            "pg_stat_user_tables_last_autoanalyze",
            "Last time at which this table was analyzed by the autovacuum daemon",
        ),
    ),
    Column::new(
        "vacuum_count",
        Desc::counter(
            "pg_stat_user_tables_vacuum_count",
            "Number of times this table has been manually vacuumed (not counting VACUUM FULL)",
        ),
    ),
    Column::new(
        "autovacuum_count",
        Desc::counter(
            "pg_stat_user_tables_autovacuum_count",
            "Number of times this table has been vacuumed by the autovacuum daemon",
        ),
    ),
    Column::new(
        "analyze_count",
        Desc::counter(
            "pg_stat_user_tables_analyze_count",
            "Number of times this table has been manually analyzed",
        ),
    ),
    Column::new(
        "autoanalyze_count",
        Desc::counter(
            "pg_stat_user_tables_autoanalyze_count",
            "Number of times this table has been analyzed by the autovacuum daemon",
        ),
    ),
    Column::new(
        "index_size_bytes",
        Desc::gauge(
            "pg_stat_user_tables_index_size_bytes",
            "Total disk space used by this index, in bytes",
        ),
    ),
    Column::new(
        "table_size_bytes",
        Desc::gauge(
            "pg_stat_user_tables_table_size_bytes",
            "Total disk space used by this table, in bytes",
        ),
    ),
];

struct StatUserTables;

impl Collector<Instance> for StatUserTables {
    fn collect<'a>(&'a self, instance: &'a Instance, out: &'a mut Page) -> Collecting<'a> {
        Box::pin(async move {
            let ask = |database| measure(database).boxed();
            instance.each_database(ask, |_name, rows| write(rows, out)).await
        })
    }
}

async fn measure(database: Database<'_>) -> Result<Rows, QueryError> {
    match database.query(QUERY).await {
        // An exclusive lock came between the look at the locks and the measuring.
        Err(error) if error.is_lock_timeout() => {
            database.query(&QUERY.replace(ESTIMATE_MARK, "true OR")).await
        }
        outcome => outcome,
    }
}

fn write(rows: &Rows, out: &mut Page) -> Result<(), RowError> {
    columns::write(rows, LABELS, COLUMNS, out)
}

#[cfg(test)]
mod tests;
