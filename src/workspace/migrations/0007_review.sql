-- The label that was held true of an item's log as it was reviewed: once it is another one, an acceptance does not count.
ALTER TABLE reviews ADD COLUMN label TEXT CHECK (label IN ('normal', 'abnormal'));

-- What a reviewer says of a step, which is known by its number and by how it read then. Rows of one decision share the uid
-- of the first, and are taken back as one.
CREATE TABLE marks (
    uid      TEXT PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('rationale', 'pair')),
    item     TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    step     INTEGER NOT NULL,
    text     TEXT NOT NULL,
    mark     TEXT CHECK (mark IN ('right', 'wrong', 'unjudged')),
    decision TEXT,
    undoes   TEXT,
    CHECK ((mark IS NULL) = (undoes IS NOT NULL))
) STRICT;
CREATE INDEX marks_by_item ON marks (kind, item, at);
CREATE INDEX marks_undone ON marks (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX marks_by_time ON marks (at);
