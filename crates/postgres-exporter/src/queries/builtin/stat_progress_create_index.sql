SELECT datname,
       relid::bigint AS relid,
       command,
       phase,
       lockers_total, lockers_done, blocks_total, blocks_done, tuples_total, tuples_done
FROM pg_stat_progress_create_index
