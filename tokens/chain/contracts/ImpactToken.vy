# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Impact token of one solar mini-grid
@license Apache-2.0
@notice Stands for energy that a mini-grid delivered. Only its ledger mints, for ever; nobody
        administers it, pauses it or burns it. ERC-20 with permit (EIP-2612).
@dev Deployed before its ledger, whose address is known by then: the ledger refuses a token that
     names another minter.
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


_VERSION: constant(String[1]) = "1"
_DOMAIN_TYPE: constant(bytes32) = keccak256(
    "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
)
_PERMIT_TYPE: constant(bytes32) = keccak256(
    "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
)
# Half of the curve's order: of the two signatures that say the same, only the lower is taken.
_HIGHEST_S: constant(uint256) = (
    57896044618658097711785492504343953926418782139537452191302581570759080747168
)

_NAME: immutable(String[64])
_SYMBOL: immutable(String[16])
_MINTER: immutable(address)
_FIRST_CHAIN_ID: immutable(uint256)
_FIRST_DOMAIN: immutable(bytes32)

_supply: uint256
_balances: HashMap[address, uint256]
_allowances: HashMap[address, HashMap[address, uint256]]
_nonces: HashMap[address, uint256]


@deploy
def __init__(name: String[64], symbol: String[16], minter: address):
    """
    @notice Found the token.
    @param name Its name
    @param symbol Its symbol
    @param minter Who may mint, for ever: the site's ledger
    """
    assert minter != empty(address), "no minter"
    _NAME = name
    _SYMBOL = symbol
    _MINTER = minter
    _FIRST_CHAIN_ID = chain.id
    _FIRST_DOMAIN = self._domain(name)


@external
def mint(receiver: address, amount: uint256):
    """
    @notice Mint tokens. Only the minter.
    @param receiver Whose they are
    @param amount How many (10^-18)
    """
    assert msg.sender == _MINTER, "only the minter"
    assert receiver != empty(address), "no receiver"
    self._supply += amount
    self._balances[receiver] += amount
    log Transfer(sender=empty(address), receiver=receiver, value=amount)


@external
def transfer(receiver: address, amount: uint256) -> bool:
    """
    @notice Send tokens of your own.
    @param receiver Who gets them
    @param amount How many (10^-18)
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
    @param amount How many (10^-18)
    @return Always true; otherwise the call reverts
    """
    allowed: uint256 = self._allowances[owner][msg.sender]
    if allowed != max_value(uint256):
        assert allowed >= amount, "not allowed"
        self._approve(owner, msg.sender, allowed - amount)
    self._move(owner, receiver, amount)
    return True


@external
def approve(spender: address, amount: uint256) -> bool:
    """
    @notice Let somebody move tokens of yours; replaces what was allowed before.
    @param spender Who may
    @param amount How many (10^-18); 2^256 - 1: any number, for ever
    @return Always true; otherwise the call reverts
    """
    self._approve(msg.sender, spender, amount)
    return True


@external
def permit(
    owner: address,
    spender: address,
    amount: uint256,
    deadline: uint256,
    v: uint8,
    r: bytes32,
    s: bytes32,
):
    """
    @notice Approve by the owner's signature (EIP-2612). Anybody may bring it, once.
    @param owner Who signed
    @param spender Who may move the owner's tokens
    @param amount How many (10^-18)
    @param deadline Until when (seconds since 1970) the signature counts
    @param v Of the signature
    @param r Of the signature
    @param s Of the signature
    """
    assert block.timestamp <= deadline, "expired"
    assert convert(s, uint256) <= _HIGHEST_S, "not signed by the owner"
    nonce: uint256 = self._nonces[owner]
    digest: bytes32 = keccak256(
        concat(
            0x1901,
            self._current_domain(),
            keccak256(abi_encode(_PERMIT_TYPE, owner, spender, amount, nonce, deadline)),
        )
    )
    signer: address = ecrecover(digest, v, r, s)
    assert signer != empty(address) and signer == owner, "not signed by the owner"
    self._nonces[owner] = nonce + 1
    self._approve(owner, spender, amount)


# Views


@external
@view
def name() -> String[64]:
    """
    @notice The token's name.
    """
    return _NAME


@external
@view
def symbol() -> String[16]:
    """
    @notice The token's symbol.
    """
    return _SYMBOL


@external
@view
def decimals() -> uint8:
    """
    @notice Decimals of a whole token.
    """
    return 18


@external
@view
def minter() -> address:
    """
    @notice Who may mint, for ever.
    """
    return _MINTER


@external
@view
def totalSupply() -> uint256:
    """
    @notice Tokens (10^-18) that were ever minted.
    """
    return self._supply


@external
@view
def balanceOf(owner: address) -> uint256:
    """
    @notice Tokens (10^-18) that somebody has.
    @param owner Who
    """
    return self._balances[owner]


@external
@view
def allowance(owner: address, spender: address) -> uint256:
    """
    @notice Tokens (10^-18) of the owner that the spender may move.
    @param owner Whose they are
    @param spender Who may
    """
    return self._allowances[owner][spender]


@external
@view
def nonces(owner: address) -> uint256:
    """
    @notice Permits of the owner that were used: the number of the next.
    @param owner Who signs
    """
    return self._nonces[owner]


@external
@view
def DOMAIN_SEPARATOR() -> bytes32:
    """
    @notice The domain of permits (EIP-712) on this chain.
    """
    return self._current_domain()


# Inside


@internal
def _move(owner: address, receiver: address, amount: uint256):
    """
    @notice Move tokens between two holders.
    """
    assert receiver != empty(address), "no receiver"
    balance: uint256 = self._balances[owner]
    assert balance >= amount, "not enough tokens"
    self._balances[owner] = balance - amount
    self._balances[receiver] += amount
    log Transfer(sender=owner, receiver=receiver, value=amount)


@internal
def _approve(owner: address, spender: address, amount: uint256):
    """
    @notice Set what the spender may move.
    """
    assert spender != empty(address), "no spender"
    self._allowances[owner][spender] = amount
    log Approval(owner=owner, spender=spender, value=amount)


@internal
@view
def _current_domain() -> bytes32:
    """
    @notice The domain, computed anew where the chain split and got another id.
    """
    if chain.id == _FIRST_CHAIN_ID:
        return _FIRST_DOMAIN
    return self._domain(_NAME)


@internal
@view
def _domain(name: String[64]) -> bytes32:
    """
    @notice The domain of permits under a name on this chain.
    """
    return keccak256(
        abi_encode(_DOMAIN_TYPE, keccak256(name), keccak256(_VERSION), chain.id, self)
    )
