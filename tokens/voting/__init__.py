"""Votes on a site's grant pool: rounds, proposals, ballots, and how they are counted.

houses, equal_shares, most_votes and counting are pure: they know neither rows nor the clock.
"""
