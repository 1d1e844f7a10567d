-- What a query of ours sets for itself has the source `session`: then the value that a session
-- begins with is told. Our transactions are read only whatever the server's default.
SELECT name,
       CASE
           WHEN name = 'transaction_read_only' THEN
               CASE
                   WHEN pg_is_in_recovery() THEN 'on'
                   ELSE current_setting('default_transaction_read_only')
               END
           WHEN source = 'session' THEN reset_val
           ELSE setting
       END AS setting,
       unit,
       vartype
FROM pg_settings
WHERE vartype IN ('bool', 'integer', 'real')
  -- Two forks have settings whose type is not that of their value.
  AND name NOT IN ('sync_commit_cancel_wait', 'google_dataplex.max_messages')
