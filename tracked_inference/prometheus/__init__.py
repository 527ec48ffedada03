"""What Prometheus knows of what was spent: asking a store, and the one query that says how much a counter grew."""
