-- Columns of values that came after the index was made: built in by a later version, or promoted on request.

-- "state" is columns.State. While it is "building", every row up to "filled" has its values in this column, and every
-- row that is written gets them; the rows after it follow in small steps.
CREATE TABLE registered_column (
    number  INTEGER PRIMARY KEY,
    level   INTEGER NOT NULL,
    path    TEXT NOT NULL,
    creator TEXT NOT NULL,
    kind    TEXT NOT NULL,
    state   TEXT NOT NULL,
    filled  INTEGER NOT NULL
);

CREATE UNIQUE INDEX registered_column_once ON registered_column (path, creator, kind, level) WHERE state <> 'leaving';

-- A study may have values in items of a sequence, and several names, too.
CREATE TABLE study_value_with_items (
    value  INTEGER NOT NULL REFERENCES value (id),
    moment INTEGER NOT NULL,
    study  INTEGER NOT NULL REFERENCES study (id),
    item   INTEGER NOT NULL,
    PRIMARY KEY (value, moment DESC, study, item)
) WITHOUT ROWID;

INSERT INTO study_value_with_items SELECT value, moment, study, 0 FROM study_value ORDER BY value, moment DESC, study;

DROP TABLE study_value;

ALTER TABLE study_value_with_items RENAME TO study_value;

CREATE INDEX study_value_of ON study_value (study);

-- The same for instances: only promoted attributes have values here. "moment" is the study's.
CREATE TABLE instance_value (
    value    INTEGER NOT NULL REFERENCES value (id),
    moment   INTEGER NOT NULL,
    instance INTEGER NOT NULL REFERENCES instance (id),
    item     INTEGER NOT NULL,
    PRIMARY KEY (value, moment DESC, instance, item)
) WITHOUT ROWID;

CREATE INDEX instance_value_of ON instance_value (instance);
