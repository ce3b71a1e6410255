"""The chain: our contracts, the node, what we send and what we receive."""
