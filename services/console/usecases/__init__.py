"""What the console does with its own state: fold events into the read model, prove people and keys, keep users."""
