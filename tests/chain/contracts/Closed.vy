# pragma version 0.4.3
"""
@title A contract that takes no native currency
@license Apache-2.0
"""


@external
@view
def answer() -> uint256:
    return 42
