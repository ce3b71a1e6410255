# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Deposit forwarder
@license Apache-2.0
@notice An address to pay to. What comes goes on to the treasury and nowhere else; anybody may
        send it on.
@dev Runs behind minimal proxies (EIP-1167), one per payer, made by the factory. The treasury is
     in this code, so a proxy keeps nothing. Where a proxy stands, a sender that allows 2,300 gas
     only (`transfer` of Solidity) is refused by the EVM, and keeps its money.
"""

interface Erc20:
    def balanceOf(owner: address) -> uint256: view
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable


# Native currency came.
event Received:
    sender: indexed(address)
    amount: uint256


# So much went to the treasury; the empty token is the native currency.
event Flushed:
    token: indexed(address)
    amount: uint256


_TREASURY: immutable(address)


@deploy
def __init__(treasury: address):
    """
    @notice Deploy the code that forwarders run.
    @param treasury Where everything goes, for ever
    """
    assert treasury != empty(address), "no treasury"
    _TREASURY = treasury


@external
@payable
def __default__():
    """
    @notice Take native currency.
    """
    assert len(msg.data) == 0, "no such function"
    log Received(sender=msg.sender, amount=msg.value)


@external
def flush(token: address) -> uint256:
    """
    @notice Send everything of one asset to the treasury. Anybody.
    @param token An ERC-20, also one that returns nothing; empty: the native currency
    @return How much went (smallest units); 0 if there was nothing
    """
    amount: uint256 = 0
    if token == empty(address):
        amount = self.balance
        if amount > 0:
            raw_call(_TREASURY, b"", value=amount)
    else:
        amount = staticcall Erc20(token).balanceOf(self)
        if amount > 0:
            assert extcall Erc20(token).transfer(
                _TREASURY, amount, default_return_value=True
            ), "not moved"
    if amount > 0:
        log Flushed(token=token, amount=amount)
    return amount


@external
@view
def treasury() -> address:
    """
    @notice Where everything goes.
    """
    return _TREASURY
