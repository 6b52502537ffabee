//! What the Panel pane asks of the store.

use std::path::PathBuf;

use super::state::{Board, Case, CorrectionRow, Opinion, Remark, Settled, VoiceRow};
use crate::labels::agreement::Bootstrap;
use crate::labels::{Correction, Gold, Judgement, Phase, Round, Vote};
use crate::logs::{SafeText, TemplateKey};
use crate::tui::app::Message as AppMessage;
use crate::tui::effects::Edge;
use crate::tui::widgets::{count, counted};
use crate::workspace::{NewRuling, NewVote, PanelBoard, PanelItem, Said, Workspace, WorkspaceError};

/// How many resamples the intervals on the screen have, and their seed: as on the command line.
const BOOTSTRAP: (u32, u64) = (1000, 1);

/// How many examples a row of Table 1 has.
const EXAMPLES: usize = 3;

/// What the pane wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Read the board as this member may see it.
    Load(String),
    /// Put a vote of the panel round on disk.
    Vote(NewVote),
    /// Put a ruling on disk.
    Rule(NewRuling),
    /// Put a comment on disk.
    Comment {
        /// On which template.
        template: TemplateKey,
        /// By whom.
        author: String,
        /// What it says.
        text: String,
    },
    /// Take back this member's last vote.
    UndoVote(String),
    /// Take back this senior's last ruling.
    UndoRuling(String),
    /// Close the open round, in this senior's name.
    CloseRound(String),
    /// Open a closed round again, in this senior's name.
    OpenRound(Round, String),
    /// Write the correction patch; a relative path is meant from the project's folder.
    WritePatch(String),
}

/// What comes back.
#[derive(Debug)]
pub enum Message {
    /// The board, or why it cannot be read.
    Loaded(Result<Box<Board>, String>),
    /// A vote is on disk.
    Voted(Vote),
    /// A ruling is on disk.
    Ruled(TemplateKey),
    /// A comment is on disk.
    Commented(TemplateKey),
    /// The last vote is taken back, if there was one.
    VoteUndone(Option<TemplateKey>),
    /// The last ruling is taken back, if there was one.
    RulingUndone(Option<TemplateKey>),
    /// A round was closed (false) or opened (true).
    RoundChanged(Round, bool),
    /// The patch is written.
    PatchWritten {
        /// Where.
        path: PathBuf,
        /// How many corrections it holds.
        corrections: usize,
    },
    /// It could not be done; nothing was written.
    Failed(String),
    /// The reason of the ruling that is being made.
    Reason(String),
    /// No reason was given, so there is no ruling.
    ReasonCancelled,
    /// The comment that was being written.
    CommentText(String),
    /// The senior means to close the round.
    CloseConfirmed,
    /// The senior means to open the round again.
    OpenConfirmed,
    /// Where the patch shall go.
    PatchPath(String),
}

/// Carries out an effect of this pane, on the thread that owns the store: the figures take milliseconds there, and the
/// screen goes on meanwhile.
pub fn run(effect: Effect, edge: &mut Edge) {
    edge.store(move |workspace| {
        let done = match effect {
            Effect::Load(member) => {
                Ok(Message::Loaded(board(workspace, &member).map(Box::new).map_err(|error| error.to_string())))
            }
            Effect::Vote(vote) => workspace.cast_vote(&vote).map(Message::Voted),
            Effect::Rule(ruling) => workspace.rule(&ruling).map(|()| Message::Ruled(ruling.template)),
            Effect::Comment { template, author, text } => {
                workspace.comment(&template, &author, &text).map(|comment| Message::Commented(comment.template))
            }
            Effect::UndoVote(member) => workspace
                .undo_vote(&member)
                .map(|votes| Message::VoteUndone(votes.into_iter().next().map(|vote| vote.template))),
            Effect::UndoRuling(senior) => workspace.undo_ruling(&senior).map(Message::RulingUndone),
            Effect::CloseRound(senior) => {
                workspace.close_round(&senior, None).map(|round| Message::RoundChanged(round, false))
            }
            Effect::OpenRound(round, senior) => {
                workspace.open_round(round, &senior, None).map(|()| Message::RoundChanged(round, true))
            }
            Effect::WritePatch(path) => write_patch(workspace, &path),
        };
        AppMessage::Panel(done.unwrap_or_else(|error| Message::Failed(error.to_string())))
    });
}

