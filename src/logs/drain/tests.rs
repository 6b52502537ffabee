use super::*;
use proptest::prelude::*;

fn drain(settings: DrainSettings) -> Drain {
    Drain::new(settings, DrainLimits::default())
}

fn add_all<'m>(drain: &mut Drain, messages: impl IntoIterator<Item = &'m str>) -> Vec<u32> {
    messages.into_iter().map(|message| drain.add(message.as_bytes())).collect()
}

fn text(drain: &Drain, cluster: u32) -> &str {
    std::str::from_utf8(drain.template(cluster)).unwrap()
}

#[test]
fn messages_alike_share_a_template_whose_differences_are_variables() {
    let mut drain = drain(DrainSettings::default());
    let clusters = add_all(
        &mut drain,
        ["session opened for ann", "session  opened for bob", "session closed", "fan 3 failed", "fan 4 failed"],
    );
    assert_eq!(clusters, [0, 0, 1, 2, 2]);
    assert_eq!(text(&drain, 0), "session opened for <*>");
    assert_eq!(text(&drain, 1), "session closed");
    assert_eq!(text(&drain, 2), "fan <*> failed");
    assert_eq!(drain.len(), 3);
}

#[test]
fn only_messages_with_the_same_leading_tokens_meet() {
    let settings = DrainSettings { similarity: 0.1, depth: 5, max_children: 100 };
    let mut drain = drain(settings);
    // Two leading tokens part messages; those with digits do not.
    assert_eq!(add_all(&mut drain, ["a b x y", "a c x y", "a b1 x y", "a b2 x y", "d b x y"]), [0, 1, 2, 2, 3]);
}

#[test]
fn a_node_that_is_full_sends_newcomers_to_its_variable_child() {
    let settings = DrainSettings { similarity: 0.5, depth: 4, max_children: 3 };
    let mut drain = drain(settings);
    // Two words have nodes of their own, the third place is kept for the rest.
    assert_eq!(add_all(&mut drain, ["a x y", "b x y", "c x y", "d x y", "a x y", "e x y"]), [0, 1, 2, 2, 0, 2]);
    assert_eq!(text(&drain, 2), "<*> x y");
}

#[test]
fn the_most_alike_wins_then_the_more_variable_then_the_older() {
    let settings = DrainSettings { similarity: 0.4, depth: 3, max_children: 100 };
    let mut drain = drain(settings);
    assert_eq!(add_all(&mut drain, ["a b c d e", "a b 1 2 3"]), [0, 0]);
    assert_eq!(text(&drain, 0), "a b <*> <*> <*>");
    assert_eq!(add_all(&mut drain, ["a x y z w", "a x y q r", "a x c d e"]), [1, 1, 1]);
}

#[test]
fn three_plain_words_in_a_row_are_no_parameter() {
    let mut drain = drain(DrainSettings::default());
    let clusters = add_all(
        &mut drain,
        [
            "error reading the prefix on socket to <*> Link has been severed",
            "error reading the prefix on socket to <*> Connection reset by peer",
            "error reading the prefix on socket to <*> Link has been severed",
            "user mary ann logged into the box today at noon",
            "user john doe logged into the box today at noon",
        ],
    );
    assert_eq!(clusters, [0, 1, 0, 2, 2]);
}

#[test]
fn lists_of_any_length_meet_once_they_are_masked() {
    let mut drain = drain(DrainSettings::default());
    assert_eq!(add_all(&mut drain, ["ask <*> to delete <*> <*> <*>", "ask <*> to delete <*>"]), [0, 0]);
    assert_eq!(text(&drain, 0), "ask <*> to delete <*>");
}

#[test]
fn a_message_of_masks_alone_has_one_template() {
    let mut drain = drain(DrainSettings::default());
    assert_eq!(add_all(&mut drain, ["<*>", "<*>: <*> up", "<*>", "<*>: <*> up", "<*>, <*>"]), [0, 1, 0, 1, 2]);
}

#[test]
fn what_finds_no_room_is_gathered() {
    let limits = DrainLimits { clusters: 2, ..DrainLimits::default() };
    let mut drain = Drain::new(DrainSettings::default(), limits);
    assert_eq!(add_all(&mut drain, ["a b c", "d e f", "g h i", "j", "a b x", "d e f"]), [0, 1, 2, 2, 0, 1]);
    assert_eq!(text(&drain, 2), "<*>");
    assert!(drain.is_overflow(2) && !drain.is_overflow(0));
    let mut small = Drain::new(DrainSettings::default(), DrainLimits { bytes: 40, ..limits });
    assert_eq!(add_all(&mut small, ["a b c", "d e f", "g h i"]), [0, 1, 1]);
}

#[test]
fn what_changed_is_told_once() {
    let mut drain = drain(DrainSettings::default());
    add_all(&mut drain, ["a b c", "x y z"]);
    assert_eq!(drain.take_changed(), [0, 1]);
    add_all(&mut drain, ["a b c"]);
    assert_eq!(drain.take_changed(), [0u32; 0]);
    add_all(&mut drain, ["a b d", "a b e"]);
    assert_eq!(drain.take_changed(), [0]);
}

#[test]
fn a_state_that_cannot_be_is_refused() {
    let saved = SavedCluster { template: b"a b".to_vec(), lead: b"a".to_vec(), overflow: false };
    let restore = |saved| Drain::restore(DrainSettings::default(), DrainLimits::default(), [saved]).map(|_| ());
    assert_eq!(restore(saved.clone()), Ok(()));
    assert_eq!(restore(SavedCluster { lead: Vec::new(), ..saved }), Err(StateError::Lead(0)));
}

