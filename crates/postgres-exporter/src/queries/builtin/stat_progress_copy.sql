SELECT datname, relid::bigint AS relid, command, type, pid,
       bytes_processed, bytes_total, tuples_processed, tuples_excluded
FROM pg_stat_progress_copy
