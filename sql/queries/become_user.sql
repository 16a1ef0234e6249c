-- Give up every right but a user's, to the transaction's end; who the user is follows from the login.
select set_config('role', 'authenticated', true)
