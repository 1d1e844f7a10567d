//! Collectors which are a query and a list of its columns: what is alike, in one table.

use metrics_server::{CollectorSpec, Desc};

use super::{
    columns::{Column, UNKNOWN},
    view::{ByCompat, ByDatabases, Part, Reach, View},
};
use crate::instance::Instance;

pub(super) const BUFFERCACHE_SUMMARY: CollectorSpec<Instance> = CollectorSpec {
    name: "buffercache_summary",
    help: "Shared buffers by state, from the extension pg_buffercache",
    enabled_by_default: false,
    build: || Box::new(&BUFFERCACHE_SUMMARY_VIEW),
};
static BUFFERCACHE_SUMMARY_VIEW: View = View {
    query: include_str!("buffercache_summary.sql"),
    reach: Reach::Slow,
    parts: &[Part {
        labels: &[],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[
            Column::new(
                "buffers_used",
                Desc::gauge("pg_buffercache_summary_buffers_used", "Number of used shared buffers"),
            ),
            Column::new(
                "buffers_unused",
                Desc::gauge(
                    "pg_buffercache_summary_buffers_unused",
                    "Number of unused shared buffers",
                ),
            ),
            Column::new(
                "buffers_dirty",
                Desc::gauge(
                    "pg_buffercache_summary_buffers_dirty",
                    "Number of dirty shared buffers",
                ),
            ),
            Column::new(
                "buffers_pinned",
                Desc::gauge(
                    "pg_buffercache_summary_buffers_pinned",
                    "Number of pinned shared buffers",
                ),
            ),
            Column::new(
                "usagecount_avg",
                Desc::gauge(
                    "pg_buffercache_summary_usagecount_avg",
                    "Average usage count of used shared buffers",
                ),
            )
            .or_absent(),
        ],
    }],
};

pub(super) const DATABASE_WRAPAROUND: CollectorSpec<Instance> = CollectorSpec {
    name: "database_wraparound",
    help: "Age of the oldest transaction of each database",
    enabled_by_default: false,
    build: || Box::new(&DATABASE_WRAPAROUND_VIEW),
};
static DATABASE_WRAPAROUND_VIEW: View = View {
    query: include_str!("database_wraparound.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &["datname"],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[
            Column::new(
                "age_datfrozenxid",
                Desc::gauge(
                    "pg_database_wraparound_age_datfrozenxid_seconds",
                    "Age of the oldest transaction ID that has not been frozen.",
                ),
            ),
            Column::new(
                "age_datminmxid",
                Desc::gauge(
                    "pg_database_wraparound_age_datminmxid_seconds",
                    "Age of the oldest multi-transaction ID that has been replaced with a transaction ID.",
                ),
            ),
        ],
    }],
};

pub(super) const LONG_RUNNING_TRANSACTIONS: CollectorSpec<Instance> = CollectorSpec {
    name: "long_running_transactions",
    help: "Open transactions and the age of the oldest",
    enabled_by_default: false,
    build: || Box::new(&LONG_RUNNING_TRANSACTIONS_VIEW),
};
static LONG_RUNNING_TRANSACTIONS_VIEW: View = View {
    query: include_str!("long_running_transactions.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &[],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[
            Column::new(
                "transactions",
                Desc::gauge(
                    "pg_long_running_transactions",
                    "Current number of long running transactions",
                ),
            ),
            Column::new(
                "age_seconds",
                Desc::gauge(
                    "pg_long_running_transactions_oldest_timestamp_seconds",
                    "The current maximum transaction age in seconds",
                ),
            ),
        ],
    }],
};

pub(super) const POSTMASTER: CollectorSpec<Instance> = CollectorSpec {
    name: "postmaster",
    help: "When the server was started",
    enabled_by_default: false,
    build: || Box::new(&POSTMASTER_VIEW),
};
static POSTMASTER_VIEW: View = View {
    query: include_str!("postmaster.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &[],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[Column::new(
            "start_time_seconds",
            Desc::gauge("pg_postmaster_start_time_seconds", "Time at which postmaster started"),
        )],
    }],
};

