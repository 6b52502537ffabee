//! Finding templates as one types: words that a template must hold, and letters that it must have in order.
//!
//! Both can be asked for at once. A hundred thousand templates are searched between two keys, so all texts lie in lower
//! case in one stretch of memory, and typing one more letter looks only at what was found before.

use memchr::memmem::Finder;
use nucleo_matcher::{Config, Matcher, Utf32Str};
use rayon::prelude::*;

/// So many texts are looked at in a row by one thread.
const CHUNK: usize = 4096;

/// Where more match than this, they stay in the order of the queue: letters that so many have say nothing about which is
/// meant, and to rank them all would take longer than the time between two keys.
pub const MOST_RANKED: usize = 10_000;

/// The texts of all templates, made ready to be searched.
#[derive(Debug, Clone, Default)]
pub struct Haystack {
    /// Every text in lower case, a line feed after each.
    text: String,
    /// Where each text ends, before its line feed.
    ends: Vec<usize>,
}

impl Haystack {
    /// Makes texts ready. A line feed within a text becomes a space.
    pub fn new<S: AsRef<str>>(texts: impl IntoIterator<Item = S>) -> Self {
        let mut haystack = Self::default();
        for text in texts {
            haystack.text.push_str(&text.as_ref().to_lowercase().replace('\n', " "));
            haystack.ends.push(haystack.text.len());
            haystack.text.push('\n');
        }
        haystack
    }

    fn start(&self, item: usize) -> usize {
        item.checked_sub(1).map_or(0, |before| self.ends[before] + 1)
    }

    fn entry(&self, item: usize) -> &str {
        &self.text[self.start(item)..self.ends[item]]
    }
}

/// What is looked for. Case does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Words, each of which a text must hold somewhere, also within a word of its own.
    pub words: String,
    /// Words whose letters a text must have in their order, with anything between them.
    pub fuzzy: String,
}

impl Query {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        self.words.trim().is_empty() && self.fuzzy.trim().is_empty()
    }

    /// Whether whatever matches this query matches `before` too, so that it suffices to look at what that found.
    pub fn narrows(&self, before: &Self) -> bool {
        self.words.starts_with(&before.words) && self.fuzzy.starts_with(&before.fuzzy)
    }
}

/// A template that matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// Its place in the haystack.
    pub item: usize,
    /// How well it matches the fuzzy words; all alike where there are none.
    pub score: u32,
}

/// The items of `among` that match, in their order.
pub fn search(haystack: &Haystack, query: &Query, among: &[usize]) -> Vec<Match> {
    search_on(haystack, query, &Query::default(), among)
}

/// [`search`], where `among` is what `before` found and the query narrows that: only what was typed since is looked for.
pub fn search_on(haystack: &Haystack, query: &Query, before: &Query, among: &[usize]) -> Vec<Match> {
    let mut found = among.to_vec();
    let words = query.words.to_lowercase();
    for word in words.split_whitespace().skip(whole_words(&before.words)) {
        hold_word(haystack, word, &mut found);
    }
    let fuzzy = query.fuzzy.to_lowercase();
    let needles: Vec<Needle> = fuzzy.split_whitespace().map(Needle::new).collect();
    for needle in needles.iter().skip(whole_words(&before.fuzzy)) {
        hold_letters(haystack, needle, &mut found);
    }
    rank(haystack, &needles, found)
}

/// How many words of a text that is being typed cannot change any more by typing on.
fn whole_words(typed: &str) -> usize {
    let words = typed.split_whitespace().count();
    if typed.ends_with(char::is_whitespace) { words } else { words.saturating_sub(1) }
}

/// The best matches first; equals stay in their order.
pub fn best_first(matches: &[Match]) -> Vec<usize> {
    let mut places: Vec<(u32, usize)> =
        matches.iter().enumerate().map(|(place, found)| (u32::MAX - found.score, place)).collect();
    places.sort_unstable();
    places.into_iter().map(|(_, place)| matches[place].item).collect()
}

/// Keeps the items that hold a word.
fn hold_word(haystack: &Haystack, word: &str, items: &mut Vec<usize>) {
    let finder = Finder::new(word);
    // Few items are looked at one by one; for many, one pass over all the memory is faster.
    if items.len() < haystack.ends.len() / 8 {
        items.retain(|item| finder.find(haystack.entry(*item).as_bytes()).is_some());
        return;
    }
    let text = haystack.text.as_bytes();
    let mut holds = vec![false; haystack.ends.len()];
    let (mut item, mut from) = (0, 0);
    while let Some(at) = finder.find(&text[from..]) {
        let at = from + at;
        item += haystack.ends[item..].partition_point_near(at);
        holds[item] = true;
        from = haystack.ends[item] + 1;
        item += 1;
    }
    items.retain(|item| holds[*item]);
}

/// Skips ahead in a sorted list from its start, cheapest where the place is near.
trait PartitionPointNear {
    /// How many of the first elements are below `at`.
    fn partition_point_near(&self, at: usize) -> usize;
}

impl PartitionPointNear for [usize] {
    fn partition_point_near(&self, at: usize) -> usize {
        let mut reach = 1;
        while reach < self.len() && self[reach - 1] < at {
            reach *= 2;
        }
        self[..reach.min(self.len())].partition_point(|end| *end < at)
    }
}

/// Keeps the items that have the letters of a fuzzy word in order.
fn hold_letters(haystack: &Haystack, needle: &Needle, items: &mut Vec<usize>) {
    let kept = items.par_chunks(CHUNK).map(|items| {
        let items = items.iter().copied().filter(|item| needle.is_in(haystack.entry(*item).as_bytes()));
        items.collect::<Vec<usize>>()
    });
    *items = kept.collect::<Vec<_>>().concat();
}

