-- What waits to be sent on, and to whom. A row of `held` points at bytes that are on stable storage.

CREATE TABLE held (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  key TEXT NOT NULL UNIQUE,
  study TEXT NOT NULL,
  series TEXT NOT NULL,
  instance TEXT NOT NULL,
  sop_class TEXT NOT NULL,
  transfer_syntax TEXT NOT NULL,
  size INTEGER NOT NULL,
  digest TEXT NOT NULL,
  checksum TEXT NOT NULL,
  caller TEXT NOT NULL,
  received REAL NOT NULL
);

CREATE INDEX held_instance ON held (instance);

CREATE TABLE errand (
  destination TEXT NOT NULL,
  held INTEGER NOT NULL REFERENCES held,
  is_shelved INTEGER NOT NULL DEFAULT 0,
  due REAL NOT NULL DEFAULT 0,
  tries INTEGER NOT NULL DEFAULT 0,
  doubts INTEGER NOT NULL DEFAULT 0,
  doubted REAL NOT NULL DEFAULT 0,
  code INTEGER,
  why TEXT NOT NULL DEFAULT '',
  PRIMARY KEY (destination, is_shelved, held)
) WITHOUT ROWID;

CREATE INDEX errand_held ON errand (held);

CREATE TABLE progress (
  destination TEXT PRIMARY KEY,
  delivered INTEGER NOT NULL DEFAULT 0,
  delivered_bytes INTEGER NOT NULL DEFAULT 0,
  last_delivered REAL NOT NULL DEFAULT 0,
  failing_since REAL,
  next_try REAL,
  why TEXT NOT NULL DEFAULT ''
) WITHOUT ROWID;

CREATE TABLE discarded (
  number INTEGER NOT NULL,
  destination TEXT NOT NULL,
  study TEXT NOT NULL,
  series TEXT NOT NULL,
  instance TEXT NOT NULL,
  size INTEGER NOT NULL,
  digest TEXT NOT NULL,
  why TEXT NOT NULL,
  reason TEXT NOT NULL,
  moment REAL NOT NULL
);

CREATE TABLE garbage (
  key TEXT PRIMARY KEY
) WITHOUT ROWID;