pub(super) const REPLICATION_SLOT: CollectorSpec<Instance> = CollectorSpec {
    name: "replication_slot",
    help: "What 0.19 calls replication_slots",
    enabled_by_default: true,
    build: || Box::new(ByCompat { v0_19: &REPLICATION_SLOT_VIEW, v0_20: &REPLICATION_SLOTS_VIEW }),
};
pub(super) const REPLICATION_SLOTS: CollectorSpec<Instance> = CollectorSpec {
    name: "replication_slots",
    help: "Replication slots",
    enabled_by_default: true,
    build: || {
        Box::new(ByCompat { v0_19: &REPLICATION_SLOTS_LEGACY_VIEW, v0_20: &REPLICATION_SLOTS_VIEW })
    },
};
const SAFE_WAL_SIZE: &str = "number of bytes that can be written to WAL such that this slot is not in \
                             danger of getting in state lost";

static REPLICATION_SLOT_VIEW: View = View {
    query: include_str!("replication_slots.sql"),
    reach: Reach::Short,
    parts: &[
        Part {
            labels: &["slot_name", "slot_type"],
            null_label: UNKNOWN,
            legacy: false,
            columns: &[
                Column::new(
                    "current_wal_lsn",
                    Desc::gauge(
                        "pg_replication_slot_slot_current_wal_lsn",
                        "current wal lsn value",
                    ),
                )
                .or_absent(),
                Column::new(
                    "confirmed_flush_lsn",
                    Desc::gauge(
                        "pg_replication_slot_slot_confirmed_flush_lsn",
                        "last lsn confirmed flushed to the replication slot",
                    ),
                )
                .or_absent(),
                Column::new(
                    "active",
                    Desc::gauge(
                        "pg_replication_slot_slot_is_active",
                        "whether the replication slot is active or not",
                    ),
                )
                .or_absent(),
                Column::new(
                    "safe_wal_size",
                    Desc::gauge("pg_replication_slot_safe_wal_size_bytes", SAFE_WAL_SIZE),
                )
                .or_absent(),
            ],
        },
        Part {
            labels: &["slot_name", "slot_type", "wal_status"],
            null_label: UNKNOWN,
            legacy: false,
            columns: &[Column::new(
                "has_wal_status",
                Desc::gauge(
                    "pg_replication_slot_wal_status",
                    "availability of WAL files claimed by this slot",
                ),
            )
            .or_absent()],
        },
    ],
};

pub(super) static REPLICATION_SLOTS_LEGACY_VIEW: View = View {
    query: include_str!("replication_slots.sql"),
    reach: Reach::Short,
    parts: &[REPLICATION_SLOTS_LEGACY],
};

/// What both versions write.
const REPLICATION_SLOTS_LEGACY: Part = Part {
    labels: &["slot_name", "database"],
    null_label: "",
    legacy: true,
    columns: &[
        Column::new(
            "active",
            Desc::gauge("pg_replication_slots_active", "Flag indicating if the slot is active"),
        )
        .or_absent(),
        Column::new(
            "pg_wal_lsn_diff",
            Desc::gauge("pg_replication_slots_pg_wal_lsn_diff", "Replication lag in bytes"),
        )
        .or_absent(),
    ],
};

