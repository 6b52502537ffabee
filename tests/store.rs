//! The store's promises, each with a test that tries to break it.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::thread;

use logwright::labels::{GoldSource, Judgement, Label};
use logwright::logs::TemplateKey;
use logwright::reasoning::{ItemKind, Standing, Verdict};
use logwright::workspace::{ImportKind, ImportSource, NewReview, NewRuling, NewVote, Workspace};

const TEMPLATES: &str = "dataset,id,template,label,category,note\n\
    bgl,1,data TLB error interrupt,normal,,first\n\
    bgl,2,\"ciod: <*>, failed\",abnormal,network issue,\n\
    bgl,3,total of <*> ddr error(s) corrected,normal,,\n";

fn import(workspace: &Workspace, kind: ImportKind, text: &str) -> logwright::workspace::ImportReport {
    let source = ImportSource { name: "t.csv", bytes: text.as_bytes(), format: None, dataset: None };
    workspace.import(kind, source).unwrap()
}

fn project(dir: &Path) -> Workspace {
    let workspace = Workspace::init(dir).unwrap();
    assert_eq!(import(&workspace, ImportKind::Templates, TEMPLATES).imported, 3);
    workspace
}

fn vote(id: &str, annotator: &str, judgement: Judgement) -> NewVote {
    NewVote { elapsed_ms: Some(2_500), ..NewVote::new(TemplateKey::new("bgl", id), annotator, judgement) }
}

#[test]
fn importing_the_same_table_again_changes_nothing_and_an_edited_one_wins() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = project(dir.path());
    let again = import(&workspace, ImportKind::Templates, TEMPLATES);
    assert_eq!((again.rows, again.imported, again.unchanged), (3, 3, 3));
    let edited = TEMPLATES.replace("interrupt,normal", "interrupt,abnormal");
    assert_eq!(import(&workspace, ImportKind::Templates, &edited).unchanged, 2);
    let templates = workspace.templates().unwrap();
    assert_eq!(templates.len(), 3);
    assert_eq!(templates[0].labelled.original, Some(Label::Abnormal));
    assert_eq!(templates[0].attributes["note"], "first");
    assert!(!templates[1].attributes.contains_key("note"));
    import(&workspace, ImportKind::Templates, TEMPLATES);
    assert_eq!(workspace.templates().unwrap()[0].labelled.original, Some(Label::Normal));
}

#[test]
fn a_second_row_with_the_id_of_another_one_is_told_and_the_first_stays() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = project(dir.path());
    let twice = "dataset,id,template,label\nbgl,z,one,normal\nbgl,z,two,normal\nbgl,z,one,normal\n";
    let report = import(&workspace, ImportKind::Templates, twice);
    assert_eq!((report.rows, report.imported, report.unchanged, report.replaced), (3, 2, 1, 0));
    assert_eq!((report.rejected.len(), report.rejected[0].line), (1, 3));
    assert!(report.rejected[0].why.contains("line 2 has the same id"), "{}", report.rejected[0].why);
    let text = || workspace.find_template("z").unwrap().text().to_owned();
    assert_eq!(text(), "one");
    assert_eq!(import(&workspace, ImportKind::Templates, twice).unchanged, 2);
    assert_eq!(text(), "one");
    let other = twice.replace("one", "three");
    assert_eq!(import(&workspace, ImportKind::Templates, &other).replaced, 1);
    assert_eq!(text(), "three");
}

#[test]
fn a_vote_taken_back_uncovers_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = project(dir.path());
    workspace.cast_vote(&vote("1", "ana", Judgement::Normal)).unwrap();
    workspace.cast_vote(&vote("1", "ana", Judgement::Abnormal(None))).unwrap();
    workspace.cast_vote(&vote("1", "bao", Judgement::Normal)).unwrap();
    assert_eq!(workspace.undo_vote("ana").unwrap()[0].judgement, Judgement::Abnormal(None));
    let of_ana = |workspace: &Workspace| {
        workspace.votes().unwrap().into_iter().find(|vote| vote.annotator == "ana").map(|vote| vote.judgement)
    };
    assert_eq!(of_ana(&workspace), Some(Judgement::Normal));
    assert_eq!(workspace.undo_vote("ana").unwrap().len(), 1);
    assert_eq!(of_ana(&workspace), None);
    assert!(workspace.undo_vote("ana").unwrap().is_empty());
    assert_eq!(workspace.votes().unwrap().len(), 1);
}

#[test]
fn a_vote_on_an_unknown_template_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let error = project(dir.path()).cast_vote(&vote("9", "ana", Judgement::Normal)).unwrap_err();
    assert!(error.to_string().starts_with("no template bgl/9"), "{error}");
}

