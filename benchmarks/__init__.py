"""Programs that measure; each prints one table and is run by hand."""
