-- What a rule or a model would say of a template: shown to an annotator only after the vote, and compared with it.
CREATE TABLE suggestions (
    uid      TEXT PRIMARY KEY,
    at       INTEGER NOT NULL,
    dataset  TEXT NOT NULL,
    template TEXT NOT NULL,
    source   TEXT NOT NULL,
    label    TEXT NOT NULL CHECK (label IN ('normal', 'abnormal')),
    -- Log-odds of abnormal, where the source has them.
    margin   REAL
) STRICT;
CREATE INDEX suggestions_by_template ON suggestions (dataset, template, at);
CREATE INDEX suggestions_by_time ON suggestions (at);
