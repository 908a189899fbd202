"""Tests of who is who across ingest, scoring and handoff."""
