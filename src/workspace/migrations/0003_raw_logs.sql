-- Raw logs: which lines belong to which template, without a copy of the log. What is here follows from the files that
-- were imported; unlike what people say, it is brought up to date in place.

CREATE TABLE log_datasets (
    dataset TEXT PRIMARY KEY,
    -- Masks and Drain's settings: clusters found with one recipe cannot go on with another.
    recipe  TEXT NOT NULL CHECK (json_valid(recipe)),
    -- Rises with every chunk: two imports into one dataset cannot both go on from the same state.
    version INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE log_sources (
    id            INTEGER PRIMARY KEY,
    dataset       TEXT NOT NULL REFERENCES log_datasets (dataset),
    path          TEXT NOT NULL,
    given         TEXT NOT NULL,
    header        TEXT NOT NULL,
    compression   TEXT NOT NULL CHECK (compression IN ('plain', 'gzip', 'zstd')),
    -- Of the file when it was last read; `modified` in nanoseconds since 1970.
    size          INTEGER NOT NULL,
    modified      INTEGER NOT NULL,
    -- Read so far: lines, and bytes of the (uncompressed) log.
    lines         INTEGER NOT NULL DEFAULT 0,
    bytes         INTEGER NOT NULL DEFAULT 0,
    skipped       INTEGER NOT NULL DEFAULT 0,
    first_skipped INTEGER,
    -- Whether the last line read had its line end, and whether the file ended behind it.
    line_ended    INTEGER NOT NULL DEFAULT 1,
    complete      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX log_sources_by_path ON log_sources (dataset, path, id);

-- Some ten thousand lines each. `records` has cluster, length and tag of every line, `counts` the sum for each cluster;
-- their forms are described in the code. `crc` is the CRC-32 of the bytes from `start` to `end`.
CREATE TABLE log_chunks (
    id         INTEGER PRIMARY KEY,
    source     INTEGER NOT NULL REFERENCES log_sources (id),
    first_line INTEGER NOT NULL,
    lines      INTEGER NOT NULL,
    start      INTEGER NOT NULL,
    end        INTEGER NOT NULL,
    crc        INTEGER NOT NULL,
    records    BLOB NOT NULL,
    counts     BLOB NOT NULL
) STRICT;
CREATE INDEX log_chunks_by_source ON log_chunks (source, id);

-- Drain's state.
CREATE TABLE log_clusters (
    dataset  TEXT NOT NULL REFERENCES log_datasets (dataset),
    number   INTEGER NOT NULL,
    id       TEXT NOT NULL,
    template BLOB NOT NULL,
    lead     BLOB NOT NULL,
    overflow INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (dataset, number)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX log_clusters_by_id ON log_clusters (dataset, id);

CREATE TABLE log_tags (
    dataset TEXT NOT NULL REFERENCES log_datasets (dataset),
    number  INTEGER NOT NULL,
    tag     TEXT NOT NULL,
    PRIMARY KEY (dataset, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE log_samples (
    dataset TEXT NOT NULL REFERENCES log_datasets (dataset),
    cluster INTEGER NOT NULL,
    place   INTEGER NOT NULL,
    line    TEXT NOT NULL,
    PRIMARY KEY (dataset, cluster, place)
) STRICT, WITHOUT ROWID;
