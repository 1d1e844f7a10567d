-- What a slot keeps is counted from what this server has written, or as a standby has received.
WITH position (lsn) AS (
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END
)
SELECT s.slot_name,
       s.slot_type,
       s.database,
       s.active,
       p.lsn - s.restart_lsn AS pg_wal_lsn_diff,
       p.lsn - '0/0' AS current_wal_lsn,
       CASE WHEN s.active THEN coalesce(s.confirmed_flush_lsn, '0/0') - '0/0' END AS confirmed_flush_lsn,
       s.safe_wal_size,
       s.wal_status,
       CASE WHEN s.wal_status IS NOT NULL THEN 1 END AS has_wal_status
FROM pg_replication_slots AS s
CROSS JOIN position AS p
