-- In 0.19 the label `slot_name` holds the process.
SELECT application_name,
       client_addr,
       state,
       pid AS slot_name,
       extract(epoch FROM reply_time) AS reply_time,
       CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() - '0/0' END AS pg_current_wal_lsn_bytes,
       CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() - replay_lsn END AS pg_wal_lsn_diff
FROM pg_stat_replication
