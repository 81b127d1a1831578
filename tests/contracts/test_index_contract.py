from dicomgate.index.sqlite import SqliteIndex
from dicomgate.testing.index_contract import IndexContract


class TestSqliteIndex(IndexContract):
    def open_index(self, place):
        return SqliteIndex(place)


class TestSqliteIndexOfAFolder(IndexContract):
    def open_index(self, place):
        return SqliteIndex(place, durable=False)
