# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Factory of deposit forwarders
@license Apache-2.0
@notice Gives every salt an address to pay to, known before anything stands there, and puts a
        forwarder there when its money has to go on. Nobody has a key of such an address.
@dev CREATE2 of a minimal proxy (EIP-1167): the address depends on this contract, the salt and
     the implementation alone. Anybody may create and flush; the money goes to the treasury.
"""

interface Forwarder:
    def flush(token: address) -> uint256: nonpayable
    def treasury() -> address: view


# A forwarder was put at its address.
event Created:
    salt: indexed(bytes32)
    forwarder: indexed(address)


_IMPLEMENTATION: immutable(address)
_TREASURY: immutable(address)
_PROXY_HASH: immutable(bytes32)


@deploy
def __init__(implementation: address, treasury: address):
    """
    @notice Found a factory.
    @param implementation The DepositForwarder that its proxies run
    @param treasury Where that implementation sends everything
    """
    assert staticcall Forwarder(implementation).treasury() == treasury, "another treasury"
    _IMPLEMENTATION = implementation
    _TREASURY = treasury
    _PROXY_HASH = keccak256(
        concat(
            x"602d3d8160093d39f3363d3d373d3d3d363d73",
            convert(implementation, bytes20),
            x"5af43d82803e903d91602b57fd5bf3",
        )
    )


@external
def create(salt: bytes32) -> address:
    """
    @notice Put a forwarder at the salt's address, if none stands there. Anybody.
    @param salt 32 bytes
    @return The forwarder's address
    """
    return self._create(salt)


@external
def flush(salt: bytes32, token: address) -> uint256:
    """
    @notice Send everything of one asset at the salt's address to the treasury. Anybody.
    @dev Puts the forwarder there first, if none stands there.
    @param salt 32 bytes
    @param token An ERC-20; empty: the native currency
    @return How much went (smallest units)
    """
    return extcall Forwarder(self._create(salt)).flush(token)


@external
@view
def address_of(salt: bytes32) -> address:
    """
    @notice The address of a salt, whether a forwarder stands there yet or not.
    @param salt 32 bytes
    """
    return self._address_of(salt)


@external
@view
def implementation() -> address:
    """
    @notice The code that the forwarders run.
    """
    return _IMPLEMENTATION


@external
@view
def treasury() -> address:
    """
    @notice Where everything goes.
    """
    return _TREASURY


@internal
def _create(salt: bytes32) -> address:
    """
    @notice Put a forwarder at the salt's address, if none stands there.
    """
    there: address = self._address_of(salt)
    if there.codesize > 0:
        return there
    made: address = create_minimal_proxy_to(_IMPLEMENTATION, salt=salt)
    assert made == there, "another address"
    log Created(salt=salt, forwarder=made)
    return made


@internal
@view
def _address_of(salt: bytes32) -> address:
    """
    @notice The last 20 bytes of the CREATE2 hash.
    """
    hash: bytes32 = keccak256(concat(0xff, convert(self, bytes20), salt, _PROXY_HASH))
    return convert(convert(hash, uint256) & (2**160 - 1), address)
