//! What an annotator did since the workbench was opened, and whether it went too fast.

use crate::labels::Judgement;
use crate::tui::widgets::counted;

/// Decisions faster than this, in milliseconds, are quick.
pub const QUICK_MS: u64 = 2000;

/// From so many quick decisions in a row on, the annotator is told.
pub const QUICK_RUN: usize = 5;

/// The session so far.
#[derive(Clone, Debug, Default)]
pub struct Session {
    /// Votes cast: normal, abnormal, unsure, skip.
    votes: [usize; 4],
    /// How long each decision took, in milliseconds.
    elapsed_ms: Vec<u64>,
    undone: usize,
    redone: usize,
    /// How many decisions in a row were quick, up to the last.
    run: usize,
    /// How many runs of quick decisions there were.
    runs: usize,
}

impl Session {
    /// A decision is on disk: a judgement of so many templates, after so long.
    pub fn decided(&mut self, judgement: &Judgement, templates: usize, elapsed_ms: u64) {
        let place = match judgement {
            Judgement::Normal => 0,
            Judgement::Abnormal(_) => 1,
            Judgement::Unsure => 2,
            Judgement::Skip => 3,
        };
        self.votes[place] += templates;
        self.elapsed_ms.push(elapsed_ms);
        self.run = if elapsed_ms < QUICK_MS { self.run + 1 } else { 0 };
        self.runs += usize::from(self.run == QUICK_RUN);
    }

    /// A decision was taken back. It stays in the counts: it was made, and took its time.
    pub fn took_back(&mut self) {
        self.undone += 1;
        self.run = 0;
    }

    /// A decision that was taken back counts again.
    pub fn took_again(&mut self) {
        self.redone += 1;
    }

    /// How many votes were cast.
    pub fn cast(&self) -> usize {
        self.votes.iter().sum()
    }

    /// A quiet word to someone who goes too fast, while they do.
    pub fn haste(&self) -> Option<String> {
        (self.run >= QUICK_RUN).then(|| format!("{} decisions in a row under 2 s", self.run))
    }

    /// The median time of a decision, in seconds.
    fn median_s(&self) -> Option<f64> {
        let mut times = self.elapsed_ms.clone();
        times.sort_unstable();
        let upper = *times.get(times.len() / 2)?;
        let lower = times[(times.len() - 1) / 2];
        Some((upper + lower) as f64 / 2000.0)
    }

    /// All of it, for reading.
    pub fn text(&self) -> String {
        let [normal, abnormal, unsure, skipped] = self.votes;
        let median = self.median_s().map_or_else(|| "none yet".to_owned(), |s| format!("{s:.1} s"));
        format!(
            "Votes cast          {}\n  normal            {normal}\n  abnormal          {abnormal}\n  \
             unsure            {unsure}\n  skipped           {skipped}\nDecisions           {}\n\
             Median time         {median}\nTaken back          {}\nCast again          {}\n\
             Runs under 2 s      {} (of {QUICK_RUN} decisions or more)",
            self.cast(),
            self.elapsed_ms.len(),
            self.undone,
            self.redone,
            self.runs,
        )
    }

    /// All of it on one line, if there is anything to tell.
    pub fn line(&self) -> Option<String> {
        let [normal, abnormal, unsure, skipped] = self.votes;
        let median = self.median_s()?;
        let mut line = format!(
            "{}: {normal} normal, {abnormal} abnormal, {unsure} unsure, {skipped} skipped; median {median:.1} s",
            counted(self.cast(), "vote"),
        );
        if self.undone > 0 {
            line += &format!("; {} taken back", self.undone);
        }
        if self.runs > 0 {
            line += &format!("; {} under 2 s", counted(self.runs, "run"));
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_quick_decisions_is_told_while_it_lasts_and_counted_once() {
        let mut session = Session::default();
        assert_eq!(session.line(), None);
        for _ in 0..4 {
            session.decided(&Judgement::Normal, 1, 900);
        }
        assert_eq!(session.haste(), None);
        session.decided(&Judgement::Abnormal(None), 1, 1999);
        session.decided(&Judgement::Unsure, 1, 100);
        assert_eq!(session.haste().as_deref(), Some("6 decisions in a row under 2 s"));
        session.decided(&Judgement::Skip, 3, 2000);
        assert_eq!(session.haste(), None);
        session.took_back();
        let line = "9 votes: 4 normal, 1 abnormal, 1 unsure, 3 skipped; median 0.9 s; 1 taken back; 1 run under 2 s";
        assert_eq!(session.line().as_deref(), Some(line));
        assert!(session.text().contains("Decisions           7"));
    }
}
