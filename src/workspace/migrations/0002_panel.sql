-- The panel's process: rounds that seniors close, comments, flags, and what a vote was cast in sight of.

-- 1 where the annotator had seen the original label or a suggestion: such a vote is kept apart from blind ones.
ALTER TABLE votes ADD COLUMN revealed INTEGER NOT NULL DEFAULT 0 CHECK (revealed IN (0, 1));
-- Rows of one decision (a template and its near-duplicates) share the uid of the first, and are taken back as one.
ALTER TABLE votes ADD COLUMN decision TEXT;
-- For a panel vote: how many of the others said what as it was cast.
ALTER TABLE votes ADD COLUMN others_normal INTEGER;
ALTER TABLE votes ADD COLUMN others_abnormal INTEGER;
CREATE INDEX votes_by_annotator ON votes (annotator, at);

-- A round is open or closed from a moment on. What is cast in a closed round is kept, and does not count.
CREATE TABLE rounds (
    uid    TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    round  TEXT NOT NULL CHECK (round IN ('blind', 'panel')),
    event  TEXT NOT NULL CHECK (event IN ('open', 'close')),
    senior TEXT NOT NULL,
    reason TEXT
) STRICT;
CREATE INDEX rounds_by_time ON rounds (at);

CREATE TABLE comments (
    uid      TEXT PRIMARY KEY,
    at       INTEGER NOT NULL,
    dataset  TEXT NOT NULL,
    template TEXT NOT NULL,
    author   TEXT NOT NULL,
    text     TEXT,
    undoes   TEXT,
    CHECK ((text IS NULL) = (undoes IS NOT NULL))
) STRICT;
CREATE INDEX comments_by_template ON comments (dataset, template, at);
CREATE INDEX comments_undone ON comments (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX comments_by_time ON comments (at);

-- An annotator's marks on templates to come back to; the newest row of each says whether the flag is up.
CREATE TABLE flags (
    uid       TEXT PRIMARY KEY,
    at        INTEGER NOT NULL,
    dataset   TEXT NOT NULL,
    template  TEXT NOT NULL,
    annotator TEXT NOT NULL,
    raised    INTEGER NOT NULL CHECK (raised IN (0, 1))
) STRICT;
CREATE INDEX flags_by_template ON flags (dataset, template, annotator, at);
CREATE INDEX flags_by_time ON flags (at);
