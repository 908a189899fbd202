"""Property tests of scoring."""
