"""A session's events become patterns. Pure: no clock, disk, network or environment."""
