-- See all users' rows, to the end of the transaction. A login that row level security applies to gets an error, not a
-- subset.
select set_config('row_security', 'off', true)
