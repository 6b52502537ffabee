//! What one member of the panel may see: the cases before it, anonymised, and nothing of a blind vote before their own.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;
use serde::Serialize;

use super::{RoundStatus, TemplateRecord, Workspace, WorkspaceError};
use crate::labels::agreement::{Agreement, Bootstrap};
use crate::labels::{
    Category, ConsensusRule, Correction, Gold, Judgement, Label, LabelledTemplate, PanelCase, PanelReason, Phase,
    Round, Table1, Tally, Vote, VoteTable, corrections, panel_cases,
};
use crate::logs::TemplateKey;

/// The panel's work as one member may see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PanelBoard {
    /// Where the process stands.
    pub phase: Phase,
    /// Where each round stands.
    pub rounds: [RoundStatus; 2],
    /// When votes alone settle a template.
    pub consensus: ConsensusRule,
    /// The share of unanimous templates that the panel looks at too.
    pub unanimous_share: f64,
    /// Whether this member may close rounds and rule.
    pub senior: bool,
    /// How many cases are hidden: while the blind round is open, those on which this member has given no label.
    pub hidden: usize,
    /// The others: disagreements, then samples, each in order of keys.
    pub cases: Vec<PanelItem>,
    /// While the blind round is open, what this member has judged, and may see; else nothing.
    #[serde(skip)]
    judged: HashSet<TemplateKey>,
}

impl PanelBoard {
    /// Whether this member may see what others say of a template, and what became of it.
    pub fn may_see(&self, template: &TemplateKey) -> bool {
        self.phase != Phase::Blind || self.judged.contains(template)
    }
}

/// A template before the panel.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PanelItem {
    /// Which.
    #[serde(flatten)]
    pub key: TemplateKey,
    /// Its text, raw.
    #[serde(rename = "template")]
    pub text: String,
    /// How often it occurred.
    pub count: u64,
    /// The label that it came with.
    pub original: Option<Label>,
    /// The category that it came with.
    pub original_category: Option<Category>,
    /// Why it is before the panel.
    pub why: PanelReason,
    /// What everybody says.
    pub voices: Vec<PanelVoice>,
    /// What was remarked, in order of time.
    pub comments: Vec<PanelComment>,
    /// The final label, once there is one.
    pub gold: Option<Gold>,
}

impl PanelItem {
    /// How many say normal, and how many abnormal, now.
    pub fn tally(&self) -> Tally {
        let mut tally = Tally::default();
        self.voices.iter().filter_map(|voice| voice.now()?.judgement.label()).for_each(|label| tally.add(label));
        tally
    }

    /// What this member says.
    pub fn own(&self) -> Option<&PanelVoice> {
        self.voices.iter().find(|voice| voice.you)
    }
}

/// What one member of the panel says, under a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PanelVoice {
    /// `A`, `B` … in an order that is another for each template.
    pub letter: String,
    /// Whether it is one's own.
    pub you: bool,
    /// Whose it is: only for a senior, and only once the panel round is closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The blind vote.
    pub blind: Option<Said>,
    /// The vote in the panel round.
    pub panel: Option<Said>,
}

impl PanelVoice {
    /// What they say now.
    pub fn now(&self) -> Option<&Said> {
        self.panel.as_ref().or(self.blind.as_ref())
    }
}

/// A vote without its voter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Said {
    /// What was said.
    #[serde(flatten)]
    pub judgement: Judgement,
    /// What was added in words.
    pub comment: Option<String>,
    /// What the others said at that moment; for panel votes.
    pub others: Option<Tally>,
}

impl From<Vote> for Said {
    fn from(vote: Vote) -> Self {
        Self { judgement: vote.judgement, comment: vote.comment, others: vote.others }
    }
}

/// A remark, under the letter of its author.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PanelComment {
    /// The author's letter on this template; `-` of who has not voted on it.
    pub by: String,
    /// Whether it is one's own.
    pub you: bool,
    /// Whose it is, as in [`PanelVoice::name`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it says.
    pub text: String,
    /// When.
    pub at: Timestamp,
}

