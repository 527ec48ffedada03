"""
Dashboards, recording rules and alerts, and the code that makes them.

`python -m grafana.generate` writes `dashboards/*.json` and `rules/*.yaml`; what is committed is what it writes.
Inside the installed package the same files are `tracked_inference.grafana`.
"""
