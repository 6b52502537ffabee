//! `queue`: the templates in the order in which to vote, and what of them an annotator may know.

#![allow(clippy::unwrap_used)]

mod support;

use support::Project;

/// Six templates; every original label is wrong on purpose, so that one that shines through is seen.
fn project() -> Project {
    let project = Project::empty();
    let table = "dataset,id,template,label,count\n\
        bgl,1,torus receiver <*> retraining without lock,normal,4\n\
        bgl,2,kernel panic on node <*>,normal,1\n\
        bgl,3,torus receiver <*> retraining without any lock,normal,4\n\
        bgl,4,ciod started,abnormal,9\n\
        bgl,5,torus receiver 7 retraining without lock,normal,0\n\
        bgl,6,fan speed is <*> rpm,abnormal,2\n";
    project.write("t.csv", table.as_bytes());
    assert_eq!(project.run(&["import", "templates", "t.csv"]).code, 0);
    project
}

fn ids(project: &Project, args: &[&str]) -> Vec<String> {
    let output = project.run(&[&["queue", "--as", "ana", "--json"], args].concat());
    assert_eq!(output.code, 0, "{}", output.stderr);
    let listed = output.json()["templates"].as_array().cloned().unwrap();
    listed.iter().map(|listed| listed["id"].as_str().unwrap().to_owned()).collect()
}

fn vote(project: &Project, id: &str, label: &str) {
    assert_eq!(project.run(&["vote", id, label, "--as", "ana"]).code, 0);
}

#[test]
fn the_orders_of_the_label_pane_are_there() {
    let project = project();
    vote(&project, "1", "normal");
    assert_eq!(project.run(&["flag", "6", "--as", "ana"]).code, 0);
    assert_eq!(ids(&project, &[]), ["1", "2", "3", "4", "5", "6"]);
    assert_eq!(ids(&project, &["--order", "unseen"]), ["2", "3", "4", "5", "6", "1"]);
    assert_eq!(ids(&project, &["--order", "flagged", "--limit", "2"]), ["6", "1"]);
    assert_eq!(ids(&project, &["--order", "frequent"]), ["4", "1", "3", "6", "2", "5"]);
    assert_eq!(ids(&project, &["--order", "near-duplicates"])[..3], ["1", "3", "5"]);
    assert_eq!(ids(&project, &["--filter", "torus any"]), ["3"]);
    assert_eq!(ids(&project, &["--fuzzy", "knlpnc", "--filter", "node"]), ["2"]);
    vote(&project, "3", "abnormal");
    assert_eq!(ids(&project, &["--order", "against-own-votes"]), ["1", "3"]);
    let few = project.run(&["queue", "--order", "label-errors", "--as", "ana"]);
    assert_eq!(few.code, 1);
    assert!(few.stderr.contains("1 normal and 1 abnormal labels are too few"), "{}", few.stderr);
    assert_eq!(project.run(&["queue", "--order", "random"]).code, 2);
}

#[test]
fn what_a_template_came_as_is_told_only_after_a_label_of_ones_own() {
    let project = project();
    let output = project.run(&["queue", "--as", "ana", "--json"]);
    assert!(!output.stdout.contains("original") && !output.stdout.contains("suggestion"), "{}", output.stdout);
    assert_eq!(ids(&project, &["--order", "against-suggestion"]), [""; 0]);
    vote(&project, "4", "unsure");
    assert!(!project.run(&["queue", "--as", "ana", "--json"]).stdout.contains("original"));
    vote(&project, "4", "abnormal");
    let listed = project.run(&["queue", "--as", "ana", "--json", "--order", "against-suggestion"]).json();
    assert_eq!(listed["total"], 1);
    let first = &listed["templates"][0];
    assert_eq!((&first["original"], &first["suggestion"]["label"]), (&"abnormal".into(), &"normal".into()));
    assert_eq!(first["suggestion"]["by"], "keyword rule");
    // What ana has seen bao has not.
    assert!(!project.run(&["queue", "--as", "bao", "--json"]).stdout.contains("original"));
    assert!(project.run(&["queue", "--as", "bao"]).stdout.contains("6 templates for bao, as imported"));
}
