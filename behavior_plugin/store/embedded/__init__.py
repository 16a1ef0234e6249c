"""The Postgres that comes with us: its programs, its data, the account it runs as, its process."""
