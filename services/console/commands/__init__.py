"""What the console asks of the services that own the state: commands, names, explanations, forwarded routes."""
