"""The proof of one leaf: the way from it to the root that its site's ledger contract holds."""

from __future__ import annotations

from dataclasses import dataclass

from tokens import dataset, epochs
from tokens.models import Epoch, EpochLeaf, Leaf
from tokens.sum_tree import Node, Step, Tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Proof:
    """A leaf as an epoch has it (row), and the siblings up to that epoch's root."""

    epoch: Epoch
    row: EpochLeaf
    path: tuple[Step, ...]
    root: Node


def of_leaf(*, leaf: Leaf, epoch: Epoch | None = None) -> Proof | None:
    """Return a leaf's proof in an epoch (the active one unless told); None where it is not in it.

    A household's path goes through the tree of its cohort, which nobody else is shown.
    """
    epoch = epoch or epochs.last_active(site=leaf.site)
    if epoch is None:
        return None
    rows = epochs.rows_of(epoch=epoch)
    row = next((each for each in rows if each.leaf_id == leaf.pk), None)
    if row is None:
        return None
    arranged = epochs.arranged(rows)
    below: list[Step] = []
    if leaf.kind == Leaf.Kind.HOUSEHOLD:
        number = epochs.cohort_number(row)
        members = [
            epochs.claim_of(each)
            for each in rows
            if each.leaf.kind == Leaf.Kind.HOUSEHOLD and epochs.cohort_number(each) == number
        ]
        keys = [claim.key for claim in dataset.by_key(members)]
        below = dataset.cohort_tree(members).path(keys.index(leaf.key))
        place = sorted(cohort.number for cohort in arranged.cohorts).index(number)
    else:
        place = _place(arranged, leaf)
    tree: Tree = arranged.tree
    return Proof(epoch=epoch, row=row, path=(*below, *tree.path(place)), root=tree.root)


def _place(arranged: dataset.Leaves, leaf: Leaf) -> int:
    """Where a leaf that is published by itself stands in the top tree."""
    keys = [claim.key for claim in dataset.by_key(arranged.donations)]
    keys += [arranged.reserve.key, arranged.unallocated.key]
    return len(arranged.cohorts) + keys.index(leaf.key)
