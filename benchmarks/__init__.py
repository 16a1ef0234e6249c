"""Benchmarks, run by hand; each prints its tables."""
