"""Every SQL statement of ingest, as functions over many ids: a transaction in, domain values out, no commit.

One array per column through `unnest`: one prepared statement for any size of batch.
"""
