-- How much is stored, in one row, so that counting everything takes no longer the more there is. Kept by the database
-- itself: a study's row is written once in every transaction that changes what is in it.
CREATE TABLE tally (
    studies   INTEGER NOT NULL,
    series    INTEGER NOT NULL,
    instances INTEGER NOT NULL
);

INSERT INTO tally
SELECT count(*), coalesce(sum(number_of_series), 0), coalesce(sum(number_of_instances), 0) FROM study;

CREATE TRIGGER tally_gains AFTER INSERT ON study BEGIN
    UPDATE tally SET studies = studies + 1, series = series + new.number_of_series,
        instances = instances + new.number_of_instances; END;

CREATE TRIGGER tally_loses AFTER DELETE ON study BEGIN
    UPDATE tally SET studies = studies - 1, series = series - old.number_of_series,
        instances = instances - old.number_of_instances; END;

CREATE TRIGGER tally_changes AFTER UPDATE OF number_of_series, number_of_instances ON study BEGIN
    UPDATE tally SET series = series + new.number_of_series - old.number_of_series,
        instances = instances + new.number_of_instances - old.number_of_instances; END;
