"""Kafka and PostgreSQL as child processes of this machine, for `baton up` and for the tests.

Owns how they are found, started, watched and ended; knows nothing of what is stored in them.
"""
