-- See the rows as they are now, to the end of the transaction, whatever is written meanwhile.
set transaction isolation level repeatable read
