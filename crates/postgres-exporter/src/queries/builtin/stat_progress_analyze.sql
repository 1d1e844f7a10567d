SELECT datname, relid::bigint AS relid, phase, sample_blks_total, sample_blks_scanned
FROM pg_stat_progress_analyze
