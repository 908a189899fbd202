"""Kafka in and out: batches into one transaction each, the outbox and its relay, and the one producer."""
