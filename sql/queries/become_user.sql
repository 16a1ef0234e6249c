-- Give up all rights but a user's, to the end of the transaction. The login decides who the user is; the claims repeat
-- it for the policies of a table that is not ours. Dates come in the format that the program reads, whatever the
-- defaults of the database, or of the shell that started us. A client that falls silent is dropped: the server does not
-- notice that a network is gone, and would hold its locks for hours.
select set_config('role', 'authenticated', true),
       set_config('request.jwt.claims',
                  json_build_object('role', 'authenticated', 'sub', behavior.caller())::text, true),
       set_config('datestyle', 'ISO', true),
       set_config('idle_in_transaction_session_timeout', '10s', true)
