# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title A token to play with
@license Apache-2.0
@notice Stands for DAI or USDC on a development chain. Anybody mints any number.
"""


# Tokens changed hands; from the empty address they were minted.
event Transfer:
    sender: indexed(address)
    receiver: indexed(address)
    value: uint256


# The owner lets the spender move so many of its tokens.
event Approval:
    owner: indexed(address)
    spender: indexed(address)
    value: uint256


name: public(String[64])
symbol: public(String[16])
decimals: public(uint8)
totalSupply: public(uint256)
balanceOf: public(HashMap[address, uint256])
allowance: public(HashMap[address, HashMap[address, uint256]])


@deploy
def __init__(name: String[64], symbol: String[16], decimals: uint8):
    """
    @notice Found the token.
    @param name Its name
    @param symbol Its symbol
    @param decimals Of a whole token
    """
    self.name = name
    self.symbol = symbol
    self.decimals = decimals


@external
def mint(receiver: address, amount: uint256):
    """
    @notice Mint tokens out of nothing. Anybody.
    @param receiver Whose they are
    @param amount How many, in smallest units
    """
    self.totalSupply += amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Send tokens of your own.
    @param receiver Who gets them
    @param amount How many, in smallest units
    @return Always true; otherwise the call reverts
    """
    self._move(msg.sender, receiver, amount)
    return True


@external
def transferFrom(owner: address, receiver: address, amount: uint256) -> bool:
    """
    @notice Send somebody's tokens that you may move.
    @param owner Whose they are
    @param receiver Who gets them
    @param amount How many, in smallest units
    @return Always true; otherwise the call reverts
    """
    self.allowance[owner][msg.sender] -= amount
    self._move(owner, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let somebody move tokens of yours.
    @param spender Who may
    @param amount How many, in smallest units
    @return Always true
    """
    self.allowance[msg.sender][spender] = amount
    log Approval(owner=msg.sender, spender=spender, value=amount)
    return True


@internal
def _move(owner: address, receiver: address, amount: uint256):
    """
    @notice Move tokens between two holders.
    """
    assert self.balanceOf[owner] >= amount, "not enough tokens"
    self.balanceOf[owner] -= amount
    self.balanceOf[receiver] += amount
    log Transfer(sender=owner, receiver=receiver, value=amount)