/// The agreement of both rounds: alone, and after the panel spoke.
#[derive(Debug, Clone, PartialEq)]
pub struct BothAgreements {
    /// Over the blind votes.
    pub blind: Agreement,
    /// Over the panel's votes.
    pub panel: Agreement,
}

/// All that the panel's screen shows, of one reading of the store.
#[derive(Debug, Clone, PartialEq)]
pub struct PanelViews {
    /// The cases.
    pub board: PanelBoard,
    /// The agreement of both rounds.
    pub agreements: BothAgreements,
    /// What is corrected, as far as the member may see it.
    pub corrections: Vec<Correction>,
    /// What is corrected, counted; without examples while the blind round is open, since they would tell of votes.
    pub table: Table1,
}

/// What the views rest on.
struct Reading {
    votes: Vec<Vote>,
    templates: Vec<TemplateRecord>,
    gold: BTreeMap<TemplateKey, Gold>,
}

impl Workspace {
    /// The panel's work as `member` may see it.
    ///
    /// While the blind round is open a member sees only the cases on which they have given a label; from then on every
    /// case, its voices under letters. A senior learns the names once the panel round is closed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn panel_board(&self, member: &str) -> Result<PanelBoard, WorkspaceError> {
        self.board_of(&self.read_for_panel()?, member)
    }

    /// [`Workspace::panel_board`] with the figures and corrections beside it: intervals by `bootstrap`, at most `examples`
    /// templates of each row of the table.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn panel_views(
        &self,
        member: &str,
        bootstrap: Bootstrap,
        examples: usize,
    ) -> Result<PanelViews, WorkspaceError> {
        let reading = self.read_for_panel()?;
        let board = self.board_of(&reading, member)?;
        let Reading { votes, templates, gold } = reading;
        let agreement = |round| Agreement::of(&VoteTable::of_round(&votes, round, &gold), round, bootstrap);
        let agreements = BothAgreements { blind: agreement(Round::Blind), panel: agreement(Round::Panel) };
        let templates: Vec<LabelledTemplate> = templates.into_iter().map(|record| record.labelled).collect();
        let examples = if board.phase == Phase::Blind { 0 } else { examples };
        let mut corrections = corrections(&templates, &gold);
        let table = self.table1_of(&templates, &gold, &corrections, examples);
        corrections.retain(|correction| board.may_see(&correction.template));
        Ok(PanelViews { board, agreements, corrections, table })
    }

    fn read_for_panel(&self) -> Result<Reading, WorkspaceError> {
        let (votes, templates) = (self.votes()?, self.templates()?);
        let gold = self.gold_of(&votes, &templates)?;
        Ok(Reading { votes, templates, gold })
    }

    fn board_of(&self, reading: &Reading, member: &str) -> Result<PanelBoard, WorkspaceError> {
        let Reading { votes, templates, gold } = reading;
        let phase = self.phase()?;
        let templates: HashMap<&TemplateKey, &TemplateRecord> =
            templates.iter().map(|record| (record.key(), record)).collect();
        let senior = self.settings().is_senior(member);
        let names = senior && phase == Phase::Ruling;
        let mut remarks: BTreeMap<TemplateKey, Vec<super::Comment>> = BTreeMap::new();
        for comment in self.comments()? {
            remarks.entry(comment.template.clone()).or_default().push(comment);
        }
        let rule = self.settings().panel;
        let own = votes.iter().filter(|vote| phase == Phase::Blind && vote.annotator == member);
        let judged = own.filter(|vote| vote.judgement.label().is_some()).map(|vote| vote.template.clone()).collect();
        let mut board = PanelBoard {
            phase,
            rounds: self.round_status()?,
            consensus: self.settings().consensus,
            unanimous_share: rule.unanimous_share,
            senior,
            hidden: 0,
            cases: Vec::new(),
            judged,
        };
        for case in panel_cases(votes, rule) {
            if !board.may_see(&case.template) {
                board.hidden += 1;
                continue;
            }
            let Some(&record) = templates.get(&case.template) else { continue };
            let (remarks, gold) =
                (remarks.remove(&case.template).unwrap_or_default(), gold.get(&case.template).cloned());
            board.cases.push(item(case, record, remarks, gold, member, names));
        }
        board.cases.sort_by_key(|case| case.why);
        Ok(board)
    }
}

