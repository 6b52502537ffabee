-- What people said is never overwritten: every table is only appended to. A row is taken back by another row that
-- names it in `undoes`; of the rows left, the newest (by `at`, then `uid`) wins.
--
-- `uid`: the first half of the SHA-256 of the row's content, so that merging two copies is the union of their rows.
-- `at`: microseconds since 1970, strictly rising within one copy even where the clock is not.

CREATE TABLE templates (
    uid        TEXT PRIMARY KEY,
    at         INTEGER NOT NULL,
    dataset    TEXT NOT NULL,
    id         TEXT NOT NULL,
    text       TEXT NOT NULL,
    label      TEXT CHECK (label IN ('normal', 'abnormal')),
    category   TEXT,
    gold       TEXT CHECK (gold IN ('normal', 'abnormal')),
    count      INTEGER NOT NULL DEFAULT 0,
    attributes TEXT NOT NULL DEFAULT '{}'
) STRICT;
CREATE INDEX templates_by_key ON templates (dataset, id, at);

CREATE TABLE votes (
    uid        TEXT PRIMARY KEY,
    at         INTEGER NOT NULL,
    dataset    TEXT NOT NULL,
    template   TEXT NOT NULL,
    annotator  TEXT NOT NULL,
    round      TEXT NOT NULL CHECK (round IN ('blind', 'panel')),
    judgement  TEXT CHECK (judgement IN ('normal', 'abnormal', 'unsure', 'skip')),
    category   TEXT,
    comment    TEXT,
    elapsed_ms INTEGER,
    undoes     TEXT,
    CHECK ((judgement IS NULL) = (undoes IS NOT NULL))
) STRICT;
CREATE INDEX votes_by_template ON votes (dataset, template, annotator, round, at);
CREATE INDEX votes_undone ON votes (undoes) WHERE undoes IS NOT NULL;

-- Rulings of a senior, and what patches brought.
CREATE TABLE rulings (
    uid      TEXT PRIMARY KEY,
    at       INTEGER NOT NULL,
    dataset  TEXT NOT NULL,
    template TEXT NOT NULL,
    label    TEXT CHECK (label IN ('normal', 'abnormal')),
    category TEXT,
    source   TEXT NOT NULL CHECK (source IN ('ruling', 'patch')),
    ruled_by TEXT NOT NULL,
    reason   TEXT,
    patch    TEXT,
    undoes   TEXT,
    CHECK ((label IS NULL) = (undoes IS NOT NULL))
) STRICT;
CREATE INDEX rulings_by_template ON rulings (dataset, template, at);
CREATE INDEX rulings_undone ON rulings (undoes) WHERE undoes IS NOT NULL;

-- Rationales, pairs and thoughts; `content` is the item as JSON.
CREATE TABLE items (
    uid     TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    kind    TEXT NOT NULL CHECK (kind IN ('rationale', 'pair', 'thought')),
    id      TEXT NOT NULL,
    content TEXT NOT NULL CHECK (json_valid(content))
) STRICT;
CREATE INDEX items_by_id ON items (kind, id, at);

CREATE TABLE reviews (
    uid      TEXT PRIMARY KEY,
    at       INTEGER NOT NULL,
    kind     TEXT NOT NULL CHECK (kind IN ('rationale', 'pair', 'thought')),
    item     TEXT NOT NULL,
    reviewer TEXT NOT NULL,
    verdict  TEXT CHECK (verdict IN ('accept', 'edit', 'reject')),
    text     TEXT,
    reason   TEXT,
    undoes   TEXT,
    CHECK ((verdict IS NULL) = (undoes IS NOT NULL)),
    CHECK ((verdict IS 'edit') = (text IS NOT NULL))
) STRICT;
CREATE INDEX reviews_by_item ON reviews (kind, item, at);
CREATE INDEX reviews_undone ON reviews (undoes) WHERE undoes IS NOT NULL;
CREATE INDEX templates_by_time ON templates (at);
CREATE INDEX votes_by_time ON votes (at);
CREATE INDEX rulings_by_time ON rulings (at);
CREATE INDEX items_by_time ON items (at);
CREATE INDEX reviews_by_time ON reviews (at);
