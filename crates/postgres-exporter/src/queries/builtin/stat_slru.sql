SELECT name, blks_zeroed, blks_hit, blks_read, blks_written, blks_exists, flushes, truncates
FROM pg_stat_slru
