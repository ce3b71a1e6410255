"""The chain: our contracts, the node, what we send and what we receive."""

import sys

_limit = sys.getrecursionlimit()
import py_ecc  # noqa: E402, F401  (web3 imports it, and it sets the limit to 100,000)

# So many Python frames overflow the C stack: a deeply nested JSON body would end the process.
sys.setrecursionlimit(_limit)
