//! Where an item stands: what its reviewers' decisions come to. Everything that asks goes through [`Decided::of`].

use serde::{Deserialize, Serialize};

use super::{Review, Reviewable, SAME_ANSWER, Standing, Verdict};
use crate::labels::Label;

/// How a project reviews: a part of its settings.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReviewRule {
    /// How many reviewers must agree before an item stands, 1 or 2. With 1, the newest decision counts; with 2, a third
    /// reviewer who sees that two do not agree decides, for one of them or with an edit of their own.
    pub reviewers: usize,
    /// An item is too short with fewer words than this share of the median of its task.
    pub too_short: f64,
    /// An item is too long with more words than so many times the median of its task.
    pub too_long: f64,
    /// From this similarity (0–1, shared words and pairs of words by all of them) on, an item repeats another.
    pub near_duplicate: f64,
    /// From this likeness (ROUGE-L, 0–1) on, an answer in free text says the same as its reference.
    pub same_answer: f64,
}

impl Default for ReviewRule {
    fn default() -> Self {
        Self { reviewers: 1, too_short: 0.4, too_long: 2.5, near_duplicate: 0.8, same_answer: SAME_ANSWER }
    }
}

impl ReviewRule {
    /// What cannot be, if anything: the setting's name and why.
    pub fn complaint(&self) -> Option<(&'static str, String)> {
        let Self { reviewers, too_short, too_long, near_duplicate, same_answer } = *self;
        if !(1..=2).contains(&reviewers) {
            return Some(("reviewers", format!("review reviewers {reviewers} is neither 1 nor 2")));
        }
        if !(0.0..1.0).contains(&too_short) {
            return Some(("too_short", format!("review too_short {too_short} is not at least 0 and under 1")));
        }
        if too_long.is_nan() || too_long <= 1.0 {
            return Some(("too_long", format!("review too_long {too_long} is not above 1")));
        }
        if !(near_duplicate > 0.0 && near_duplicate <= 1.0) {
            let why = format!("review near_duplicate {near_duplicate} is not above 0 and at most 1");
            return Some(("near_duplicate", why));
        }
        if !(same_answer > 0.0 && same_answer <= 1.0) {
            return Some(("same_answer", format!("review same_answer {same_answer} is not above 0 and at most 1")));
        }
        None
    }
}

/// What reviewers' decisions come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decided {
    /// Where the item stands.
    pub standing: Standing,
    /// How it reads now, where an edit says otherwise than it came: what it trains with, or where it does not train, what
    /// the newest review of it leaves.
    #[serde(skip)]
    pub text: Option<String>,
    /// Whether reviewers say different things, and no majority of them says one.
    pub disputed: bool,
    /// Whether the label is no longer what the item came with or, once reviewed, what it was reviewed for.
    pub label_changed: bool,
    /// Whether it was decided, but for another text than it has now.
    pub text_changed: bool,
    /// Whose decisions count.
    #[serde(skip)]
    pub counting: Vec<String>,
    /// How many reviewers must agree.
    #[serde(skip)]
    pub reviewers: usize,
    /// Whether more than must agree say each something else, and none of them knew: whoever sees it now may decide.
    #[serde(skip)]
    pub tied: bool,
}

/// What a decision leaves: nothing, or a text that trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome<'a> {
    Rejected,
    Text(&'a str),
}