fn item(
    case: PanelCase,
    record: &TemplateRecord,
    remarks: Vec<super::Comment>,
    gold: Option<Gold>,
    member: &str,
    names: bool,
) -> PanelItem {
    let letters: HashMap<String, String> =
        case.voices.iter().zip(0..).map(|(voice, place)| (voice.annotator.clone(), letter(place))).collect();
    let comments = remarks.into_iter().map(|comment| PanelComment {
        by: letters.get(&comment.author).cloned().unwrap_or_else(|| "-".into()),
        you: comment.author == member,
        name: names.then_some(comment.author),
        text: comment.text,
        at: comment.at,
    });
    let comments = comments.collect();
    let voices = case.voices.into_iter().zip(0..).map(|(voice, place)| PanelVoice {
        letter: letter(place),
        you: voice.annotator == member,
        blind: voice.blind.map(Said::from),
        panel: voice.panel.map(Said::from),
        name: names.then_some(voice.annotator),
    });
    PanelItem {
        text: record.text().to_owned(),
        count: record.labelled.count,
        original: record.labelled.original,
        original_category: record.labelled.category.clone(),
        why: case.why,
        voices: voices.collect(),
        comments,
        gold,
        key: case.template,
    }
}

/// `A` … `Z`, `A1` … `Z1`, …
fn letter(place: usize) -> String {
    let letter = char::from(b'A' + (place % 26) as u8);
    if place < 26 { letter.to_string() } else { format!("{letter}{}", place / 26) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::{NewVote, open_or_create_demo};

    fn cast(workspace: &Workspace, case: &PanelItem, by: &str, judgement: Judgement, round: Round) {
        let comment = Some("a word of mine".into());
        let vote = NewVote { round, comment, ..NewVote::new(case.key.clone(), by, judgement) };
        workspace.cast_vote(&vote).unwrap();
    }

    #[test]
    fn a_blind_vote_is_nobody_elses_before_their_own() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = open_or_create_demo(dir.path()).unwrap();
        let stranger = workspace.panel_board("stranger").unwrap();
        assert!(stranger.cases.is_empty() && stranger.hidden > 0);
        assert!(workspace.corrections().unwrap().iter().all(|row| !stranger.may_see(&row.template)));
        let ana = workspace.panel_board("ana").unwrap();
        assert!(ana.cases.iter().all(|case| case.own().is_some()));
        assert_eq!(ana.cases.len() + ana.hidden, stranger.hidden);
        assert!(ana.cases.iter().any(|case| case.why == PanelReason::Sampled));
    }

    #[test]
    fn voices_are_letters_until_a_senior_rules() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = open_or_create_demo(dir.path()).unwrap();
        workspace.close_round("ana", None).unwrap();
        let board = workspace.panel_board("stranger").unwrap();
        assert_eq!((board.phase, board.hidden), (Phase::Panel, 0));
        let first = board.cases.iter().find(|case| case.why == PanelReason::Disagreement).unwrap();
        workspace.comment(&first.key, "bao", "look at the count").unwrap();
        cast(&workspace, first, "bao", Judgement::Normal, Round::Panel);

        let board = workspace.panel_board("bao").unwrap();
        let case = board.cases.iter().find(|case| case.key == first.key).unwrap();
        let own = case.own().unwrap();
        assert!(own.panel.as_ref().unwrap().others.is_some(), "the others' votes are kept with a panel vote");
        assert!(case.comments.iter().any(|comment| comment.you && comment.by == own.letter));
        let json = serde_json::to_string(&board.cases).unwrap();
        for name in ["ana", "bao", "chidi"] {
            assert!(
                !json.contains(&format!("\"name\":\"{name}\"")) && !json.contains(&format!("\"{name}\"")),
                "{name}"
            );
        }
        workspace.close_round("ana", None).unwrap();
        let board = workspace.panel_board("ana").unwrap();
        let case = board.cases.iter().find(|case| case.key == first.key).unwrap();
        assert!(case.voices.iter().all(|voice| voice.name.is_some()));
    }
}
