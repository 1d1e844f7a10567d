SELECT pid, phase, backup_total, backup_streamed, tablespaces_total, tablespaces_streamed
FROM pg_stat_progress_basebackup
