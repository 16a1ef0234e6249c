-- Have times and numbers written in full and in one way, to the transaction's end, whatever the server's own way is.
select set_config('timezone', 'UTC', true), set_config('datestyle', 'ISO', true),
       set_config('extra_float_digits', '3', true)
