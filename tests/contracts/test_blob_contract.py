from dicomgate.blobs.local import LocalBlobs
from dicomgate.testing.blob_contract import BlobContract


class TestLocalBlobs(BlobContract):
    def open_store(self, place):
        return LocalBlobs(place)


class TestLocalBlobsInSmallRuns(BlobContract):
    """Every few files another directory."""

    def open_store(self, place):
        return LocalBlobs(place, files_per_run=3)
