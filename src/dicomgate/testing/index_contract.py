"""What every Index must do: inherit, say how to open one, run with pytest."""

from __future__ import annotations

from dicomgate.testing.index_answers_contract import AnswersContract
from dicomgate.testing.index_anything_contract import AnythingContract
from dicomgate.testing.index_keeping_contract import KeepingContract
from dicomgate.testing.index_matching_contract import MatchingContract
from dicomgate.testing.index_order_contract import OrderContract
from dicomgate.testing.index_promoting_contract import PromotingContract
from dicomgate.testing.index_versions_contract import VersionsContract


class IndexContract(
    KeepingContract,
    MatchingContract,
    AnswersContract,
    AnythingContract,
    OrderContract,
    PromotingContract,
    VersionsContract,
):
    """All of it. Subclasses give `open_index`; indexes opened on one place share what they hold, as processes do."""
