"""Where news goes: one file per destination, with a pure `render` and a `send` through the client it is given.

A destination knows no table, no schedule and no retry: it turns one dispatch into one message and one message into one
answer. Raises nothing for what the world does wrong: an answer says it.
"""
