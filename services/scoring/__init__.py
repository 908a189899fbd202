"""Scoring: is a lead or an account worth a salesperson's time, by the agreement in force."""
