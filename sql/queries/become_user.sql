-- Give up every right but a user's, to the transaction's end. Who the user is follows from the login; it is put into
-- the claims for those who ask there: the policies of a table that is not ours. Dates come as the program reads them,
-- whatever the database, or the shell of whoever started us, has as its own. A client that is silent is given up: the
-- server does not see that a network is gone, and would keep its locks for hours.
select set_config('role', 'authenticated', true),
       set_config('request.jwt.claims',
                  json_build_object('role', 'authenticated', 'sub', behavior.caller())::text, true),
       set_config('datestyle', 'ISO', true),
       set_config('idle_in_transaction_session_timeout', '10s', true)
