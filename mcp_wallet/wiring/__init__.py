"""Settings to objects: the only place that picks adapters."""