static REPLICATION_SLOTS_VIEW: View = View {
    query: include_str!("replication_slots.sql"),
    reach: Reach::Short,
    parts: &[
        REPLICATION_SLOTS_LEGACY,
        Part {
            labels: &["slot_name", "slot_type"],
            null_label: UNKNOWN,
            legacy: false,
            columns: &[
                Column::new(
                    "current_wal_lsn",
                    Desc::gauge(
                        "pg_replication_slots_slot_current_wal_lsn",
                        "current wal lsn value",
                    ),
                )
                .or_absent(),
                Column::new(
                    "confirmed_flush_lsn",
                    Desc::gauge(
                        "pg_replication_slots_slot_confirmed_flush_lsn",
                        "last lsn confirmed flushed to the replication slot",
                    ),
                )
                .or_absent(),
                Column::new(
                    "active",
                    Desc::gauge(
                        "pg_replication_slots_slot_is_active",
                        "whether the replication slot is active or not",
                    ),
                )
                .or_absent(),
                Column::new(
                    "safe_wal_size",
                    Desc::gauge("pg_replication_slots_safe_wal_size_bytes", SAFE_WAL_SIZE),
                )
                .or_absent(),
            ],
        },
        Part {
            labels: &["slot_name", "slot_type", "wal_status"],
            null_label: UNKNOWN,
            legacy: false,
            columns: &[Column::new(
                "has_wal_status",
                Desc::gauge(
                    "pg_replication_slots_wal_status",
                    "availability of WAL files claimed by this slot",
                ),
            )
            .or_absent()],
        },
    ],
};

pub(super) const ROLES: CollectorSpec<Instance> = CollectorSpec {
    name: "roles",
    help: "Connection limit of each role",
    enabled_by_default: true,
    build: || Box::new(&ROLES_VIEW),
};
static ROLES_VIEW: View = View {
    query: include_str!("roles.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &["rolname"],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[Column::new(
            "rolconnlimit",
            Desc::gauge("pg_roles_connection_limit", "Connection limit set for the role"),
        )
        .or_absent()],
    }],
};

pub(super) const STAT_ACTIVITY: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_activity",
    help: "Connections by state",
    enabled_by_default: true,
    build: || Box::new(&STAT_ACTIVITY_VIEW),
};
/// A database and state which nobody is in has a row of 0 whose other labels are empty.
pub(super) static STAT_ACTIVITY_VIEW: View = View {
    query: include_str!("stat_activity.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &[
            "datname",
            "state",
            "usename",
            "application_name",
            "backend_type",
            "wait_event_type",
            "wait_event",
        ],
        null_label: "",
        legacy: true,
        columns: &[
            Column::new(
                "count",
                Desc::gauge("pg_stat_activity_count", "number of connections in this state"),
            ),
            Column::new(
                "max_tx_duration",
                Desc::gauge(
                    "pg_stat_activity_max_tx_duration",
                    "max duration in seconds any active transaction has been running",
                ),
            ),
        ],
    }],
};

pub(super) const STAT_ACTIVITY_AUTOVACUUM: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_activity_autovacuum",
    help: "Tables which autovacuum works on",
    enabled_by_default: false,
    build: || Box::new(&STAT_ACTIVITY_AUTOVACUUM_VIEW),
};
static STAT_ACTIVITY_AUTOVACUUM_VIEW: View = View {
    query: include_str!("stat_activity_autovacuum.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &["relname"],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[Column::new(
            "timestamp_seconds",
            Desc::gauge(
                "pg_stat_activity_autovacuum_timestamp_seconds",
                "Start timestamp of the vacuum process in seconds",
            ),
        )
        .or_absent()],
    }],
};

pub(super) const STAT_ARCHIVER: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_archiver",
    help: "WAL archiving",
    enabled_by_default: true,
    build: || Box::new(&STAT_ARCHIVER_VIEW),
};
pub(super) static STAT_ARCHIVER_VIEW: View = View {
    query: include_str!("stat_archiver.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &[],
        null_label: "",
        legacy: true,
        columns: &[
            Column::new(
                "archived_count",
                Desc::counter(
                    "pg_stat_archiver_archived_count",
                    "Number of WAL files that have been successfully archived",
                ),
            )
            .or_absent(),
            Column::new(
                "failed_count",
                Desc::counter(
                    "pg_stat_archiver_failed_count",
                    "Number of failed attempts for archiving WAL files",
                ),
            )
            .or_absent(),
            Column::new(
                "last_archive_age",
                Desc::gauge(
                    "pg_stat_archiver_last_archive_age",
                    "Time in seconds since last WAL segment was successfully archived",
                ),
            )
            .or_absent(),
        ],
    }],
};

