"""Benchmarks, each beside its baseline in the same run. See docs/benchmarks.md."""
