# pragma version 0.4.3
"""
@title A token that calls the forwarder again while it is flushed
@license Apache-2.0
"""

interface Forwarder:
    def flush(token: address) -> uint256: nonpayable


balanceOf: public(HashMap[address, uint256])


@external
def mint(receiver: address, amount: uint256):
    self.balanceOf[receiver] += amount


@external
def transfer(receiver: address, amount: uint256) -> bool:
    self.balanceOf[msg.sender] -= amount
    self.balanceOf[receiver] += amount
    extcall Forwarder(msg.sender).flush(empty(address))
    extcall Forwarder(msg.sender).flush(self)
    return True
