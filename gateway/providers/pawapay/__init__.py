"""pawaPay v2: one aggregator for the mobile money of many countries."""
