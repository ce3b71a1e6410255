"""Embedded PostgreSQL, Valkey and dev chain; the supervisor of script/server. No Django."""
