SELECT datname, relid::bigint AS relid, command, phase,
       heap_tuples_scanned, heap_tuples_written, heap_blks_total, heap_blks_scanned, index_rebuild_count
FROM pg_stat_progress_cluster