fn write_patch(workspace: &Workspace, path: &str) -> Result<Message, WorkspaceError> {
    let path = workspace.dir().join(path);
    let patch = workspace.make_patch()?;
    workspace.write_patch(&patch, &path)?;
    Ok(Message::PatchWritten { path, corrections: patch.corrections.len() })
}

fn board(workspace: &Workspace, member: &str) -> Result<Board, WorkspaceError> {
    let (samples, seed) = BOOTSTRAP;
    let views = workspace.panel_views(member, Bootstrap::new(samples, seed), EXAMPLES)?;
    let board = views.board;
    let phase = board.phase;
    Ok(Board {
        standing: SafeText::one_line(&standing(&board)),
        rule: rule(&board),
        phase,
        senior: board.senior,
        hidden: board.hidden,
        agreements: views.agreements,
        cases: board.cases.into_iter().map(|item| case(item, phase)).collect(),
        corrections: views.corrections.into_iter().map(correction).collect(),
        table: views.table,
    })
}

/// `592 judgements of 3 annotators on 240 templates`, of the round that is open or was last.
fn standing(board: &PanelBoard) -> String {
    let [blind, panel] = &board.rounds;
    let round = if board.phase == Phase::Blind { blind } else { panel };
    let mut text = format!(
        "{} of {} on {} in the {} round",
        counted(round.votes as usize, "judgement"),
        counted(round.annotators as usize, "annotator"),
        counted(round.templates as usize, "template"),
        round.round
    );
    let late = blind.late + panel.late;
    if late > 0 {
        text += &format!("; {} too late to count", count(late));
    }
    if let Some(event) = &round.last {
        text += &format!("; {} by {}", if event.open { "opened" } else { "closed" }, event.by);
    }
    text
}

fn rule(board: &PanelBoard) -> String {
    let rule = board.consensus;
    let share = if rule.share >= 1.0 { "all".to_owned() } else { format!("{:.0} %", rule.share * 100.0) };
    format!(
        "Consensus: {} or more, {share} agreeing. Sampled: {:.0} % of the unanimous.",
        counted(rule.minimum_votes, "label"),
        board.unanimous_share * 100.0
    )
}

fn case(item: PanelItem, phase: Phase) -> Case {
    let tally = item.tally();
    let acted = phase == Phase::Panel && item.own().is_some_and(|own| own.panel.is_some());
    let who = |letter: &str, you: bool| if you { format!("{letter} (you)") } else { letter.to_owned() };
    let name = |name: Option<String>| name.as_deref().map(SafeText::one_line);
    Case {
        name: SafeText::one_line(&item.key.to_string()),
        text: SafeText::one_line(&item.text),
        count: item.count,
        why: item.why,
        original: item.original.map(|label| (label, item.original_category)),
        voices: item
            .voices
            .into_iter()
            .map(|voice| VoiceRow {
                who: who(&voice.letter, voice.you),
                name: name(voice.name),
                blind: voice.blind.map(opinion),
                panel: voice.panel.map(opinion),
            })
            .collect(),
        remarks: item
            .comments
            .into_iter()
            .map(|comment| Remark {
                who: who(&comment.by, comment.you),
                name: name(comment.name),
                text: SafeText::new(&comment.text),
            })
            .collect(),
        settled: item.gold.map(settled),
        key: item.key,
        tally,
        acted,
    }
}

fn opinion(said: Said) -> Opinion {
    Opinion { judgement: said.judgement, comment: said.comment.as_deref().map(SafeText::one_line), others: said.others }
}

fn settled(gold: Gold) -> Settled {
    Settled {
        judgement: Judgement::of(gold.label, gold.category),
        source: gold.source,
        by: gold.by.as_deref().map(SafeText::one_line),
        reason: gold.reason.as_deref().map(SafeText::one_line),
    }
}

fn correction(row: Correction) -> CorrectionRow {
    CorrectionRow {
        name: SafeText::one_line(&row.template.to_string()),
        text: SafeText::one_line(&row.text),
        original: row.original,
        gold: Settled {
            judgement: Judgement::of(row.gold, row.category),
            source: row.source,
            by: row.by.as_deref().map(SafeText::one_line),
            reason: row.reason.as_deref().map(SafeText::one_line),
        },
        key: row.template,
    }
}
