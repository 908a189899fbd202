"""Ingest: what happened, and to whom. Owns sources, identities, profiles, consent and suppression."""
