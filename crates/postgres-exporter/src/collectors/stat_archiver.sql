SELECT archived_count,
       failed_count,
       CASE WHEN last_archived_time IS NOT NULL
           THEN greatest(0, extract(epoch FROM now() - last_archived_time))
       END AS last_archive_age
FROM pg_stat_archiver
