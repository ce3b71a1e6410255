"""Stateful counterparts of the outside services, for the demo and for tests.

They speak the same HTTP as the real ones (paths under a prefix per service), keep their state in
SQLite, and call the product back like the real ones do: late, twice, out of order or never when
told to. They know nothing of the product: no module here imports from its packages.
"""
