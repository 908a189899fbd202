"""Integration tests of scoring."""
