"""Who takes a qualified lead, and by when: handoffs, clocks, routing, reps, calendars, dispatches."""
