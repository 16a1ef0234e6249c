"""The hook-safe package, which a hook process runs: standard library only, valid on Python 3.9.

A hook starts on every prompt and tool call, and starting is its cost: modules are imported where they are needed.
"""
