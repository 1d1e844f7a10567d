SELECT count(*) AS count FROM pg_settings WHERE pending_restart
