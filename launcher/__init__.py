"""Embedded PostgreSQL, Valkey and dev chain, and the supervisor of script/server. Imports no Django."""
