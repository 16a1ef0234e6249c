"""Looking after a database: backup, move, rollback, index, checks."""
