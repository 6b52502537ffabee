//! What people say about templates: labels, votes, rounds, agreement, adjudication and the patch.
