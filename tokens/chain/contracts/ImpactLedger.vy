# pragma version 0.4.3
# pragma evm-version prague
# pragma optimize gas
"""
@title Impact ledger of one solar mini-grid
@license Apache-2.0
@notice Holds the root of a sum tree: what everybody has earned up to an epoch, in energy and in
        impact tokens. A proposed root can be vetoed for a while; activating it mints what was
        earned since the one before. Whoever has a leaf can have it paid out to its wallet.
@dev Values are cumulative. Hashes are SHA-256 (the precompile), every sum in a word of its own:
       leaf = sha256(0x00 || key || wallet || milliwatt_hours || tokens)
       node = sha256(0x01 || left.hash || left.milliwatt_hours || left.tokens
                          || right.hash || right.milliwatt_hours || right.tokens)
     Tokens are always energy x WEI_PER_MILLIWATT_HOUR, so they are not stored. What is proposed
     is not cleared when it ends (a word that stays above zero is cheap to write again): it is
     pending while its epoch is the one after the active one.
"""

interface Token:
    def minter() -> address: view
    def mint(receiver: address, amount: uint256): nonpayable
    def transfer(receiver: address, amount: uint256) -> bool: nonpayable


# A node of the sum tree: its hash and the sums of everything below it.
struct Node:
    hash: bytes32
    milliwatt_hours: uint256
    tokens: uint256


# One step from a leaf towards the root: the sibling, and whether it stands left.
struct Step:
    hash: bytes32
    milliwatt_hours: uint256
    tokens: uint256
    is_left: bool


# A root was proposed; dataset_hash is the SHA-256 of the published data set behind it.
event Proposed:
    n: indexed(uint256)
    root: bytes32
    milliwatt_hours: uint256
    tokens: uint256
    dataset_hash: bytes32
    activates_at: uint256


# The guardian refused the pending root; its epoch can be proposed again.
event Vetoed:
    n: indexed(uint256)
    root: bytes32


# The root counts from now on; minted is what was earned since the one before.
event Activated:
    n: indexed(uint256)
    root: bytes32
    minted: uint256


# A leaf was paid out to its wallet.
event Claimed:
    key: indexed(bytes32)
    wallet: indexed(address)
    tokens: uint256


# The guardian appointed another poster.
event PosterRotated:
    previous: indexed(address)
    poster: indexed(address)


# The guardian offered its role; the empty address takes an offer back.
event GuardianOffered:
    guardian: indexed(address)


# The offer was accepted.
event GuardianRotated:
    previous: indexed(address)
    guardian: indexed(address)


# Parts of the packed words, once shifted down.
_ENERGY: constant(uint256) = 2**128 - 1
_TIME: constant(uint256) = 2**64 - 1

_TOKEN: immutable(address)
_SITE: immutable(bytes32)
_WEI_PER_MILLIWATT_HOUR: immutable(uint256)
_WINDOW_SECONDS: immutable(uint256)

_poster: address
_guardian: address
_offered_guardian: address

_root: bytes32
_proposed_root: bytes32
# epoch << 192 | milliwatt_hours
_active: uint256
# epoch << 192 | activates_at << 128 | milliwatt_hours; epoch 0: vetoed
_proposed: uint256

_claimed: HashMap[bytes32, uint256]


@deploy
def __init__(
    token: address,
    site: bytes32,
    wei_per_milliwatt_hour: uint256,
    window_seconds: uint256,
    poster: address,
    guardian: address,
):
    """
    @notice Found the ledger of a site.
    @param token The impact token, deployed before with this contract's address as its minter
    @param site Which site this is: 32 bytes that the operator publishes
    @param wei_per_milliwatt_hour Tokens (10^-18) that a milliwatt-hour mints, for ever
    @param window_seconds How long a proposed root can be vetoed before it can be activated
    @param poster Who may propose
    @param guardian Who may veto and rotate; not the poster
    """
    assert staticcall Token(token).minter() == self, "not the token's minter"
    assert wei_per_milliwatt_hour > 0, "no tokens for energy"
    assert window_seconds > 0, "no window"
    assert window_seconds <= 366 * 86400, "window too long"
    _TOKEN = token
    _SITE = site
    _WEI_PER_MILLIWATT_HOUR = wei_per_milliwatt_hour
    _WINDOW_SECONDS = window_seconds
    self._check_roles(poster, guardian)
    self._poster = poster
    self._guardian = guardian
    log PosterRotated(previous=empty(address), poster=poster)
    log GuardianRotated(previous=empty(address), guardian=guardian)


# What happens every epoch


