# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title What a node of the tree costs in gas under either hash
@license Apache-2.0
@notice Chains as many inner nodes (0x01 and six words) as asked.
"""


@external
@view
def by_sha256(nodes: uint256) -> bytes32:
    """
    @notice By the precompile.
    """
    hash: bytes32 = empty(bytes32)
    for place: uint256 in range(nodes, bound=1000):
        word: bytes32 = convert(place, bytes32)
        hash = sha256(concat(0x01, hash, word, word, word, word, word))
    return hash


@external
@view
def by_keccak(nodes: uint256) -> bytes32:
    """
    @notice By the opcode.
    """
    hash: bytes32 = empty(bytes32)
    for place: uint256 in range(nodes, bound=1000):
        word: bytes32 = convert(place, bytes32)
        hash = keccak256(concat(0x01, hash, word, word, word, word, word))
    return hash
