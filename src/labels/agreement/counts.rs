//! Count patterns: how many votes a template has for each category, and how many templates look just like that.
//!
//! All coefficients over the whole panel depend on these counts alone, not on who voted. However many templates there
//! are, their patterns are few (five votes on two labels make 20), and so a coefficient, or a thousand bootstrap resamples
//! of it, costs next to nothing once the patterns are counted.

use std::collections::BTreeMap;

/// How often each pattern of counts occurs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountTable {
    categories: usize,
    /// One pattern after the other, `categories` counts each.
    counts: Vec<u32>,
    /// How many templates have each pattern.
    templates: Vec<u64>,
}

impl CountTable {
    /// The patterns of templates of which each rater gave one of `categories` categories, numbered from 0, or none.
    /// Templates without a vote are left out.
    ///
    /// # Panics
    /// When a category is not below `categories`.
    pub fn of_ratings(categories: usize, templates: &[Vec<Option<usize>>]) -> Self {
        let patterns = templates.iter().map(|row| {
            let mut counts = vec![0; categories];
            for &category in row.iter().flatten() {
                counts[category] += 1;
            }
            (counts, 1)
        });
        Self::of_patterns(categories, patterns)
    }

    /// A table of patterns, each with how many templates have it; the same pattern may come several times.
    pub(super) fn of_patterns(categories: usize, patterns: impl IntoIterator<Item = (Vec<u32>, u64)>) -> Self {
        let mut tally: BTreeMap<Vec<u32>, u64> = BTreeMap::new();
        for (pattern, templates) in patterns {
            if templates > 0 && pattern.iter().any(|&count| count > 0) {
                *tally.entry(pattern).or_default() += templates;
            }
        }
        Self { categories, counts: tally.keys().flatten().copied().collect(), templates: tally.into_values().collect() }
    }

    /// How many categories there are, used or not.
    pub fn categories(&self) -> usize {
        self.categories
    }

    /// How many templates have each pattern; what a resample replaces.
    pub fn templates(&self) -> &[u64] {
        &self.templates
    }

    /// Each pattern with the number of templates that `templates` gives it.
    pub(super) fn patterns<'a>(&'a self, templates: &'a [u64]) -> impl Iterator<Item = Pattern<'a>> + Clone {
        self.counts.chunks_exact(self.categories.max(1)).zip(templates).map(|(counts, &templates)| Pattern {
            counts,
            votes: counts.iter().map(|&count| f64::from(count)).sum(),
            templates: templates as f64,
        })
    }

    /// The patterns with two votes or more: those that can show agreement.
    pub(super) fn comparable<'a>(&'a self, templates: &'a [u64]) -> impl Iterator<Item = Pattern<'a>> + Clone {
        self.patterns(templates).filter(|pattern| pattern.votes >= 2.0)
    }

    /// How many templates have two votes or more.
    pub fn comparable_templates(&self) -> u64 {
        self.comparable(&self.templates).map(|pattern| pattern.templates).sum::<f64>() as u64
    }

    /// How many templates have two votes or more of which at least one says `category`.
    pub fn templates_where(&self, category: usize) -> u64 {
        let said = self.comparable(&self.templates).filter(|pattern| pattern.counts[category] > 0);
        said.map(|pattern| pattern.templates).sum::<f64>() as u64
    }

    /// How many votes say each category.
    pub fn votes(&self) -> Vec<u64> {
        let mut votes = vec![0; self.categories];
        for pattern in self.patterns(&self.templates) {
            for (votes, &count) in votes.iter_mut().zip(pattern.counts) {
                *votes += u64::from(count) * pattern.templates as u64;
            }
        }
        votes
    }

    /// Each category's share of a template's votes, averaged over all templates with a vote: the chance of a category
    /// in Fleiss' kappa and Gwet's AC1.
    pub(super) fn mean_shares(&self, templates: &[u64]) -> Vec<f64> {
        let mut shares = vec![0.0; self.categories];
        let mut n = 0.0;
        for pattern in self.patterns(templates) {
            n += pattern.templates;
            for (share, &count) in shares.iter_mut().zip(pattern.counts) {
                *share += pattern.templates * f64::from(count) / pattern.votes;
            }
        }
        for share in &mut shares {
            *share /= n;
        }
        shares
    }
}

/// A pattern and how many templates have it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pattern<'a> {
    /// Votes for each category.
    pub counts: &'a [u32],
    /// Votes altogether.
    pub votes: f64,
    /// Templates with this pattern.
    pub templates: f64,
}

impl Pattern<'_> {
    /// Ordered pairs of different votes for the same category.
    pub fn agreeing_pairs(&self) -> f64 {
        self.counts.iter().map(|&count| f64::from(count) * (f64::from(count) - 1.0)).sum()
    }

    /// Ordered pairs of different votes.
    pub fn pairs(&self) -> f64 {
        self.votes * (self.votes - 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn templates_that_look_alike_are_one_pattern() {
        let row = |cells: [i8; 3]| cells.map(|cell| usize::try_from(cell).ok()).to_vec();
        let rows = [row([0, 1, -1]), row([1, -1, 0]), row([1, 1, 1]), row([-1, -1, -1]), row([0, -1, -1])];
        let table = CountTable::of_ratings(2, &rows);
        // In the order of the counts: three abnormal; one normal alone; one of each, twice.
        assert_eq!((table.templates(), table.comparable_templates()), (&[1, 1, 2][..], 3));
        assert_eq!(table.votes(), [3, 5]);
        assert_eq!(table.templates_where(0), 2);
        assert_eq!(table.mean_shares(table.templates()), [0.5, 0.5]);
    }
}