@external
def propose(n: uint256, left: Node, right: Node, dataset_hash: bytes32):
    """
    @notice Propose the root over two nodes as the entitlements of epoch n. Only the poster.
    @dev What stands below the two nodes is not seen here: see the published data set.
    @param n The epoch after the active one
    @param left The root's left child
    @param right The root's right child
    @param dataset_hash SHA-256 of the published data set from which the root can be built again
    """
    assert msg.sender == self._poster, "only the poster"
    active: uint256 = self._active
    assert n == (active >> 192) + 1, "not the next epoch"
    assert self._proposed >> 192 != n, "one is pending"
    milliwatt_hours: uint256 = left.milliwatt_hours + right.milliwatt_hours
    tokens: uint256 = left.tokens + right.tokens
    assert milliwatt_hours <= _ENERGY, "too much energy"
    assert milliwatt_hours >= active & _ENERGY, "sums fell"
    assert tokens == milliwatt_hours * _WEI_PER_MILLIWATT_HOUR, "tokens are not energy x w"
    root: bytes32 = self._node_hash(left, right)
    activates_at: uint256 = block.timestamp + _WINDOW_SECONDS
    self._proposed_root = root
    self._proposed = (n << 192) | (activates_at << 128) | milliwatt_hours
    log Proposed(
        n=n,
        root=root,
        milliwatt_hours=milliwatt_hours,
        tokens=tokens,
        dataset_hash=dataset_hash,
        activates_at=activates_at,
    )


@external
def veto(n: uint256):
    """
    @notice Refuse the pending root of epoch n. Only the guardian, until it is activated.
    @param n The pending epoch
    """
    assert msg.sender == self._guardian, "only the guardian"
    proposed: uint256 = self._pending()
    assert proposed != 0 and n == proposed >> 192, "not pending"
    # The epoch goes, the rest stays: nothing is pending, and the word stays above zero.
    self._proposed = proposed & (2**192 - 1)
    log Vetoed(n=n, root=self._proposed_root)


@external
def activate(n: uint256):
    """
    @notice Make the pending root of epoch n the active one, once its window is over. Anybody.
    @dev Mints what was earned since the last active root to this contract.
    @param n The pending epoch
    """
    proposed: uint256 = self._pending()
    assert proposed != 0 and n == proposed >> 192, "not pending"
    assert block.timestamp >= (proposed >> 128) & _TIME, "the window is open"
    milliwatt_hours: uint256 = proposed & _ENERGY
    earned: uint256 = milliwatt_hours - (self._active & _ENERGY)
    minted: uint256 = earned * _WEI_PER_MILLIWATT_HOUR
    root: bytes32 = self._proposed_root
    self._root = root
    self._active = (n << 192) | milliwatt_hours
    if minted > 0:
        extcall Token(_TOKEN).mint(self, minted)
    log Activated(n=n, root=root, minted=minted)


@external
def claim(
    key: bytes32,
    wallet: address,
    milliwatt_hours: uint256,
    tokens: uint256,
    path: DynArray[Step, 40],
) -> uint256:
    """
    @notice Pay to its wallet what a leaf of the active root has earned and was not paid yet.
            Anybody may call; it is always the leaf's wallet that is paid.
    @dev Every addition is checked, so no path leads over a sum that overflowed.
    @param key The leaf's key
    @param wallet The leaf's wallet
    @param milliwatt_hours The leaf's energy
    @param tokens The leaf's tokens
    @param path The siblings from the leaf up to the root's children
    @return Tokens (10^-18) paid by this call; 0 if nothing came since the last one
    """
    assert wallet != empty(address), "no wallet"
    node: Node = Node(
        hash=self._leaf_hash(key, wallet, milliwatt_hours, tokens),
        milliwatt_hours=milliwatt_hours,
        tokens=tokens,
    )
    for step: Step in path:
        sibling: Node = Node(
            hash=step.hash, milliwatt_hours=step.milliwatt_hours, tokens=step.tokens
        )
        hash: bytes32 = empty(bytes32)
        if step.is_left:
            hash = self._node_hash(sibling, node)
        else:
            hash = self._node_hash(node, sibling)
        node = Node(
            hash=hash,
            milliwatt_hours=node.milliwatt_hours + step.milliwatt_hours,
            tokens=node.tokens + step.tokens,
        )
    assert node.hash == self._root, "not in the active root"
    claimed: uint256 = self._claimed[key]
    if tokens <= claimed:
        return 0
    self._claimed[key] = tokens
    assert extcall Token(_TOKEN).transfer(wallet, tokens - claimed), "not paid"
    log Claimed(key=key, wallet=wallet, tokens=tokens - claimed)
    return tokens - claimed


# Roles


@external
def rotate_poster(poster: address):
    """
    @notice Appoint another poster. Only the guardian.
    @param poster Who may propose from now on; not the guardian
    """
    assert msg.sender == self._guardian, "only the guardian"
    self._check_roles(poster, msg.sender)
    log PosterRotated(previous=self._poster, poster=poster)
    self._poster = poster


