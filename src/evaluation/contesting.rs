//! A verdict that somebody says is wrong goes back to where labels are made: its trace is kept and contested, and the
//! template that its log is of is flagged for them, so that the Label queue shows it. A session has no template of its own:
//! flagged are those of its lines that the reasoning cites, for these are what it was judged by.

use super::keeping::{keep_trace, kept_trace};
use super::stepping::{GroundedClaim, SteppedTrace};
use crate::logs::{Segment, TemplateKey, segments};
use crate::reasoning::ClaimKind;
use crate::workspace::{TemplateRecord, TraceRecord, Workspace, WorkspaceError};

/// A contested verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contested {
    /// The trace's id.
    pub trace: String,
    /// The template that its log is of; `None` where the project has none, so that no queue shows it.
    pub template: Option<TemplateKey>,
    /// For a session: the templates of the lines that its reasoning cites, in the order of the lines, flagged each.
    pub cited: Vec<TemplateKey>,
}

/// Keeps a trace, says that its verdict is wrong, and flags its template. `base_fingerprint` is as for [`keep_trace`].
///
/// # Errors
/// When nobody says so, or the store cannot be read or written.
pub fn contest(
    workspace: &Workspace,
    trace: &SteppedTrace,
    base_fingerprint: Option<&str>,
    reason: Option<&str>,
    by: &str,
) -> Result<Contested, WorkspaceError> {
    let template = template_of(&workspace.templates()?, trace);
    let id = keep_trace(workspace, trace, template.as_ref(), base_fingerprint, by)?;
    contest_kept(workspace, &id, reason, by)
}

/// [`contest`], of a trace that is kept already, by its id or the start of it.
///
/// # Errors
/// When nobody says so, there is no such trace, or the store cannot be read or written.
pub fn contest_kept(
    workspace: &Workspace,
    id: &str,
    reason: Option<&str>,
    by: &str,
) -> Result<Contested, WorkspaceError> {
    let stored = workspace.trace(id)?;
    // One that another program wrote can be contested all the same.
    let session = kept_trace(&stored).ok().filter(|trace| trace.session);
    let TraceRecord { id, template, .. } = stored.record;
    workspace.contest_trace(&id, by, true, reason)?;
    let cited = match session {
        Some(session) => cited_templates(&workspace.templates()?, &session),
        None => Vec::new(),
    };
    for template in template.iter().chain(&cited) {
        workspace.set_flag(template, by, true)?;
    }
    Ok(Contested { trace: id, template, cited })
}

/// The templates of those lines of a session that its reasoning cites: from which it quotes, counts or names what not every line
/// has.
fn cited_templates(templates: &[TemplateRecord], session: &SteppedTrace) -> Vec<TemplateKey> {
    let lines: Vec<&str> = session.input.lines().collect();
    let telling = |claim: &&GroundedClaim| claim.in_log && claim.kind != ClaimKind::Word;
    let mut cited = vec![false; lines.len()];
    for claim in session.grounding.iter().filter(telling) {
        let holds: Vec<bool> = lines.iter().map(|line| says(line, &claim.claim)).collect();
        if holds.iter().any(|holds| !holds) {
            cited.iter_mut().zip(holds).for_each(|(cited, holds)| *cited |= holds);
        }
    }
    let mut found: Vec<TemplateKey> = Vec::new();
    for (line, _) in lines.iter().zip(cited).filter(|(_, cited)| *cited) {
        if let Some(template) = template_of_line(templates, line).filter(|template| !found.contains(template)) {
            found.push(template);
        }
    }
    found
}

/// Whether a line contains a claim, not as a part of a longer word or number.
fn says(line: &str, claim: &str) -> bool {
    let (line, claim) = (line.to_lowercase(), claim.trim_matches(['"', '\'', '`']).trim().to_lowercase());
    let joins = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    !claim.is_empty()
        && line.match_indices(&claim).any(|(at, found)| {
            let (before, after) = (line[..at].chars().next_back(), line[at + found.len()..].chars().next());
            let begins_inside = joins(before) && joins(found.chars().next());
            let ends_inside = joins(after) && joins(found.chars().next_back());
            !(begins_inside || ends_inside)
        })
}

/// The template that the log of a trace is of: the one that reads so, else of those that it fits the one that says most.
/// A session is of none.
pub fn template_of(templates: &[TemplateRecord], trace: &SteppedTrace) -> Option<TemplateKey> {
    if trace.session { None } else { template_of_line(templates, &trace.input) }
}

fn template_of_line(templates: &[TemplateRecord], line: &str) -> Option<TemplateKey> {
    let log = line.trim();
    let same = templates.iter().find(|template| template.text().trim() == log);
    let fitting = || {
        let fits = templates.iter().filter(|template| fits(template.text().trim(), log));
        fits.max_by_key(|template| constant_bytes(template.text()))
    };
    same.or_else(fitting).map(|template| template.key().clone())
}

fn constant_bytes(template: &str) -> usize {
    let constants = segments(template).into_iter().map(|segment| match segment {
        Segment::Constant(text) => text.trim().len(),
        Segment::Variable => 0,
    });
    constants.sum()
}

