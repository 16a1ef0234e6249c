-- See the rows as they are now, to the transaction's end, whatever is written meanwhile.
set transaction isolation level repeatable read
