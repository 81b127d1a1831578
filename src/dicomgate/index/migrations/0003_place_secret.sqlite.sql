-- What seals the places that answers name for the next page, so that no name of a patient stands in an address, and
-- that nobody makes one up. Whoever reads the index may read it.
CREATE TABLE place_secret (
    content BLOB NOT NULL
);

INSERT INTO place_secret VALUES (randomblob(32));