pub(super) const STAT_PROGRESS_VACUUM: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_progress_vacuum",
    help: "Progress of running VACUUMs",
    enabled_by_default: true,
    build: || Box::new(&STAT_PROGRESS_VACUUM_VIEW),
};
static STAT_PROGRESS_VACUUM_VIEW: View = View {
    query: include_str!("stat_progress_vacuum.sql"),
    reach: Reach::Short,
    parts: &[
        Part { labels: &["datname", "relname"], null_label: UNKNOWN, legacy: false, columns: &[
    Column::new("phase_0", Desc::gauge("pg_stat_progress_vacuum_phase", "Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.")).with("phase", "initializing"),
    Column::new("phase_1", Desc::gauge("pg_stat_progress_vacuum_phase", "Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.")).with("phase", "scanning heap"),
    Column::new("phase_2", Desc::gauge("pg_stat_progress_vacuum_phase", "Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.")).with("phase", "vacuuming indexes"),
    Column::new("phase_3", Desc::gauge("pg_stat_progress_vacuum_phase", "Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.")).with("phase", "vacuuming heap"),
    Column::new("phase_4", Desc::gauge("pg_stat_progress_vacuum_phase", "Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.")).with("phase", "cleaning up indexes"),
    Column::new("phase_5", Desc::gauge("pg_stat_progress_vacuum_phase", "Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.")).with("phase", "truncating heap"),
    Column::new("phase_6", Desc::gauge("pg_stat_progress_vacuum_phase", "Current vacuum phase (1 = active, 0 = inactive). Label 'phase' is human-readable.")).with("phase", "performing final cleanup"),
    Column::new("heap_blks_total", Desc::gauge("pg_stat_progress_vacuum_heap_blks", "Total number of heap blocks in the table being vacuumed.")),
    Column::new("heap_blks_scanned", Desc::gauge("pg_stat_progress_vacuum_heap_blks_scanned", "Number of heap blocks scanned so far.")),
    Column::new("heap_blks_vacuumed", Desc::gauge("pg_stat_progress_vacuum_heap_blks_vacuumed", "Number of heap blocks vacuumed so far.")),
    Column::new("index_vacuum_count", Desc::gauge("pg_stat_progress_vacuum_index_vacuums", "Number of completed index vacuum cycles.")),
    Column::new("max_dead_tuples", Desc::gauge("pg_stat_progress_vacuum_max_dead_tuples", "Maximum number of dead tuples that can be stored before cleanup is performed.")),
    Column::new("num_dead_tuples", Desc::gauge("pg_stat_progress_vacuum_num_dead_tuples", "Current number of dead tuples found so far.")),
        ] },
    ],
};

pub(super) const STAT_REPLICATION: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_replication",
    help: "Standbys which are connected",
    enabled_by_default: true,
    build: || {
        Box::new(ByCompat { v0_19: &STAT_REPLICATION_LEGACY_VIEW, v0_20: &STAT_REPLICATION_VIEW })
    },
};
static STAT_REPLICATION_VIEW: View = View {
    query: include_str!("stat_replication.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &["application_name", "client_addr", "state", "slot_name"],
        null_label: "",
        legacy: true,
        columns: &[WAL_LSN_BYTES, WAL_LSN_DIFF],
    }],
};

pub(super) static STAT_REPLICATION_LEGACY_VIEW: View = View {
    query: include_str!("stat_replication_0.19.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &["application_name", "client_addr", "state", "slot_name"],
        null_label: "",
        legacy: true,
        columns: &[WAL_LSN_BYTES, WAL_LSN_DIFF, REPLY_TIME],
    }],
};

const WAL_LSN_BYTES: Column = Column::new(
    "pg_current_wal_lsn_bytes",
    Desc::gauge("pg_stat_replication_pg_current_wal_lsn_bytes", "WAL position in bytes"),
)
.or_absent();
const WAL_LSN_DIFF: Column = Column::new(
    "pg_wal_lsn_diff",
    Desc::gauge("pg_stat_replication_pg_wal_lsn_diff", "Lag in bytes between master and slave"),
)
.or_absent();
const REPLY_TIME: Column = Column::new(
    "reply_time",
    Desc::untyped("pg_stat_replication_reply_time", "Unknown metric from pg_stat_replication"),
)
.or_absent();