impl Decided {
    /// What `decisions` come to: each reviewer's newest, the oldest first. `truth` is the label that is held true of the
    /// item's log now, where it is one.
    ///
    /// A decision holds for the text that was judged: where the item has another one now, it does not count. An acceptance
    /// holds for the label that was held true as it was made, too. Two reviewers agree if both reject, or both accept with
    /// the same text.
    pub fn of(item: &Reviewable, decisions: &[Review], truth: Option<Label>, reviewers: usize) -> Self {
        let came_with = item.label();
        let original = item.text();
        // Only where it is needed: most items wait for their first decision.
        let judged = decisions.iter().any(|review| review.judged.is_some()).then(|| item.judged());
        let of_this_text = |review: &Review| judged.as_deref().is_none_or(|judged| review.is_about(judged));
        let outdated = |review: &Review| truth.is_some() && review.label.or(came_with) != truth;
        let counts = |review: &Review| of_this_text(review) && !(review.verdict.accepts() && outdated(review));
        let left = |review| outcome(review, &original);

        let counting: Vec<&Review> = decisions.iter().filter(|review| counts(review)).collect();
        let mut tally: Vec<(Outcome<'_>, usize)> = Vec::new();
        for outcome in counting.iter().map(|review| left(review)) {
            match tally.iter_mut().find(|(known, _)| *known == outcome) {
                Some((_, count)) => *count += 1,
                None => tally.push((outcome, 1)),
            }
        }
        let (stands, disputed, tied) = if reviewers <= 1 {
            let accepting = counting.iter().filter(|review| review.verdict.accepts()).count();
            let newest = decisions.last().filter(|review| counts(review));
            (newest.map(left), accepting > 0 && accepting * 2 == counting.len(), false)
        } else {
            let most = tally.iter().map(|(_, count)| *count).max().unwrap_or(0);
            let mut leading = tally.iter().filter(|(_, count)| *count == most);
            let agreed = leading.next().filter(|_| most >= reviewers && leading.next().is_none());
            // Where more than must agree say each something else, the newest tie-break decides, such as a third reviewer's
            // edit of their own. Nobody decides who did not know that there was anything to decide.
            let open = most == 1 && counting.len() > reviewers;
            let decides = counting.iter().rfind(|review| open && is_tie_break(review, reviewers));
            let stands = agreed.map(|(outcome, _)| *outcome).or(decides.map(|review| left(review)));
            (stands, stands.is_none() && tally.len() > 1, open && stands.is_none())
        };
        let newest = decisions.iter().rfind(|review| of_this_text(review));
        let (standing, reads) = match stands {
            None => (Standing::Pending, newest.map(left)),
            Some(Outcome::Rejected) => (Standing::Rejected, newest.map(left)),
            Some(Outcome::Text(text)) if text == original => (Standing::Accepted, None),
            Some(Outcome::Text(text)) => (Standing::Edited, Some(Outcome::Text(text))),
        };
        let text = match reads {
            Some(Outcome::Text(text)) if text != original => Some(text.to_owned()),
            _ => None,
        };
        let label_changed = match newest {
            Some(newest) => outdated(newest),
            None => truth.is_some() && came_with != truth,
        };
        let mut lately = decisions.iter().rev().take(if reviewers <= 1 { 1 } else { decisions.len() });
        let text_changed = standing == Standing::Pending && lately.any(|review| !of_this_text(review));
        let counting = counting.into_iter().map(|review| review.reviewer.clone()).collect();
        Self { standing, text, disputed, label_changed, text_changed, counting, reviewers, tied }
    }

    /// Whether the item waits for a decision of `reviewer`: it is pending, and they have said nothing that still counts, or
    /// nobody who has knew what the others say.
    pub fn waits_for(&self, reviewer: &str) -> bool {
        let said = self.reviewers > 1 && self.counting.iter().any(|known| known == reviewer);
        self.standing == Standing::Pending && (!said || self.tied)
    }

    /// Whether reviewers must not see yet what others said of the item: two must agree, and not so many have decided.
    pub fn is_blind(&self) -> bool {
        self.reviewers > 1 && self.counting.len() < self.reviewers
    }

    /// How many decisions count, where several reviewers decide and everybody sees them.
    pub fn open_decisions(&self) -> Option<usize> {
        (self.reviewers > 1 && !self.is_blind()).then_some(self.counting.len())
    }

    /// How many decisions of others that count `reviewer` has in sight.
    pub fn in_sight_of(&self, reviewer: &str) -> u32 {
        if self.is_blind() {
            return 0;
        }
        let others = self.counting.iter().filter(|known| *known != reviewer).count();
        u32::try_from(others).unwrap_or(u32::MAX)
    }

    /// Accepting the item as it reads now: an edited thing as edited, and not turned back.
    pub fn accepting(&self) -> Verdict {
        self.text.as_ref().map_or(Verdict::Accept, |text| Verdict::Edit(text.clone()))
    }

    /// Whether a decision made of it is for a label or a text that it has no longer: it wants to be looked at.
    pub fn is_outdated(&self, decisions: &[Review]) -> bool {
        self.text_changed || (self.label_changed && !decisions.is_empty())
    }
}

/// Whether a decision was made in sight of as many others as must agree.
fn is_tie_break(review: &Review, reviewers: usize) -> bool {
    usize::try_from(review.in_sight).is_ok_and(|others| others >= reviewers)
}

fn outcome<'a>(review: &'a Review, original: &'a str) -> Outcome<'a> {
    match &review.verdict {
        Verdict::Accept => Outcome::Text(original),
        Verdict::Edit(text) => Outcome::Text(text),
        Verdict::Reject => Outcome::Rejected,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasoning::{ItemKind, Rationale, Task};
    use jiff::Timestamp;
    use proptest::prelude::*;
    use proptest::sample;
    use serde_json::Map;

    const TEXT: &str = "<think>a</think><answer>normal</answer>";

    fn item() -> Reviewable {
        Reviewable::Rationale(Rationale {
            id: "r".into(),
            task: Task::Anomaly,
            instruction: String::new(),
            input: "x".into(),
            label: "normal".into(),
            category: None,
            reasoning: TEXT.into(),
            source: None,
            attributes: Map::new(),
        })
    }

    fn says(reviewer: &str, verdict: Verdict, label: Option<Label>) -> Review {
        let at = Timestamp::UNIX_EPOCH;
        Review {
            kind: ItemKind::Rationale,
            item: "r".into(),
            reviewer: reviewer.into(),
            verdict,
            label,
            judged: None,
            in_sight: 0,
            reason: None,
            at,
        }
    }

    fn decided(decisions: &[Review], truth: Label, reviewers: usize) -> (Standing, bool, bool) {
        let decided = Decided::of(&item(), decisions, Some(truth), reviewers);
        (decided.standing, decided.disputed, decided.label_changed)
    }

    use Label::{Abnormal, Normal};
    use Verdict::{Accept, Reject};

    #[test]
    fn one_reviewer_decides_alone_and_the_newest_counts() {
        let ana = |verdict| says("ana", verdict, None);
        assert_eq!(decided(&[], Normal, 1), (Standing::Pending, false, false));
        assert_eq!(decided(&[ana(Accept)], Normal, 1), (Standing::Accepted, false, false));
        assert_eq!(decided(&[ana(Accept), says("bo", Reject, None)], Normal, 1), (Standing::Rejected, true, false));
        let edited = Decided::of(&item(), &[ana(Verdict::Edit("t".into()))], None, 1);
        assert_eq!((edited.standing, edited.text.as_deref()), (Standing::Edited, Some("t")));
        assert_eq!(decided(&[ana(Verdict::Edit(TEXT.into()))], Normal, 1).0, Standing::Accepted);
    }

    #[test]
    fn two_reviewers_must_agree_and_a_third_decides() {
        let edit = || Verdict::Edit("t".into());
        let (ana, bo, cy) = (
            |verdict| says("ana", verdict, None),
            |verdict| says("bo", verdict, None),
            |verdict| Review { in_sight: 2, ..says("cy", verdict, None) },
        );
        assert_eq!(decided(&[ana(Accept)], Normal, 2), (Standing::Pending, false, false));
        assert_eq!(decided(&[ana(Accept), bo(Accept)], Normal, 2).0, Standing::Accepted);
        assert_eq!(decided(&[ana(Reject), bo(Reject)], Normal, 2).0, Standing::Rejected);
        assert_eq!(decided(&[ana(Accept), bo(Reject)], Normal, 2), (Standing::Pending, true, false));
        assert_eq!(decided(&[ana(Accept), bo(Reject), cy(Reject)], Normal, 2), (Standing::Rejected, false, false));
        assert_eq!(decided(&[ana(Accept), bo(edit())], Normal, 2), (Standing::Pending, true, false), "two texts");
        assert_eq!(decided(&[bo(edit()), ana(edit())], Normal, 2).0, Standing::Edited);
        assert_eq!(
            decided(&[ana(Accept), bo(Reject), cy(edit())], Normal, 2),
            (Standing::Edited, false, false),
            "own words"
        );
        let blind = [ana(Accept), bo(Reject), says("cy", edit(), None)];
        assert_eq!(decided(&blind, Normal, 2), (Standing::Pending, true, false), "cy saw neither");
        let all = Decided::of(&item(), &blind, Some(Normal), 2);
        assert!(["ana", "bo", "cy", "di"].iter().all(|who| all.waits_for(who)), "any of them may look and decide");
        let late = [blind[2].clone(), ana(Accept), bo(Reject), Review { in_sight: 3, ..says("di", Reject, None) }];
        assert_eq!(decided(&late, Normal, 2), (Standing::Rejected, false, false), "two of four");
        let fourth = says("di", Reject, None);
        let split = [ana(Accept), bo(Reject), cy(Accept), fourth];
        assert_eq!(decided(&split, Normal, 2), (Standing::Pending, true, false), "two against two");
    }

    /// Decisions of reviewers who are blind to one another, and the same in another order.
    fn blind() -> impl Strategy<Value = (Vec<Review>, Vec<Review>)> {
        let edit = |text: &str| Verdict::Edit(text.into());
        let verdicts = proptest::collection::vec(sample::select(vec![Accept, Reject, edit("t"), edit("u")]), 0..6);
        verdicts.prop_flat_map(|verdicts| {
            let decision = |(n, verdict)| says(&format!("reviewer {n}"), verdict, None);
            let decisions: Vec<Review> = verdicts.into_iter().enumerate().map(decision).collect();
            (Just(decisions.clone()), Just(decisions).prop_shuffle())
        })
    }

    proptest! {
        #[test]
        fn blind_decisions_come_to_the_same_in_any_order((blind, shuffled) in blind()) {
            let (told, other) = (decided(&blind, Normal, 2), decided(&shuffled, Normal, 2));
            prop_assert_eq!((told.0, told.1), (other.0, other.1));
            // What stands is what at least two say.
            let same = |one: &Review| blind.iter().filter(|other| other.verdict == one.verdict).count();
            prop_assert!(told.0 == Standing::Pending || blind.iter().any(|one| same(one) >= 2));
        }

        #[test]
        fn a_tie_break_decides_wherever_it_stands_among_those_that_differ(place in 0..4_usize) {
            let all = [Accept, Reject, Verdict::Edit("u".into())];
            let decision = |(n, verdict)| says(&format!("reviewer {n}"), verdict, None);
            let mut decisions: Vec<Review> = all.into_iter().enumerate().map(decision).collect();
            prop_assert_eq!(decided(&decisions, Normal, 2), (Standing::Pending, true, false));
            let tie_break = Review { in_sight: 2, ..says("cy", Verdict::Edit("t".into()), None) };
            decisions.insert(place, tie_break);
            let decided = Decided::of(&item(), &decisions, None, 2);
            prop_assert_eq!((decided.standing, decided.text.as_deref()), (Standing::Edited, Some("t")));
        }
    }

    #[test]
    fn an_acceptance_holds_for_the_label_that_it_was_made_for() {
        let before = || says("ana", Accept, Some(Normal));
        assert_eq!(decided(&[before()], Normal, 1), (Standing::Accepted, false, false));
        assert_eq!(decided(&[before()], Abnormal, 1), (Standing::Pending, false, true));
        assert_eq!(
            decided(&[says("ana", Accept, None)], Abnormal, 1).0,
            Standing::Pending,
            "made before labels were noted"
        );
        assert_eq!(decided(&[says("ana", Accept, Some(Abnormal))], Abnormal, 1), (Standing::Accepted, false, false));
        assert_eq!(decided(&[], Abnormal, 1), (Standing::Pending, false, true));
        let again = [before(), says("bo", Accept, Some(Abnormal))];
        assert_eq!(decided(&again, Abnormal, 2), (Standing::Pending, false, false), "one of two is outdated");
        assert_eq!(decided(&[says("ana", Reject, Some(Normal))], Abnormal, 1), (Standing::Rejected, false, true));
    }

    /// A decision of an item that read `reasoning` then.
    fn on(reasoning: &str, reviewer: &str, verdict: Verdict) -> Review {
        Review { judged: Some(item().with_text(reasoning).judged()), ..says(reviewer, verdict, None) }
    }

    #[test]
    fn a_decision_holds_for_the_text_that_was_judged() {
        let old = "<think>old</think><answer>normal</answer>";
        for verdict in [Accept, Reject, Verdict::Edit("edited".into())] {
            let stale = Decided::of(&item(), &[on(old, "ana", verdict.clone())], Some(Normal), 1);
            assert_eq!((stale.standing, stale.text_changed, stale.text.as_deref()), (Standing::Pending, true, None));
            assert!(stale.waits_for("ana") && stale.accepting() == Accept);
            let fresh = Decided::of(&item(), &[on(TEXT, "ana", verdict)], Some(Normal), 1);
            assert_ne!((fresh.standing, fresh.text_changed), (Standing::Pending, true));
        }
        let both = [on(old, "ana", Reject), on(TEXT, "bo", Accept)];
        assert_eq!(decided(&both, Normal, 1), (Standing::Accepted, false, false), "what is stale disputes nothing");
        let unnoted = says("ana", Accept, None);
        assert_eq!(decided(&[unnoted], Normal, 1).0, Standing::Accepted, "made before texts were noted");
    }

    #[test]
    fn with_two_reviewers_it_waits_for_whoever_judged_another_text() {
        let old = "<think>old</think><answer>normal</answer>";
        let reviews = [on(old, "ana", Accept), on(old, "bo", Accept)];
        assert_eq!(Decided::of(&item(), &reviews, Some(Normal), 2).counting, [""; 0]);
        let again = Decided::of(&item(), &[on(old, "bo", Accept), on(TEXT, "ana", Accept)], Some(Normal), 2);
        assert_eq!((again.standing, again.text_changed), (Standing::Pending, true));
        assert!(again.waits_for("bo") && !again.waits_for("ana"));
        let done = Decided::of(&item(), &[on(TEXT, "ana", Accept), on(TEXT, "bo", Accept)], Some(Normal), 2);
        assert_eq!((done.standing, done.text_changed), (Standing::Accepted, false));
    }

    #[test]
    fn accepting_is_accepting_what_is_read() {
        let edit = |reviewer| says(reviewer, Verdict::Edit("t".into()), None);
        let two = [edit("ana"), edit("bo"), says("cy", Reject, None)];
        assert_eq!(Decided::of(&item(), &two, Some(Normal), 2).accepting(), Verdict::Edit("t".into()));
        assert_eq!(Decided::of(&item(), &[edit("ana")], None, 1).accepting(), Verdict::Edit("t".into()));
        assert_eq!(Decided::of(&item(), &[edit("ana"), says("bo", Reject, None)], None, 1).accepting(), Accept);
        assert_eq!(Decided::of(&item(), &[edit("ana"), says("ana", Accept, None)], None, 1).accepting(), Accept);
        assert_eq!(Decided::of(&item(), &[], None, 1).accepting(), Accept);
    }
}
