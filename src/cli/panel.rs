//! `logwright panel [--as NAME] [--json]`

use clap::Args;

use super::{Context, Failure, output};
use crate::labels::PanelReason;
use crate::workspace::{PanelItem, Said};

#[derive(Debug, Args)]
pub(super) struct PanelArgs {
    /// Who looks: while the blind round is open, only at what they have judged themselves
    #[arg(long = "as", value_name = "NAME")]
    member: Option<String>,
    /// Print it as JSON: {phase, rounds, consensus, unanimous_share, senior, hidden, cases}
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &PanelArgs, context: &Context) -> Result<(), Failure> {
    let workspace = context.workspace()?;
    let board = workspace.panel_board(&workspace.settings().acting(args.member.as_deref()))?;
    if args.json {
        return output::json(&board);
    }
    let mut lines = vec![format!("phase {}: {} cases", board.phase.as_str(), board.cases.len())];
    if board.hidden > 0 {
        lines[0] += &format!(", {} hidden until you have judged them or a senior closes the round", board.hidden);
    }
    lines.extend(board.cases.iter().flat_map(item_lines));
    output::line(&lines.join("\n"))
}

fn item_lines(item: &PanelItem) -> Vec<String> {
    let gold =
        item.gold.as_ref().map_or("open".to_owned(), |gold| format!("{} by {}", gold.label, gold.source.as_str()));
    let sampled = if item.why == PanelReason::Sampled { ", sampled" } else { "" };
    let tally = item.tally();
    let mut lines =
        vec![format!("{}  {}n {}a  {gold}{sampled}  {}", item.key, tally.normal, tally.abnormal, item.text)];
    for voice in &item.voices {
        let you = if voice.you { " (you)" } else { "" };
        let name = voice.name.as_ref().map(|name| format!(" {name}")).unwrap_or_default();
        let panel = voice.panel.as_ref().map(|said| format!(" -> panel: {}", words(said))).unwrap_or_default();
        let blind = voice.blind.as_ref().map_or("no blind vote".into(), words);
        lines.push(format!("    {}{you}{name}  {blind}{panel}", voice.letter));
    }
    lines.extend(item.comments.iter().map(|comment| format!("    {}: {}", comment.by, comment.text)));
    lines
}

fn words(said: &Said) -> String {
    let category = said.judgement.category().map(|category| format!(" ({category})")).unwrap_or_default();
    let comment = said.comment.as_ref().map(|comment| format!("  \"{comment}\"")).unwrap_or_default();
    format!("{}{category}{comment}", said.judgement.word())
}