/// Messages of few and short words, so that they often meet.
fn messages() -> impl Strategy<Value = Vec<String>> {
    let word = prop_oneof!["[a-c]", "[0-2]", Just("<*>".to_owned()), "[ab]{8}[0-1]"];
    let message = proptest::collection::vec(word, 0..6).prop_map(|words| words.join(" "));
    proptest::collection::vec(message, 0..60)
}

/// The algorithm told plainly: each cluster a list of words, looked at one by one.
struct Plain {
    settings: DrainSettings,
    clusters: Vec<(Vec<String>, Vec<String>)>,
}

impl Plain {
    /// Where a message's leading words lead among the paths of the clusters there are.
    fn path(&self, words: &[String], make: bool) -> Option<Vec<String>> {
        let mut path: Vec<String> = Vec::new();
        for word in words.iter().take(self.settings.depth - 3) {
            let mut children: Vec<&String> = Vec::new();
            for (lead, template) in &self.clusters {
                if template.len() == words.len() && lead.starts_with(&path) && !children.contains(&&lead[path.len()]) {
                    children.push(&lead[path.len()]);
                }
            }
            let variable = "<*>".to_owned();
            let rest = children.contains(&&variable);
            let digit = word.bytes().any(|byte| byte.is_ascii_digit());
            let next = if children.contains(&word) {
                word.clone()
            } else if !make {
                rest.then_some(variable)?
            } else if digit || children.len() + usize::from(!rest) >= self.settings.max_children {
                variable
            } else {
                word.clone()
            };
            path.push(next);
        }
        (make || self.clusters.iter().any(|(lead, template)| template.len() == words.len() && *lead == path))
            .then_some(path)
    }

    fn add(&mut self, message: &str) -> usize {
        let mut words: Vec<String> = message.split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        words.dedup_by(|a, b| a == "<*>" && b == "<*>");
        let mut best: Option<(usize, usize, usize)> = None;
        if let Some(path) = self.path(&words, false) {
            for (index, (lead, template)) in self.clusters.iter().enumerate() {
                if template.len() != words.len() || *lead != path {
                    continue;
                }
                let equal = template.iter().zip(&words).filter(|(a, b)| a == b && *a != "<*>").count();
                let variables = template.iter().filter(|word| *word == "<*>").count();
                if best.is_none_or(|(_, e, v)| (equal, variables) > (e, v)) {
                    best = Some((index, equal, variables));
                }
            }
        }
        if let Some((index, equal, _)) = best
            && (words.is_empty() || equal as f64 / words.len() as f64 >= self.settings.similarity)
        {
            let template = &self.clusters[index].1;
            let plain: Vec<bool> = template
                .iter()
                .zip(&words)
                .map(|(a, b)| a != b && a != "<*>" && is_word(a.as_bytes()) && is_word(b.as_bytes()))
                .collect();
            if !plain.windows(3).any(|run| run.iter().all(|differs| *differs)) {
                for (word, own) in words.iter().zip(&mut self.clusters[index].1) {
                    if word != own {
                        "<*>".clone_into(own);
                    }
                }
                return index;
            }
        }
        if let Some(index) = self.clusters.iter().position(|(_, template)| *template == words) {
            return index;
        }
        let path = self.path(&words, true).unwrap();
        self.clusters.push((path, words));
        self.clusters.len() - 1
    }
}

proptest! {
    #[test]
    fn it_does_what_the_plain_algorithm_does(
        messages in messages(), similarity in 0.1f64..0.9, depth in 3usize..6, max_children in 2usize..5,
    ) {
        let settings = DrainSettings { similarity, depth, max_children };
        let mut drain = drain(settings);
        let mut plain = Plain { settings, clusters: Vec::new() };
        for message in &messages {
            let cluster = drain.add(message.as_bytes()) as usize;
            prop_assert_eq!(cluster, plain.add(message));
            prop_assert_eq!(text(&drain, cluster as u32), plain.clusters[cluster].1.join(" "));
        }
        // No two are the same, but for what is gathered.
        let texts: std::collections::HashSet<_> = (0..drain.len() as u32).map(|number| drain.template(number)).collect();
        prop_assert_eq!(texts.len(), drain.len());
    }

    #[test]
    fn a_restored_one_goes_on_as_if_nothing_had_been(
        messages in messages(), at in 0usize..60, clusters in 1usize..12, depth in 3usize..6,
    ) {
        let settings = DrainSettings { similarity: 0.5, depth, max_children: 3 };
        let limits = DrainLimits { clusters, bytes: 400 };
        let mut whole = Drain::new(settings, limits);
        let mut parted = Drain::new(settings, limits);
        for (index, message) in messages.iter().enumerate() {
            if index == at {
                let saved: Vec<_> = (0..parted.len() as u32).map(|cluster| parted.saved(cluster)).collect();
                parted = Drain::restore(settings, limits, saved).unwrap();
            }
            prop_assert_eq!(whole.add(message.as_bytes()), parted.add(message.as_bytes()));
        }
        prop_assert_eq!(whole.len(), parted.len());
        for cluster in 0..whole.len() as u32 {
            prop_assert_eq!(whole.saved(cluster), parted.saved(cluster));
        }
    }
}
