-- How long the client may be silent within this transaction before the server disconnects it.
select set_config('idle_in_transaction_session_timeout', %(time)s, true)
