SELECT * FROM pg_stat_database_conflicts
