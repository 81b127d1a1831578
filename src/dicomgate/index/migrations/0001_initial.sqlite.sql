-- The index of an archive, or of a folder that is read in place.
-- Statements end with a semicolon at the end of a line; schema.py applies them in one transaction.

-- A study. Its attributes are those of the instance with the smallest key ("source"), so that they do not depend on
-- the order in which the index was filled. "answer" is what a search returns unasked, "more" the level's other
-- attributes, both JSON. "moment" is date and time as microseconds of values.moment, 0 without a date.
CREATE TABLE study (
    id                  INTEGER PRIMARY KEY,
    uid                 TEXT NOT NULL UNIQUE,
    moment              INTEGER NOT NULL,
    source              TEXT NOT NULL,
    patient             TEXT NOT NULL,
    modalities          TEXT NOT NULL,
    number_of_series    INTEGER NOT NULL,
    number_of_instances INTEGER NOT NULL,
    size                INTEGER NOT NULL,
    answer              TEXT NOT NULL,
    more                TEXT NOT NULL
);

-- The order of every answer: newest first.
CREATE UNIQUE INDEX study_order ON study (moment DESC, uid);

-- Folders read in place hold series of one UID in several studies: each is a series of its study.
-- Without a number, series and instances come last: "number" is then values.NUMBERLESS.
CREATE TABLE series (
    id                  INTEGER PRIMARY KEY,
    uid                 TEXT NOT NULL,
    study               INTEGER NOT NULL REFERENCES study (id),
    number              INTEGER NOT NULL,
    source              TEXT NOT NULL,
    modality            TEXT NOT NULL,
    number_of_instances INTEGER NOT NULL,
    answer              TEXT NOT NULL,
    more                TEXT NOT NULL,
    UNIQUE (uid, study)
);

CREATE UNIQUE INDEX series_order ON series (study, number, uid);
CREATE INDEX series_number ON series (number);

-- Narrow, for it is read by the thousand. "answer" is a JSON array with the values of columns.INSTANCE_ANSWER.
CREATE TABLE instance (
    id              INTEGER PRIMARY KEY,
    uid             TEXT NOT NULL UNIQUE,
    series          INTEGER NOT NULL REFERENCES series (id),
    number          INTEGER NOT NULL,
    key             TEXT NOT NULL UNIQUE,
    sop_class       TEXT NOT NULL,
    transfer_syntax TEXT NOT NULL,
    size            INTEGER NOT NULL,
    digest          BLOB NOT NULL,
    original_digest BLOB NOT NULL,
    received        REAL NOT NULL,
    is_lossy        INTEGER NOT NULL,
    frame_count     INTEGER NOT NULL,
    answer          TEXT NOT NULL
);

CREATE UNIQUE INDEX instance_order ON instance (series, number, uid);
CREATE INDEX instance_number ON instance (number);

-- What is known of an instance beyond its row: the layout first, for it is read without the metadata.
-- "metadata" is compressed with the series' dictionary.
CREATE TABLE description (
    instance INTEGER PRIMARY KEY REFERENCES instance (id),
    layout   BLOB NOT NULL,
    metadata BLOB NOT NULL
);

CREATE TABLE frame_chunk (
    instance INTEGER NOT NULL REFERENCES instance (id),
    number   INTEGER NOT NULL,
    content  BLOB NOT NULL,
    PRIMARY KEY (instance, number)
) WITHOUT ROWID;

-- The metadata of a series' first instance, compressed; the others differ from it in little.
CREATE TABLE dictionary (
    series  INTEGER PRIMARY KEY REFERENCES series (id),
    content BLOB NOT NULL
);

-- Every distinct text that can be matched, by the tag it belongs to, folded as it is compared.
CREATE TABLE value (
    id   INTEGER PRIMARY KEY,
    tag  INTEGER NOT NULL,
    text TEXT NOT NULL,
    UNIQUE (tag, text)
);

-- Three letters in a row find the texts that contain them.
CREATE VIRTUAL TABLE value_trigram USING fts5 (text, content = 'value', content_rowid = 'id', tokenize = 'trigram', detail = 'none');

-- Which study has which values, newest first: with one value given, the answer comes in its order.
CREATE TABLE study_value (
    value  INTEGER NOT NULL REFERENCES value (id),
    moment INTEGER NOT NULL,
    study  INTEGER NOT NULL REFERENCES study (id),
    PRIMARY KEY (value, moment DESC, study)
) WITHOUT ROWID;

CREATE INDEX study_value_of ON study_value (study);

-- The same for series. "item" numbers the items of a sequence that is matched (0: no sequence), for all keys of a
-- sequence must match within one item. "moment" is the study's.
CREATE TABLE series_value (
    value  INTEGER NOT NULL REFERENCES value (id),
    moment INTEGER NOT NULL,
    series INTEGER NOT NULL REFERENCES series (id),
    item   INTEGER NOT NULL,
    PRIMARY KEY (value, moment DESC, series, item)
) WITHOUT ROWID;

CREATE INDEX series_value_of ON series_value (series);

-- What changed, in order of commit.
CREATE TABLE journal (
    number   INTEGER PRIMARY KEY AUTOINCREMENT,
    time     REAL NOT NULL,
    kind     TEXT NOT NULL,
    study    TEXT NOT NULL,
    series   TEXT NOT NULL,
    instance TEXT NOT NULL
);

-- What was removed on request and not stored again. Of a study, series and instance are empty; of a series, instance.
CREATE TABLE tombstone (
    study    TEXT NOT NULL,
    series   TEXT NOT NULL,
    instance TEXT NOT NULL,
    PRIMARY KEY (study, series, instance)
) WITHOUT ROWID;

-- Keys that no row points at any more.
CREATE TABLE garbage (
    key TEXT PRIMARY KEY
) WITHOUT ROWID;

-- The files of a folder that is read in place.
CREATE TABLE file (
    path     TEXT PRIMARY KEY,
    size     INTEGER NOT NULL,
    mtime_ns INTEGER NOT NULL,
    state    TEXT NOT NULL,
    reason   TEXT NOT NULL,
    instance TEXT
) WITHOUT ROWID;

CREATE INDEX file_state ON file (state);
CREATE INDEX file_instance ON file (instance);
