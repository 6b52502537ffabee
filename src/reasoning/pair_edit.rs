//! What a reviewer changes of a pair, as one text: its chosen side, and where the rejected one changes too, that under a line
//! of its own.

use super::{Pair, Step, parse};

/// What stands between the sides where both change.
const REJECTED: &str = "\n=== rejected ===\n";

impl Pair {
    /// The text of an edit that makes the sides these.
    pub fn edit(&self, chosen: &str, rejected: &str) -> String {
        // A chosen side that holds the line itself is told from the rejected one by a second such line.
        if rejected == self.rejected && !chosen.contains(REJECTED) {
            chosen.to_owned()
        } else {
            format!("{chosen}{REJECTED}{rejected}")
        }
    }

    /// The text of an edit that has each side take the place of the other.
    pub fn swapped(&self) -> (String, String) {
        (self.rejected.clone(), self.chosen.clone())
    }

    /// Takes in an edit. Where it changes the rejected side, the first wrong step is where the sides part.
    pub(super) fn take_edit(&mut self, text: &str) {
        let Some((chosen, rejected)) = text.rsplit_once(REJECTED) else {
            text.clone_into(&mut self.chosen);
            return;
        };
        chosen.clone_into(&mut self.chosen);
        if rejected != self.rejected {
            rejected.clone_into(&mut self.rejected);
            let (chosen, rejected) = (parse(chosen).steps, parse(rejected).steps);
            let same = |(a, b): &(&Step, &Step)| a.text == b.text;
            let shared = chosen.iter().zip(&rejected).take_while(same).count();
            self.first_wrong_step = (shared + 1).min(rejected.len().max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::{Reviewable, Task};
    use proptest::prelude::*;

    fn pair(chosen: &str, rejected: &str, first_wrong_step: usize) -> Pair {
        Pair {
            id: "p".into(),
            task: Task::Anomaly,
            instruction: String::new(),
            input: "x".into(),
            label: "normal".into(),
            chosen: chosen.into(),
            rejected: rejected.into(),
            first_wrong_step,
            attributes: serde_json::Map::new(),
        }
    }

    const RIGHT: &str = "<solutions>1. a\n2. b\n3. But wait, c</solutions><answer>normal</answer>";
    const WRONG: &str = "<solutions>1. a\n2. b\n3. d</solutions><answer>abnormal</answer>";

    #[test]
    fn an_edit_of_the_chosen_side_is_that_side() {
        let before = pair(RIGHT, WRONG, 3);
        assert_eq!(before.edit("new", WRONG), "new");
        let mut after = before.clone();
        after.take_edit("new");
        assert_eq!(after, pair("new", WRONG, 3));
    }

    #[test]
    fn an_edit_of_both_finds_where_they_part() {
        let wrong = "<solutions>1. a\n2. e</solutions><answer>abnormal</answer>";
        let before = pair(RIGHT, WRONG, 3);
        let mut after = before.clone();
        after.take_edit(&before.edit(RIGHT, wrong));
        assert_eq!(after, pair(RIGHT, wrong, 2));
    }

    #[test]
    fn swapping_twice_is_doing_nothing() {
        let before = pair(RIGHT, WRONG, 3);
        let (chosen, rejected) = before.swapped();
        let item = Reviewable::Pair(before.clone()).with_text(&before.edit(&chosen, &rejected));
        let Reviewable::Pair(once) = item else { panic!("it is a pair still") };
        assert_eq!(once, pair(WRONG, RIGHT, 3));
        let (chosen, rejected) = once.swapped();
        assert_eq!(before.edit(&chosen, &rejected), RIGHT, "which is the text that it came with");
    }

    proptest! {
        #[test]
        fn both_sides_come_back(
            chosen in "(a|\n|=== rejected ===){0,6}",
            old in "[a-c]{0,3}",
            rejected in "[a-c\n]{0,9}",
        ) {
            let before = pair("x", &old, 1);
            let mut after = before.clone();
            after.take_edit(&before.edit(&chosen, &rejected));
            prop_assert_eq!((after.chosen, after.rejected), (chosen, rejected));
        }
    }
}