pub(super) const STAT_WAL_RECEIVER: CollectorSpec<Instance> = CollectorSpec {
    name: "stat_wal_receiver",
    help: "What a standby receives",
    enabled_by_default: false,
    build: || Box::new(&STAT_WAL_RECEIVER_VIEW),
};
static STAT_WAL_RECEIVER_VIEW: View = View {
    query: include_str!("stat_wal_receiver.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &["upstream_host", "slot_name", "status"],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[
            Column::new(
                "receive_start_lsn",
                Desc::counter(
                    "pg_stat_wal_receiver_receive_start_lsn",
                    "First write-ahead log location used when WAL receiver is started represented as a decimal",
                ),
            ),
            Column::new(
                "receive_start_tli",
                Desc::gauge(
                    "pg_stat_wal_receiver_receive_start_tli",
                    "First timeline number used when WAL receiver is started",
                ),
            ),
            Column::new(
                "flushed_lsn",
                Desc::counter(
                    "pg_stat_wal_receiver_flushed_lsn",
                    "Last write-ahead log location already received and flushed to disk, the initial value of this field being the first log location used when WAL receiver is started represented as a decimal",
                ),
            ),
            Column::new(
                "received_tli",
                Desc::gauge(
                    "pg_stat_wal_receiver_received_tli",
                    "Timeline number of last write-ahead log location received and flushed to disk",
                ),
            ),
            Column::new(
                "last_msg_send_time",
                Desc::counter(
                    "pg_stat_wal_receiver_last_msg_send_time",
                    "Send time of last message received from origin WAL sender",
                ),
            ),
            Column::new(
                "last_msg_receipt_time",
                Desc::counter(
                    "pg_stat_wal_receiver_last_msg_receipt_time",
                    "Send time of last message received from origin WAL sender",
                ),
            ),
            Column::new(
                "latest_end_lsn",
                Desc::counter(
                    "pg_stat_wal_receiver_latest_end_lsn",
                    "Last write-ahead log location reported to origin WAL sender as integer",
                ),
            ),
            Column::new(
                "latest_end_time",
                Desc::counter(
                    "pg_stat_wal_receiver_latest_end_time",
                    "Time of last write-ahead log location reported to origin WAL sender",
                ),
            ),
            Column::new(
                "upstream_node",
                Desc::gauge("pg_stat_wal_receiver_upstream_node", "Node ID of the upstream node"),
            )
            .or_absent(),
        ],
    }],
};

pub(super) const STATIO_USER_INDEXES: CollectorSpec<Instance> = CollectorSpec {
    name: "statio_user_indexes",
    help: "Blocks of indexes read and hit",
    enabled_by_default: false,
    build: || {
        Box::new(ByDatabases {
            one: &STATIO_USER_INDEXES_VIEW,
            all: &STATIO_USER_INDEXES_EACH_VIEW,
        })
    },
};
static STATIO_USER_INDEXES_VIEW: View = View {
    query: include_str!("statio_user_indexes.sql"),
    reach: Reach::EachDatabase,
    parts: &[Part {
        labels: &["indexrelname", "relname", "schemaname"],
        null_label: UNKNOWN,
        legacy: false,
        columns: STATIO_USER_INDEXES_COLUMNS,
    }],
};

/// Indexes of several databases need their names.
static STATIO_USER_INDEXES_EACH_VIEW: View = View {
    query: include_str!("statio_user_indexes.sql"),
    reach: Reach::EachDatabase,
    parts: &[Part {
        labels: &["datname", "indexrelname", "relname", "schemaname"],
        null_label: UNKNOWN,
        legacy: false,
        columns: STATIO_USER_INDEXES_COLUMNS,
    }],
};