@external
def offer_guardian(guardian: address):
    """
    @notice Offer the guardian's role to somebody, who has to accept it. Only the guardian.
    @param guardian Who may accept; the empty address takes the offer back
    """
    assert msg.sender == self._guardian, "only the guardian"
    self._offered_guardian = guardian
    log GuardianOffered(guardian=guardian)


@external
def accept_guardian():
    """
    @notice Take over the guardian's role. Only whom it was offered to.
    """
    assert msg.sender == self._offered_guardian, "not offered to you"
    self._check_roles(self._poster, msg.sender)
    log GuardianRotated(previous=self._guardian, guardian=msg.sender)
    self._guardian = msg.sender
    self._offered_guardian = empty(address)


# Views


@external
@view
def last_epoch() -> uint256:
    """
    @notice The active epoch; 0 before the first.
    """
    return self._active >> 192


@external
@view
def root() -> bytes32:
    """
    @notice The active root; empty before the first.
    """
    return self._root


@external
@view
def milliwatt_hours() -> uint256:
    """
    @notice Energy of all leaves of the active root.
    """
    return self._active & _ENERGY


@external
@view
def tokens() -> uint256:
    """
    @notice Tokens (10^-18) of all leaves of the active root: all that were ever minted.
    """
    return (self._active & _ENERGY) * _WEI_PER_MILLIWATT_HOUR


@external
@view
def pending_epoch() -> uint256:
    """
    @notice The epoch that waits to be activated; 0: none.
    """
    return self._pending() >> 192


@external
@view
def pending_root() -> bytes32:
    """
    @notice The root that waits to be activated; empty: none.
    """
    if self._pending() == 0:
        return empty(bytes32)
    return self._proposed_root


@external
@view
def pending_milliwatt_hours() -> uint256:
    """
    @notice Energy of all leaves of the pending root; 0: none.
    """
    return self._pending() & _ENERGY


@external
@view
def pending_tokens() -> uint256:
    """
    @notice Tokens (10^-18) of all leaves of the pending root; 0: none.
    """
    return (self._pending() & _ENERGY) * _WEI_PER_MILLIWATT_HOUR


@external
@view
def activates_at() -> uint256:
    """
    @notice When (seconds since 1970) the pending root can be activated; 0: none.
    """
    return (self._pending() >> 128) & _TIME


@external
@view
def claimed(key: bytes32) -> uint256:
    """
    @notice Tokens (10^-18) paid for a leaf so far.
    @param key The leaf's key
    """
    return self._claimed[key]


@external
@view
def token() -> address:
    """
    @notice The impact token that this ledger mints.
    """
    return _TOKEN


@external
@view
def site() -> bytes32:
    """
    @notice Which site this is.
    """
    return _SITE


@external
@view
def wei_per_milliwatt_hour() -> uint256:
    """
    @notice Tokens (10^-18) that a milliwatt-hour mints.
    """
    return _WEI_PER_MILLIWATT_HOUR


@external
@view
def window_seconds() -> uint256:
    """
    @notice How long a proposed root can be vetoed before it can be activated.
    """
    return _WINDOW_SECONDS


@external
@view
def poster() -> address:
    """
    @notice Who may propose.
    """
    return self._poster


@external
@view
def guardian() -> address:
    """
    @notice Who may veto and rotate.
    """
    return self._guardian


@external
@view
def offered_guardian() -> address:
    """
    @notice To whom the guardian's role is offered; empty: nobody.
    """
    return self._offered_guardian


# Inside


@internal
@view
def _pending() -> uint256:
    """
    @notice The proposed word while it is pending, or 0.
    """
    proposed: uint256 = self._proposed
    if proposed >> 192 == (self._active >> 192) + 1:
        return proposed
    return 0


@internal
@pure
def _check_roles(poster: address, guardian: address):
    """
    @notice Refuse an empty role, and one person in both: nobody would veto.
    """
    assert poster != empty(address), "no poster"
    assert guardian != empty(address), "no guardian"
    assert poster != guardian, "poster and guardian are one"


@internal
@pure
def _leaf_hash(
    key: bytes32, wallet: address, milliwatt_hours: uint256, tokens: uint256
) -> bytes32:
    """
    @notice The hash of a leaf.
    """
    return sha256(
        concat(
            0x00,
            key,
            convert(wallet, bytes32),
            convert(milliwatt_hours, bytes32),
            convert(tokens, bytes32),
        )
    )


@internal
@pure
def _node_hash(left: Node, right: Node) -> bytes32:
    """
    @notice The hash of an inner node, over both children and both of each one's sums.
    """
    return sha256(
        concat(
            0x01,
            left.hash,
            convert(left.milliwatt_hours, bytes32),
            convert(left.tokens, bytes32),
            right.hash,
            convert(right.milliwatt_hours, bytes32),
            convert(right.tokens, bytes32),
        )
    )
