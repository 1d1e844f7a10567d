SELECT extract(epoch FROM pg_postmaster_start_time()) AS start_time_seconds
