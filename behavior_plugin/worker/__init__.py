"""The worker: one background process, alive only while a session is. It owns everything heavy.

main.py      its life: one at a time, start, loop, end
inbox.py     the spool's other end: records by session, dead letters
learner.py   makes patterns of the sessions that are over
engines.py   the store and the embedder, opened, kept and opened again
desk.py      what it answers when asked
listener.py  the socket it is asked on
client.py    how the commands ask it
"""

# The sessions that `behavior doctor` plays begin so.
PROBE = "behavior-doctor-"
# What the state tells of a store that is not open.
NOT_OPEN = "not open"
