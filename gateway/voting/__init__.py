"""Pages of votes: what a round is about, voting as a donor, proposing, and its published count."""
