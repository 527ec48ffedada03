"""Where records go: metrics, log, ledger. Each is a callable that takes a `CallRecord`."""
