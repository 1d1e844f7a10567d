SELECT archived_count,
       failed_count,
       extract(epoch FROM now() - last_archived_time) AS last_archive_age
FROM pg_stat_archiver
