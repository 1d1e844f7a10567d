-- Standbys without a slot which are otherwise alike are told apart by their process.
SELECT r.application_name,
       r.client_addr::text AS client_addr,
       r.state,
       coalesce(
           s.slot_name::text,
           CASE
               WHEN count(*) OVER (PARTITION BY r.application_name, r.client_addr, r.state, s.slot_name) > 1
               THEN r.pid::text
           END
       ) AS slot_name,
       CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() - '0/0' END AS pg_current_wal_lsn_bytes,
       CASE WHEN NOT pg_is_in_recovery() THEN pg_current_wal_lsn() - r.replay_lsn END AS pg_wal_lsn_diff
FROM pg_stat_replication AS r
LEFT JOIN pg_replication_slots AS s ON s.active_pid = r.pid
