"""Why a round, a proposal or a ballot is not taken."""

from __future__ import annotations


class Refused(ValueError):
    """Nothing was stored. The message is for a person; `code` is what channels have words for.

    closed, not_of_site, nothing_chosen, no_project, already_voted; for signed votes nonce, expired,
    malformed, signature; for proposals and operators not_now, too_many, too_dear, no_reason,
    awarded, no_payee.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class AlreadyVoted(Refused):
    """The voter has a ballot in this round, whatever channel it came over."""

    def __init__(self, *, receipt_code: str) -> None:
        super().__init__("already_voted", f"this voter has voted: receipt {receipt_code}")
        self.receipt_code = receipt_code
