"""Every SQL statement of the console, by what it is about. Functions take a transaction and never commit."""