/// How well each item matches the fuzzy words, where there are not too many for that.
fn rank(haystack: &Haystack, needles: &[Needle], items: Vec<usize>) -> Vec<Match> {
    if needles.is_empty() || items.len() > MOST_RANKED {
        return items.into_iter().map(|item| Match { item, score: 0 }).collect();
    }
    // Everything is in lower case already.
    let mut config = Config::DEFAULT;
    config.ignore_case = false;
    config.normalize = false;
    let matches = items.par_chunks(CHUNK).map_init(
        || (Matcher::new(config.clone()), Vec::new()),
        |(matcher, buffer), items| {
            let matches = items.iter().map(|item| {
                let entry = Utf32Str::new(haystack.entry(*item), buffer);
                let mut score = |needle: &Needle| matcher.fuzzy_match_greedy(entry, needle.as_utf32()).unwrap_or(0);
                Match { item: *item, score: needles.iter().map(|needle| u32::from(score(needle))).sum() }
            });
            matches.collect::<Vec<Match>>()
        },
    );
    matches.collect::<Vec<_>>().concat()
}

/// A fuzzy word: its letters as they are looked for, and in the form that the matcher is fastest with.
struct Needle {
    letters: Vec<Vec<u8>>,
    characters: Result<String, Vec<char>>,
}

impl Needle {
    fn new(word: &str) -> Self {
        let characters = if word.is_ascii() { Ok(word.to_owned()) } else { Err(word.chars().collect()) };
        Self { letters: word.chars().map(|letter| letter.to_string().into_bytes()).collect(), characters }
    }

    /// Whether a text has all its letters, in their order.
    fn is_in(&self, text: &[u8]) -> bool {
        let mut rest = text;
        self.letters.iter().all(|letter| {
            let at = match letter[..] {
                [byte] => memchr::memchr(byte, rest),
                _ => memchr::memmem::find(rest, letter),
            };
            at.inspect(|at| rest = &rest[at + letter.len()..]).is_some()
        })
    }

    fn as_utf32(&self) -> Utf32Str<'_> {
        match &self.characters {
            Ok(word) => Utf32Str::Ascii(word.as_bytes()),
            Err(characters) => Utf32Str::Unicode(characters),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn haystack() -> Haystack {
        Haystack::new([
            "bgl/1 instruction cache parity error corrected",
            "bgl/2 ciod: failed to read message prefix",
            "bgl/3 data cache parity\nerror",
            "bgl/4 ノード<*>の電源が切れました",
        ])
    }

    fn found(words: &str, fuzzy: &str) -> Vec<usize> {
        let query = Query { words: words.to_owned(), fuzzy: fuzzy.to_owned() };
        best_first(&search(&haystack(), &query, &[0, 1, 2, 3]))
    }

    #[test]
    fn every_word_must_be_there_and_case_does_not_matter() {
        assert_eq!(found("CACHE err", ""), [0, 2]);
        assert_eq!(found("parity ciod", ""), [0_usize; 0]);
        assert_eq!(found("電源", ""), [3]);
        assert_eq!(found("", ""), [0, 1, 2, 3]);
    }

    #[test]
    fn fuzzy_letters_must_be_there_in_order_and_the_best_match_comes_first() {
        assert_eq!(found("", "rdmsg"), [1]);
        assert_eq!(found("", "data"), [2, 1], "data as a word, then d..a..t..a");
        assert_eq!(found("", "電ま"), [3]);
        assert_eq!(found("", "error").len(), 2);
    }

    #[test]
    fn words_and_fuzzy_letters_compose() {
        assert_eq!(found("parity", "dtch"), [2]);
        assert_eq!(found("parity", "prefix"), [0_usize; 0]);
    }

    proptest! {
        #[test]
        fn a_search_finds_what_looking_at_each_text_finds_in_the_order_given(
            texts in proptest::collection::vec("[ab c]{0,8}", 0..40),
            words in "[ab ]{0,4}", fuzzy in "[abc ]{0,4}",
        ) {
            let haystack = Haystack::new(&texts);
            let among: Vec<usize> = (0..texts.len()).rev().collect();
            let query = Query { words, fuzzy };
            let holds = |item: &usize| {
                let text = texts[*item].as_str();
                let in_order = |letters: &str| {
                    let mut rest = text;
                    letters.chars().all(|letter| {
                        let at = rest.find(letter);
                        rest = at.map_or("", |at| &rest[at + 1..]);
                        at.is_some()
                    })
                };
                query.words.split_whitespace().all(|word| text.contains(word))
                    && query.fuzzy.split_whitespace().all(in_order)
            };
            let expected: Vec<usize> = among.iter().copied().filter(holds).collect();
            let items = |matches: Vec<Match>| matches.into_iter().map(|found| found.item).collect::<Vec<_>>();
            let found = search(&haystack, &query, &among);
            let mut ranked = best_first(&found);
            prop_assert_eq!(&items(found), &expected);
            ranked.sort_unstable_by(|a, b| b.cmp(a));
            prop_assert_eq!(&ranked, &expected);
            // Typing on from a shorter query finds the same.
            let mut shorter = query.clone();
            shorter.words.pop();
            shorter.fuzzy.pop();
            prop_assert!(query.narrows(&shorter));
            let before = items(search(&haystack, &shorter, &among));
            prop_assert_eq!(search_on(&haystack, &query, &shorter, &before), search(&haystack, &query, &among));
        }
    }
}
