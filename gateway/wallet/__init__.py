"""A holder's pages: signing in with a wallet, a donor's donations, one leaf's proof, claiming."""