#[test]
fn consensus_makes_gold_a_ruling_overrides_it_and_a_patch_carries_both() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = project(&dir.path().join("a"));
    for annotator in ["ana", "bao"] {
        workspace.cast_vote(&vote("1", annotator, Judgement::Abnormal(None))).unwrap();
        workspace.cast_vote(&vote("2", annotator, Judgement::Abnormal(None))).unwrap();
    }
    let ruling = NewRuling {
        template: TemplateKey::new("bgl", "2"),
        label: Label::Normal,
        category: None,
        by: "mei".into(),
        reason: "a daemon's retry".into(),
    };
    assert!(workspace.rule(&NewRuling { reason: " ".into(), ..ruling.clone() }).is_err());
    workspace.rule(&ruling).unwrap();
    let corrections = workspace.corrections().unwrap();
    let told: Vec<_> = corrections.iter().map(|c| (c.template.id.as_str(), c.gold, c.source)).collect();
    assert_eq!(told, [("1", Label::Abnormal, GoldSource::Consensus), ("2", Label::Normal, GoldSource::Ruling)]);

    let patch = workspace.make_patch().unwrap();
    let other = project(&dir.path().join("b"));
    assert_eq!(other.apply_patch(&patch, "mei").unwrap(), 2);
    assert_eq!(other.corrections().unwrap().len(), 2);
    assert_eq!(other.revert_patch(&patch).unwrap(), 2);
    assert_eq!(other.corrections().unwrap().len(), 0);
    import(&other, ImportKind::Templates, "dataset,id,template,label\nbgl,4,x,normal\n");
    assert!(other.apply_patch(&patch, "mei").unwrap_err().to_string().contains("another set of templates"));

    assert_eq!(workspace.undo_ruling("mei").unwrap(), Some(TemplateKey::new("bgl", "2")));
    assert_eq!(workspace.corrections().unwrap().len(), 1);
}

#[test]
fn only_accepted_rationales_train_and_an_edit_trains_as_edited() {
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::init(dir.path()).unwrap();
    let lines: String = (0..3)
        .map(|n| format!("{{\"id\":\"r{n}\",\"input\":\"x\",\"label\":\"normal\",\"reasoning\":\"<think>{n}</think><answer>normal</answer>\"}}\n"))
        .collect();
    let source = ImportSource { name: "r.jsonl", bytes: lines.as_bytes(), format: None, dataset: None };
    assert_eq!(workspace.import(ImportKind::Rationales, source).unwrap().imported, 3);
    assert!(workspace.accepted_rationales().unwrap().is_empty());
    let review = |item: &str, verdict| NewReview::new(ItemKind::Rationale, item, "ana", verdict);
    let edit = Verdict::Edit("<think>better</think><answer>normal</answer>".into());
    workspace.review(&[review("r0", Verdict::Reject), review("r1", edit)]).unwrap();
    assert_eq!(workspace.accept_pending(&ItemKind::ALL, "ana").unwrap(), 1);
    let accepted = workspace.accepted_rationales().unwrap();
    assert_eq!(accepted.iter().map(|r| r.id.as_str()).collect::<Vec<_>>(), ["r1", "r2"]);
    assert!(accepted[0].reasoning.contains("better"));
    workspace.undo_review("ana").unwrap();
    let reviews = workspace.reviews().unwrap();
    assert_eq!(Standing::of(reviews.get(&(ItemKind::Rationale, "r2".into()))), Standing::Pending);
    assert!(workspace.review(&[review("nobody", Verdict::Accept)]).is_err());
}

#[test]
fn several_connections_vote_at_once_and_no_vote_is_lost() {
    let dir = tempfile::tempdir().unwrap();
    drop(project(dir.path()));
    thread::scope(|scope| {
        for worker in 0..4 {
            let path = dir.path();
            scope.spawn(move || {
                let workspace = Workspace::open(path).unwrap();
                for round in 0..25 {
                    let annotator = format!("annotator {worker}.{round}");
                    workspace.cast_vote(&vote("1", &annotator, Judgement::Normal)).unwrap();
                }
            });
        }
    });
    let votes = Workspace::open(dir.path()).unwrap().votes().unwrap();
    assert_eq!(votes.len(), 100);
    assert!(votes.windows(2).all(|pair| pair[0].at < pair[1].at), "every vote has a time of its own");
}

#[test]
fn a_folder_that_is_no_project_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let error = Workspace::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("run `logwright init"), "{error}");
    project(dir.path());
    assert!(Workspace::init(dir.path()).is_err());
    assert_eq!(Workspace::find(&dir.path().join("deep/er")), Some(dir.path().to_owned()));
}

#[test]
fn a_file_that_is_no_database_is_told() {
    let dir = tempfile::tempdir().unwrap();
    drop(project(dir.path()));
    for name in ["workspace.db-wal", "workspace.db-shm"] {
        let _ = std::fs::remove_file(dir.path().join(name));
    }
    std::fs::write(dir.path().join("workspace.db"), "not a database ".repeat(500)).unwrap();
    let error = Workspace::open(dir.path()).err().unwrap().to_string();
    assert!(error.contains("workspace.db") && error.contains("damaged"), "{error}");
}

/// The real templates, where they are beside the checkout.
#[test]
fn the_published_templates_import_whole() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/templates");
    if !data.is_dir() {
        println!("skipped: {} is not there", data.display());
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let workspace = Workspace::init(dir.path()).unwrap();
    let mut imported = 0;
    for name in ["templates_train.csv", "templates_dev.csv"] {
        let bytes = std::fs::read(data.join(name)).unwrap();
        let report =
            workspace.import(ImportKind::Templates, ImportSource { name, bytes: &bytes, format: None, dataset: None });
        let report = report.unwrap();
        assert_eq!(report.rejected, []);
        imported += report.imported;
    }
    assert_eq!(workspace.templates().unwrap().len(), imported);
    assert!(workspace.corrections().unwrap().len() > 100);
}