/// Whether a log is an occurrence of a template: its constant stretches stand there in order, the first at the start and the
/// last at the end. One that is all variable fits nothing.
fn fits(template: &str, log: &str) -> bool {
    let parts = segments(template);
    if constant_bytes(template) == 0 {
        return false;
    }
    let mut rest = log;
    for (at, part) in parts.iter().enumerate() {
        let Segment::Constant(text) = part else { continue };
        let (first, last) = (at == 0, at + 1 == parts.len());
        let left = match (first, last) {
            (true, true) => (rest == *text).then_some(""),
            (true, false) => rest.strip_prefix(text),
            (false, true) => rest.ends_with(text).then_some(""),
            (false, false) => rest.find(text).map(|at| &rest[at + text.len()..]),
        };
        match left {
            Some(left) => rest = left,
            None => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::kept_trace;
    use crate::workspace::{ImportKind, ImportSource, TraceFilter};

    const TEMPLATES: &str = "dataset,id,template,label\nbgl,1,disk <*> gone,normal\nbgl,2,disk <*> gone at <*>,normal\n\
                             bgl,3,<*>,normal\nbgl,4,disk 7 gone,normal\n";

    fn project(dir: &std::path::Path) -> Workspace {
        let workspace = Workspace::init(dir).unwrap();
        let source = ImportSource { name: "t.csv", bytes: TEMPLATES.as_bytes(), format: None, dataset: None };
        workspace.import(ImportKind::Templates, source).unwrap();
        workspace
    }

    fn trace(input: &str) -> SteppedTrace {
        let json = serde_json::json!({
            "input": input, "input_bytes_cut": 0, "text": "<answer>normal</answer>", "steps": [], "answer": "normal",
            "format_ok": false, "fast": false, "grounding": [], "margin": -1.5, "margin_at_once": null, "evidence": [],
            "model": "m", "adapter": null, "first_token_ms": 1.0, "answer_ms": null, "tokens_per_second": 1.0,
        });
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn a_log_is_of_the_template_that_says_most_of_it() {
        let dir = tempfile::tempdir().unwrap();
        let templates = project(dir.path()).templates().unwrap();
        let of = |log: &str| template_of(&templates, &trace(log)).map(|key| key.id);
        assert_eq!(of("disk 7 gone").as_deref(), Some("4"), "the one that reads so");
        assert_eq!(of("disk 9 gone").as_deref(), Some("1"));
        assert_eq!(of(" disk 9 gone at 12:00 ").as_deref(), Some("2"));
        assert_eq!(of("disk <*> gone").as_deref(), Some("1"));
        assert_eq!(of("link lost"), None, "a template of nothing but a variable says nothing of it");
        assert_eq!(template_of(&templates, &SteppedTrace { session: true, ..trace("disk 7 gone") }), None);
    }

    #[test]
    fn a_contested_verdict_is_kept_and_its_template_flagged() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = project(dir.path());
        let contested = contest(&workspace, &trace("disk 9 gone"), None, Some("a lost disk"), "ana").unwrap();
        let template = contested.template.clone().unwrap();
        assert_eq!(template.to_string(), "bgl/1");
        let flags = workspace.flags().unwrap();
        assert_eq!((flags.len(), &flags[0].template, flags[0].annotator.as_str()), (1, &template, "ana"));
        let kept = workspace.traces(&TraceFilter { contested: Some(true), ..TraceFilter::default() }).unwrap();
        assert_eq!((kept.len(), &kept[0].id, kept[0].template.as_ref()), (1, &contested.trace, Some(&template)));
        assert_eq!(kept[0].contested.as_ref().unwrap().reason.as_deref(), Some("a lost disk"));
        let stored = workspace.trace(&contested.trace).unwrap();
        assert_eq!(kept_trace(&stored).unwrap(), trace("disk 9 gone"));
        // Of no template: kept all the same.
        let other = contest(&workspace, &trace("link lost"), None, None, "ana").unwrap();
        assert_eq!((other.template, workspace.flags().unwrap().len()), (None, 1));
        assert!(contest(&workspace, &trace("x"), None, None, " ").is_err());
    }

    #[test]
    fn a_contested_session_flags_the_templates_of_the_lines_that_it_cites() {
        let dir = tempfile::tempdir().unwrap();
        let workspace = project(dir.path());
        let claim =
            |claim: &str, kind, in_log| GroundedClaim { step: 0, claim: claim.into(), kind, range: 0..1, in_log };
        let session = |grounding| SteppedTrace {
            session: true,
            grounding,
            ..trace("disk 9 gone\nlink 9 lost\ndisk 17 gone at 12:00\ndisk 7 gone")
        };
        let flagged = |grounding: Vec<GroundedClaim>| -> Vec<String> {
            let contested = contest(&workspace, &session(grounding), None, None, "ana").unwrap();
            assert_eq!(contested.template, None);
            contested.cited.into_iter().map(|template| template.id).collect()
        };
        use ClaimKind::{Number, Quotation, Word};
        assert_eq!(flagged(vec![claim("gone at", Quotation, true), claim("lost", Word, true)]), ["2"]);
        assert_eq!(workspace.flags().unwrap().len(), 1);
        assert_eq!(
            flagged(vec![claim("7", Number, true), claim("Disk 9", Quotation, true)]),
            ["1", "4"],
            "17 is not 7"
        );
        assert_eq!(workspace.flags().unwrap().len(), 3);
        let none = vec![claim("boot", Quotation, false), claim("link 9", Quotation, true)];
        assert_eq!(flagged(none), [""; 0], "what it does not say, and a line of no template");
    }
}
