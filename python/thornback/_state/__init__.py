"""What a session is doing: the node's answers as the rows that `thornback.util.state` shows.

Modules: `source` asks the session of this process or another one; `query` checks filters and
limits; `rows` makes rows of Ray's columns; `lists` gives lists, single things and counts; `logs`
finds and reads log files; `timeline` makes a Chrome trace.
"""
