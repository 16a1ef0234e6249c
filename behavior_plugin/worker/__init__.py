"""The worker: one background process, alive only while a session is. It owns everything heavy.

lock.py      one at a time
main.py      its life: start, loop, end
inbox.py     the spool's other end: records by session
session.py   a session that waits, and whether it is live or over
dead.py      what could not be read or learned from
watch.py     the hint that something has arrived
learner.py   makes patterns of the sessions that are over
transcripts.py  opens what the client itself has written of a session
upkeep.py    bounds, and whether the worker is still the right one (code.py)
engines.py   the store and the embedder, opened, kept and opened again
desk.py      what it answers when asked
listener.py  the socket it is asked on
client.py    how the commands ask it
"""

# The sessions that `behavior doctor` plays begin so.
PROBE = "behavior-doctor-"
# What a worker returns that is to be started anew, with the code that is there now.
RESTART = -1
# What the state tells of a store that is not open.
NOT_OPEN = "not open"
