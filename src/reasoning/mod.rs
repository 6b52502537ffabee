//! Reasoning about logs: rationales and their steps, thoughts, preference pairs.
