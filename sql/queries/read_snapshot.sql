-- See the rows as they are now to the end of the transaction, regardless of concurrent writes.
set transaction isolation level repeatable read
