-- Exclude the other workers of the same user until the end of the transaction: they would compute the same patterns from
-- other evidence.
select pg_advisory_xact_lock(hashtextextended('behavior evidence ' || (select behavior.caller()), 0))
