"""Ingest's rules as pure functions: bodies, observations, identity, activities, machine activity, consent, accounts."""
