# pragma version 0.4.3
# pragma evm-version prague
"""
@title A contract's wallet for tests (EIP-1271)
@license Apache-2.0
@notice Says yes to its owner's signatures, no to others, and reverts for an empty one.
"""

_OWNER: immutable(address)


@deploy
def __init__(owner: address):
    _OWNER = owner


@external
@view
def isValidSignature(digest: bytes32, signature: Bytes[65]) -> bytes4:
    """
    @notice Whether the owner signed the digest.
    @param digest What was signed
    @param signature r, s and v
    @return 0x1626ba7e: yes
    """
    assert len(signature) == 65, "no signature of one key"
    r: uint256 = convert(slice(signature, 0, 32), uint256)
    s: uint256 = convert(slice(signature, 32, 32), uint256)
    v: uint256 = convert(slice(signature, 64, 1), uint256)
    if ecrecover(digest, v, r, s) == _OWNER:
        return 0x1626ba7e
    return 0xffffffff
