"""Embedded PostgreSQL and Valkey, and the supervisor of script/server. Imports no Django."""
