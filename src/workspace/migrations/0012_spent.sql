-- What is spent is asked before every request that a budget may not have room for.
CREATE INDEX completions_by_cost ON completions (cost);
CREATE INDEX sendings_by_cost ON sendings (uid, cost);
