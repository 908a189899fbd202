"""Every SQL statement of handoff, as functions over many ids; they take a transaction and never commit."""
