SELECT pg_is_in_recovery() AS in_recovery,
       current_setting('server_version_num') AS version_num,
       version() AS version
