# pragma version 0.4.3
"""
@title A token whose transfer answers false and moves nothing, instead of reverting
@license Apache-2.0
"""

balanceOf: public(HashMap[address, uint256])


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def transfer(receiver: address, amount: uint256) -> bool:
    return False
