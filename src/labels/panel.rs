//! What is put before the panel: where the blind votes part, and a sample of where they do not.
//!
//! Unanimous templates are sampled too, since annotators who were trained together can be wrong together. The sample and
//! the order of the voices follow from hashes, so that every copy of a project, and every start, has the same.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{Label, Round, Vote};
use crate::logs::TemplateKey;

/// What comes before the panel beside disagreements.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PanelRule {
    /// The share (0–1) of the templates with unanimous votes that the panel looks at too.
    pub unanimous_share: f64,
}

impl Default for PanelRule {
    fn default() -> Self {
        Self { unanimous_share: 0.05 }
    }
}

/// Why a template is before the panel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelReason {
    /// Both labels were given.
    Disagreement,
    /// All agreed, and the template is in the sample.
    Sampled,
}

/// What one annotator says of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Voice {
    /// Who.
    pub annotator: String,
    /// Their blind vote; one that was cast in sight of the label only where there is no other.
    pub blind: Option<Vote>,
    /// Their vote in the panel round.
    pub panel: Option<Vote>,
}

impl Voice {
    /// What they say now: the panel vote, else the blind one.
    pub fn now(&self) -> Option<&Vote> {
        self.panel.as_ref().or(self.blind.as_ref())
    }

    /// The label that they give now.
    pub fn label(&self) -> Option<Label> {
        self.now().and_then(|vote| vote.judgement.label())
    }

    /// The label that they gave alone.
    pub fn blind_label(&self) -> Option<Label> {
        self.blind.as_ref().and_then(|vote| vote.judgement.label())
    }
}

/// A template before the panel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanelCase {
    /// Which.
    pub template: TemplateKey,
    /// Why.
    pub why: PanelReason,
    /// What everybody says of it, in an order that tells nothing of who they are and is another for each template.
    pub voices: Vec<Voice>,
}

/// What is before the panel, in order of keys; `votes` in the order they were cast. A template stays before it when the
/// panel's votes have made it unanimous.
pub fn panel_cases<'a>(votes: impl IntoIterator<Item = &'a Vote>, rule: PanelRule) -> Vec<PanelCase> {
    let mut templates: BTreeMap<&TemplateKey, BTreeMap<&str, Voice>> = BTreeMap::new();
    for vote in votes {
        let voices = templates.entry(&vote.template).or_default();
        let voice = voices.entry(&vote.annotator).or_insert_with(|| Voice {
            annotator: vote.annotator.clone(),
            blind: None,
            panel: None,
        });
        match vote.round {
            Round::Panel => voice.panel = Some(vote.clone()),
            Round::Blind if !vote.revealed || voice.blind.as_ref().is_none_or(|blind| blind.revealed) => {
                voice.blind = Some(vote.clone());
            }
            Round::Blind => {}
        }
    }
    templates
        .into_iter()
        .filter_map(|(key, voices)| {
            let voices: Vec<Voice> = voices.into_values().collect();
            let why = reason(key, &voices, rule)?;
            Some(PanelCase { template: key.clone(), why, voices: shuffled(key, voices) })
        })
        .collect()
}

fn reason(key: &TemplateKey, voices: &[Voice], rule: PanelRule) -> Option<PanelReason> {
    let both = |label: fn(&Voice) -> Option<Label>| {
        let said = |wanted| voices.iter().any(|voice| label(voice) == Some(wanted));
        said(Label::Normal) && said(Label::Abnormal)
    };
    if both(Voice::blind_label) || both(Voice::label) {
        return Some(PanelReason::Disagreement);
    }
    let labels = voices.iter().filter(|voice| voice.blind_label().is_some()).count();
    (labels >= 2 && is_sampled(key, rule.unanimous_share)).then_some(PanelReason::Sampled)
}

/// Whether a unanimous template is among the share that the panel looks at. A larger share holds all of a smaller one.
pub fn is_sampled(key: &TemplateKey, share: f64) -> bool {
    let place = hash("sample", key, "") as f64 / 2f64.powi(64);
    place < share
}

fn shuffled(key: &TemplateKey, mut voices: Vec<Voice>) -> Vec<Voice> {
    voices.sort_by_cached_key(|voice| hash("voice", key, &voice.annotator));
    voices
}

fn hash(what: &str, key: &TemplateKey, who: &str) -> u64 {
    let mut hash = Sha256::new();
    for part in [what, &key.dataset, &key.id, who] {
        hash.update(part);
        hash.update([0]);
    }
    let digest = hash.finalize();
    digest.iter().take(8).fold(0, |place, &byte| place << 8 | u64::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::labels::testing::vote;

    #[test]
    fn a_disagreement_stays_before_the_panel_when_the_panel_settles_it() {
        let votes = [
            vote("1", "ana", "normal", Round::Blind),
            vote("1", "bao", "abnormal", Round::Blind),
            vote("1", "bao", "normal", Round::Panel),
            vote("2", "ana", "normal", Round::Blind),
            vote("2", "bao", "unsure", Round::Blind),
        ];
        let cases = panel_cases(&votes, PanelRule { unanimous_share: 1.0 });
        assert_eq!(cases.len(), 1, "one label is no unanimity");
        assert_eq!(cases[0].why, PanelReason::Disagreement);
        let bao = cases[0].voices.iter().find(|voice| voice.annotator == "bao").unwrap();
        assert_eq!((bao.blind_label(), bao.label()), (Some(Label::Abnormal), Some(Label::Normal)));
    }

    #[test]
    fn a_vote_in_sight_of_the_label_never_hides_the_blind_one() {
        let votes = [
            vote("1", "ana", "normal", Round::Blind),
            Vote { revealed: true, ..vote("1", "ana", "abnormal", Round::Blind) },
            vote("1", "bao", "abnormal", Round::Blind),
        ];
        let cases = panel_cases(&votes, PanelRule::default());
        let ana = cases[0].voices.iter().find(|voice| voice.annotator == "ana").unwrap();
        assert_eq!(ana.blind_label(), Some(Label::Normal));
    }

    #[test]
    fn a_share_of_the_unanimous_is_sampled_always_the_same() {
        let keys: Vec<_> = (0..4000).map(|id| TemplateKey::new("bgl", id.to_string())).collect();
        let sample = |share| keys.iter().filter(|key| is_sampled(key, share)).count();
        assert_eq!((sample(0.0), sample(1.0)), (0, 4000));
        // Four standard deviations of a binomial around 400.
        assert!((324..=476).contains(&sample(0.1)), "{}", sample(0.1));
        assert!(keys.iter().all(|key| !is_sampled(key, 0.05) || is_sampled(key, 0.1)));
    }

    #[test]
    fn voices_come_in_an_order_of_their_own_for_each_template() {
        let names = ["ana", "bao", "chi"];
        let votes: Vec<_> = (0..60)
            .flat_map(|id| {
                names.map(|name| {
                    vote(&id.to_string(), name, if name == "ana" { "normal" } else { "abnormal" }, Round::Blind)
                })
            })
            .collect();
        let cases = panel_cases(&votes, PanelRule::default());
        let first = |name: &str| cases.iter().filter(|case| case.voices[0].annotator == name).count();
        assert!(names.iter().all(|name| first(name) > 8), "each comes first about a third of the time");
        assert_eq!(cases, panel_cases(&votes, PanelRule::default()));
    }
}
