SELECT pg_is_in_recovery() AS in_recovery,
       current_setting('server_version_num') AS version_num,
       version() AS version,
       current_database() AS database,
       has_function_privilege('pg_ls_waldir()', 'EXECUTE') AS may_list_wal,
       (SELECT string_agg(e.extname || '=' || quote_ident(n.nspname), E'\n')
        FROM pg_extension AS e
        JOIN pg_namespace AS n ON n.oid = e.extnamespace) AS extensions
