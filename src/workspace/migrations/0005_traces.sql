-- What a model said of a log, kept to be looked at again: `content` is the whole trace as JSON, the other columns what a
-- list of them needs. `id` follows from what was said alone, so that keeping a trace twice keeps it once.

CREATE TABLE traces (
    uid              TEXT PRIMARY KEY,
    at               INTEGER NOT NULL,
    id               TEXT NOT NULL,
    kept_by          TEXT NOT NULL,
    dataset          TEXT,
    template         TEXT,
    input            TEXT NOT NULL,
    model            TEXT NOT NULL,
    -- What tells the base from others, whatever its name is.
    base_fingerprint TEXT,
    adapter          TEXT,
    verdict          TEXT CHECK (verdict IN ('normal', 'abnormal')),
    -- The template's gold label as the trace was kept.
    gold             TEXT CHECK (gold IN ('normal', 'abnormal')),
    content          TEXT NOT NULL CHECK (json_valid(content)),
    CHECK ((dataset IS NULL) = (template IS NULL))
) STRICT;
CREATE INDEX traces_by_id ON traces (id, at);
CREATE INDEX traces_by_template ON traces (dataset, template, at) WHERE template IS NOT NULL;
CREATE INDEX traces_by_time ON traces (at);

-- Somebody says that a trace is wrong, or says so no longer; the newest row of each trace says whether it is contested.
CREATE TABLE contests (
    uid    TEXT PRIMARY KEY,
    at     INTEGER NOT NULL,
    trace  TEXT NOT NULL,
    by     TEXT NOT NULL,
    raised INTEGER NOT NULL CHECK (raised IN (0, 1)),
    reason TEXT
) STRICT;
CREATE INDEX contests_by_trace ON contests (trace, at);
CREATE INDEX contests_by_time ON contests (at);
