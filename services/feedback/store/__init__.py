"""Every SQL statement of feedback, as functions over many ids; they take a transaction and never commit."""
