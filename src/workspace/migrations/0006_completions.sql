-- What a teacher model replied, kept as soon as it is whole, so that the same question is never paid for twice. `key` is the
-- SHA-256 of the model and the question with the number of its sample; where it was asked does not count.

CREATE TABLE completions (
    uid               TEXT PRIMARY KEY,
    at                INTEGER NOT NULL,
    key               TEXT NOT NULL,
    -- What it was asked for, such as `rationales`.
    job               TEXT NOT NULL,
    model             TEXT NOT NULL,
    -- How it ended. `lost`: it may have been paid for, and nothing of it can be used.
    finish            TEXT NOT NULL CHECK (finish IN ('stop', 'length', 'other', 'lost')),
    reply             TEXT NOT NULL,
    prompt_tokens     INTEGER,
    completion_tokens INTEGER,
    -- Billionths of a US dollar; NULL where the price is unknown. What is `lost` costs the most that it may have.
    cost              INTEGER CHECK (cost >= 0)
) STRICT;
CREATE INDEX completions_by_key ON completions (key, at);
CREATE INDEX completions_by_time ON completions (at);
