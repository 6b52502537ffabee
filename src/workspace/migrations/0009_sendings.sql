-- A request to a teacher model, written before it is sent. Whatever ends the program from then on, it is known that it may
-- have been paid for; so it is not sent again unless somebody says so.
CREATE TABLE sendings (
    uid     TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    -- What the completion would be kept under.
    key     TEXT NOT NULL,
    job     TEXT NOT NULL,
    model   TEXT NOT NULL,
    -- Which run of the program sent it: a file of that name is locked while that one lives.
    process TEXT NOT NULL,
    -- The most that it may cost, in billionths of a US dollar; NULL where the price is unknown.
    cost    INTEGER CHECK (cost >= 0)
) STRICT;
CREATE INDEX sendings_by_key ON sendings (key, at);
CREATE INDEX sendings_by_time ON sendings (at);

-- What became of it. `answered`: a completion is kept. `lost`: it may have been paid for, and nothing of it can be used; a
-- completion says what it may have cost. `unpaid`: the service refused, or was never reached.
CREATE TABLE settlements (
    uid     TEXT PRIMARY KEY,
    at      INTEGER NOT NULL,
    sending TEXT NOT NULL,
    outcome TEXT NOT NULL CHECK (outcome IN ('answered', 'lost', 'unpaid'))
) STRICT;
CREATE INDEX settlements_by_sending ON settlements (sending);
CREATE INDEX settlements_by_time ON settlements (at);
