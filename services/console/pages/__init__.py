"""The pages: HTML, fragments and the stream of changes.

Each reads the read model and draws; none decides for the loop.
"""
