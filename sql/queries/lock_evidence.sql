-- Exclude the other workers of the same user until the end of the transaction: they would compute the same patterns from
-- other evidence. Between two queries the worker may read thousands of episodes, for longer than other transactions may
-- be silent.
select pg_advisory_xact_lock(hashtextextended('behavior evidence ' || (select behavior.caller()), 0)),
       set_config('idle_in_transaction_session_timeout', '120s', true)
