"""The worker: one background process, alive only while a session is. It owns everything heavy.

lifecycle.py        starts, replaces, stops and kills it: one at a time
main.py             its main loop
links.py            links in the data folder, which are refused
inbox.py            the spool's other end: records by session
pending_session.py  a session that waits, and whether it is live or over
dead_letters.py     events that could not be learned from
watch.py            the hint that a record has arrived
learner.py          makes evidence of the sessions that are over, and patterns of that
housekeeping.py     limits, and whether the worker should restart
renewal.py          makes vectors anew, if another model is wanted
resources.py        the store and the embedder, opened, and opened again after a failure
troubles.py         the worst problem, for the start of the next session
service.py          the operations of `api`
answers.py          the answers to hooks: to prompts and failed calls
decision_log.py     why each prompt got a note or none
decisions.py        the file of these decisions
requests.py         patterns, projects and directories that a request names
turn_rows.py        turns, in the shape of patterns
routes.py           HTTP paths, handshake, JSON
handshake.py        whose version and settings a request comes from
listener.py         HTTP over a Unix socket
legacy.py           the requests of the hooks of version 0.1
exchange.py         one HTTP request and its answer, from the caller's side
client.py           the operations of `api`, for commands
"""

# The ids of sessions that `behavior doctor` plays begin with this.
PROBE = "behavior-doctor-"
# The exit status of a worker that is to be started again, with the code that is there now.
RESTART = -1
# The `store` of a status while no store is open.
NOT_OPEN = "not open"
# The number of decisions on prompts that are kept.
MAX_DECISIONS = 100
