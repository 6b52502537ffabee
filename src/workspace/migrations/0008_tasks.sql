-- Logs with the truth about them for tasks other than anomalies: what a teacher, or the model itself, is asked about.
CREATE TABLE tasks (
    uid         TEXT PRIMARY KEY,
    at          INTEGER NOT NULL,
    task        TEXT NOT NULL,
    id          TEXT NOT NULL,
    dataset     TEXT,
    log         TEXT NOT NULL,
    description TEXT,
    answer      TEXT NOT NULL
) STRICT;
CREATE INDEX tasks_by_id ON tasks (task, id, at);
CREATE INDEX tasks_by_time ON tasks (at);
