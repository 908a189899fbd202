"""The console: the one screen both teams share.

It owns read models, users, sessions and keys, and no step of the loop.
"""
