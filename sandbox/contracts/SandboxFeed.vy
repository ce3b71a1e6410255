# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title A price feed to play with
@license Apache-2.0
@notice Answers like a price feed of Chainlink (AggregatorV3). Anybody sets the price.
"""

description: public(String[64])
decimals: public(uint8)

_round: uint80
_answer: int256
_updated_at: uint256


@deploy
def __init__(description: String[64], decimals: uint8, answer: int256):
    """
    @notice Found the feed with its first round.
    @param description What it prices, as "ETH / USD"
    @param decimals Of the answer
    @param answer The first price, in smallest units
    """
    self.description = description
    self.decimals = decimals
    self._set(answer, block.timestamp)


@external
def set_answer(answer: int256):
    """
    @notice Tell a price as of now: a new round. Anybody.
    @param answer The price, in smallest units
    """
    self._set(answer, block.timestamp)


@external
def set_round(answer: int256, updated_at: uint256):
    """
    @notice Tell a price as of some instant (old ones too): a new round. Anybody.
    @param answer The price, in smallest units
    @param updated_at Seconds since 1970
    """
    self._set(answer, updated_at)


@external
@view
def version() -> uint256:
    """
    @notice The version of the interface.
    """
    return 4


@external
@view
def latestRoundData() -> (uint80, int256, uint256, uint256, uint80):
    """
    @notice The last round.
    @return Its number, price, start and end (seconds since 1970), and number once more
    """
    return self._round, self._answer, self._updated_at, self._updated_at, self._round


@internal
def _set(answer: int256, updated_at: uint256):
    """
    @notice Begin a round.
    """
    self._round += 1
    self._answer = answer
    self._updated_at = updated_at
