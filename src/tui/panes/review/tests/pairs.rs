//! Pairs: their sides, edited and swapped.

use super::*;
use crate::reasoning::Reviewable;

fn pair(bench: &Bench) -> crate::reasoning::Pair {
    let queue = bench.workspace.review_queue().unwrap();
    match queue.iter().find(|queued| queued.item.id() == "p-1").unwrap().current() {
        Reviewable::Pair(pair) => pair,
        _ => panic!("p-1 is a pair"),
    }
}

#[test]
fn the_shared_start_is_one_row_until_it_is_opened() {
    let mut bench = Bench::new();
    bench.press("right");
    let shown = screen(&bench.state, 80, 24);
    assert!(shown.contains("= Shared step 1: .. of the memory was replaced."), "{shown}");
    bench.press("o");
    assert!(screen(&bench.state, 80, 24).contains("= Shared step 1 ─"));
}

#[test]
fn swapping_the_sides_is_an_edit_that_swapping_again_takes_away() {
    let mut bench = Bench::new();
    let before = pair(&bench);
    bench.press("right s");
    let after = pair(&bench);
    assert_eq!((&after.chosen, &after.rejected), (&before.rejected, &before.chosen));
    assert_eq!((after.first_wrong_step, bench.standing(ItemKind::Pair, "p-1")), (2, Standing::Edited));
    assert_eq!(bench.front(), "p-1", "what was done to it is to be seen");
    assert!(bench.toast().starts_with("saved; still flagged: answer is not the label"), "{}", bench.toast());
    bench.press("s");
    assert_eq!((pair(&bench), bench.standing(ItemKind::Pair, "p-1")), (before, Standing::Accepted));
}

#[test]
fn either_side_is_edited_and_the_other_stays() {
    let mut bench = Bench::new();
    bench.press("right E alt-< home");
    for _ in 0.."<solutions>1. A".len() {
        bench.press("delete");
    }
    bench.type_text("<solutions>1. The");
    bench.press("ctrl-s");
    let after = pair(&bench);
    assert!(after.rejected.starts_with("<solutions>1. The lane"), "{}", after.rejected);
    assert_eq!(after.first_wrong_step, 1, "where the sides part now");
    assert!(screen(&bench.state, 200, 60).contains("What the edit changed of the rejected side"));
    bench.press("e alt-< home delete ctrl-s");
    let both = pair(&bench);
    assert!(both.chosen.starts_with("solutions>"));
    assert_eq!(both.rejected, after.rejected, "the earlier edit stays");
    bench.press("u u");
    assert_eq!(bench.standing(ItemKind::Pair, "p-1"), Standing::Pending);
}

#[test]
fn only_a_pair_has_sides() {
    let mut bench = Bench::new();
    bench.press("s");
    assert_eq!(bench.toast(), "only a pair has two sides");
    bench.press("E");
    assert_eq!(bench.toast(), "only a pair has two sides");
    assert!(bench.state.overlay.is_none());
}

#[test]
fn checks_are_told_with_words() {
    let mut bench = Bench::new();
    bench.press("right");
    let shown = screen(&bench.state, 200, 60);
    for check in ["+\u{a0}same\u{a0}start", "+\u{a0}only\u{a0}chosen\u{a0}is\u{a0}right", "+\u{a0}turns\u{a0}round"] {
        assert!(shown.contains(check), "{check} in {shown}");
    }
}
