SELECT r.in_recovery AS is_replica,
       CASE WHEN r.in_recovery AND r.received IS DISTINCT FROM r.replayed THEN r.age ELSE 0 END AS lag_seconds,
       r.age AS last_replay_seconds
FROM (
    SELECT pg_is_in_recovery() AS in_recovery,
           pg_last_wal_receive_lsn() AS received,
           pg_last_wal_replay_lsn() AS replayed,
           greatest(0, extract(epoch FROM now() - pg_last_xact_replay_timestamp())) AS age
) AS r
