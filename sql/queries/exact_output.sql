-- Write times and numbers in full and in one format, to the end of the transaction, regardless of the server's
-- defaults.
select set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true),
       set_config('extra_float_digits', '3', true)
