"""After the spending: reports, reconciliation with the vendors' bills, the FOCUS export; read from what the sinks wrote."""
