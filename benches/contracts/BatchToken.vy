# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title A token that is minted to each holder, alone or many at once
@license Apache-2.0
@notice The baselines of `script/bench chain`: minting without a tree, as cheaply as an ERC-20 can.
"""


event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


MINTER: immutable(address)

totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])


@deploy
def __init__():
    MINTER = msg.sender


@external
def mint(receiver: address, amount: uint256):
    """
    @notice Mint to one holder.
    """
    assert msg.sender == MINTER
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@external
def mint_many(receivers: DynArray[address, 500], amounts: DynArray[uint256, 500]):
    """
    @notice Mint to up to 500 holders; the supply is written once.
    """
    assert msg.sender == MINTER
    assert len(receivers) == len(amounts)
    total: uint256 = 0
    for place: uint256 in range(len(receivers), bound=500):
        receiver: address = receivers[place]
        amount: uint256 = amounts[place]
        total += amount
        self.balanceOf[receiver] += amount
        log Transfer(sender=empty(address), receiver=receiver, value=amount)
    self.totalSupply += total
