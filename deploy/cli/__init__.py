"""The `baton` command: talks HTTP to services or starts them as processes, and imports none of them."""
