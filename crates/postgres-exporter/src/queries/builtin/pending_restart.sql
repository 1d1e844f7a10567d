SELECT name, 1 AS pending FROM pg_settings WHERE pending_restart