const STATIO_USER_INDEXES_COLUMNS: &[Column] = &[
    Column::new(
        "idx_blks_read",
        Desc::counter(
            "pg_statio_user_indexes_idx_blks_read_total",
            "Number of disk blocks read from this index",
        ),
    ),
    Column::new(
        "idx_blks_hit",
        Desc::counter(
            "pg_statio_user_indexes_idx_blks_hit_total",
            "Number of buffer hits in this index",
        ),
    ),
];

pub(super) const STATIO_USER_TABLES: CollectorSpec<Instance> = CollectorSpec {
    name: "statio_user_tables",
    help: "Blocks of tables read and hit",
    enabled_by_default: true,
    build: || Box::new(&STATIO_USER_TABLES_VIEW),
};
static STATIO_USER_TABLES_VIEW: View = View {
    query: include_str!("statio_user_tables.sql"),
    reach: Reach::EachDatabase,
    parts: &[Part {
        labels: &["datname", "relname", "schemaname"],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[
            Column::new(
                "heap_blks_read",
                Desc::counter(
                    "pg_statio_user_tables_heap_blocks_read",
                    "Number of disk blocks read from this table",
                ),
            ),
            Column::new(
                "heap_blks_hit",
                Desc::counter(
                    "pg_statio_user_tables_heap_blocks_hit",
                    "Number of buffer hits in this table",
                ),
            ),
            Column::new(
                "idx_blks_read",
                Desc::counter(
                    "pg_statio_user_tables_idx_blocks_read",
                    "Number of disk blocks read from all indexes on this table",
                ),
            ),
            Column::new(
                "idx_blks_hit",
                Desc::counter(
                    "pg_statio_user_tables_idx_blocks_hit",
                    "Number of buffer hits in all indexes on this table",
                ),
            ),
            Column::new(
                "toast_blks_read",
                Desc::counter(
                    "pg_statio_user_tables_toast_blocks_read",
                    "Number of disk blocks read from this table's TOAST table (if any)",
                ),
            ),
            Column::new(
                "toast_blks_hit",
                Desc::counter(
                    "pg_statio_user_tables_toast_blocks_hit",
                    "Number of buffer hits in this table's TOAST table (if any)",
                ),
            ),
            Column::new(
                "tidx_blks_read",
                Desc::counter(
                    "pg_statio_user_tables_tidx_blocks_read",
                    "Number of disk blocks read from this table's TOAST table indexes (if any)",
                ),
            ),
            Column::new(
                "tidx_blks_hit",
                Desc::counter(
                    "pg_statio_user_tables_tidx_blocks_hit",
                    "Number of buffer hits in this table's TOAST table indexes (if any)",
                ),
            ),
        ],
    }],
};

pub(super) const WAL: CollectorSpec<Instance> = CollectorSpec {
    name: "wal",
    help: "Files of the write-ahead log",
    enabled_by_default: true,
    build: || Box::new(&WAL_VIEW),
};
static WAL_VIEW: View = View {
    query: include_str!("wal.sql"),
    reach: Reach::Slow,
    parts: &[Part {
        labels: &[],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[
            Column::new("segments", Desc::gauge("pg_wal_segments", "Number of WAL segments")),
            Column::new("size", Desc::gauge("pg_wal_size_bytes", "Total size of WAL segments"))
                .or_absent(),
        ],
    }],
};

pub(super) const XLOG_LOCATION: CollectorSpec<Instance> = CollectorSpec {
    name: "xlog_location",
    help: "Position in the log, of servers before version 10",
    enabled_by_default: false,
    build: || Box::new(&XLOG_LOCATION_VIEW),
};
static XLOG_LOCATION_VIEW: View = View {
    query: include_str!("xlog_location.sql"),
    reach: Reach::Short,
    parts: &[Part {
        labels: &[],
        null_label: UNKNOWN,
        legacy: false,
        columns: &[Column::new(
            "bytes",
            Desc::gauge(
                "pg_xlog_location_bytes",
                "Postgres LSN (log sequence number) being generated on primary or replayed on replica (truncated to low 52 bits)",
            ),
        )],
    }],
};

#[cfg(test)]
mod tests;
