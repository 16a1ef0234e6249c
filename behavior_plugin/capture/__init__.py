"""The light room: what a hook process runs. Standard library only, valid on Python 3.9.

It is started on every prompt and tool call, so starting is the cost: modules are imported where they are needed.
"""
