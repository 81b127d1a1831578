-- Earlier files of instances that were corrected or superseded: no search finds them, they are retrieved by number.
-- Numbers are not kept: versions are counted from 1 in the order of their keys, the instance itself is the last.
CREATE TABLE version (
    uid             TEXT NOT NULL,
    key             TEXT NOT NULL UNIQUE,
    digest          BLOB NOT NULL,
    original_digest BLOB NOT NULL,
    transfer_syntax TEXT NOT NULL,
    size            INTEGER NOT NULL,
    received        REAL NOT NULL,
    why             TEXT NOT NULL,
    PRIMARY KEY (uid, key)
) WITHOUT ROWID;

-- Counted without reading the rows.
CREATE INDEX version_size ON version (size);
