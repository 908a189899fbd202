"""Every SQL statement of scoring, as functions over many ids; takes the transaction, returns domain values."""
