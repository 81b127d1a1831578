import pytest

from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.index_contract import IndexContract

pytestmark = pytest.mark.slow  # the fast loop stays under a minute


class TestSqliteIndex(IndexContract):
    def open_index(self, place):
        return SqliteIndex(place)


class TestSqliteIndexOfAFolder(IndexContract):
    def open_index(self, place):
        return SqliteIndex(place, durable=False)
