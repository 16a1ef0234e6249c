-- Give up all rights but a user's, to the end of the transaction. The login decides which user; the claims repeat it
-- for the policies of another program's table. Dates have the format that the program reads, regardless of the defaults
-- of the database or the shell. A client that is silent within the transaction is disconnected: the server does not
-- notice a lost network, and would hold the client's locks for hours.
select set_config('role', 'authenticated', true),
       set_config('request.jwt.claims',
                  json_build_object('role', 'authenticated', 'sub', behavior.caller())::text, true),
       set_config('datestyle', 'ISO', true),
       set_config('idle_in_transaction_session_timeout', '10s', true)
