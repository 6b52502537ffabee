//! Points on a grid of characters: where each lands, which is nearest in a direction, and what a character shows of those that
//! share it.

use crate::reasoning::projection::Point;

/// Dots of a braille character, across and down.
const DOTS: (usize, usize) = (2, 4);

/// The bit of each dot of a braille character, by row and column.
const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// From so many points on, a few far away must not decide where all others lie.
const MANY: usize = 50;

/// Where the user wants to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    Left,
    Right,
    Up,
    Down,
}

/// The points that a character shows, and the dots where they lie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    /// By their places, in order.
    pub points: Vec<usize>,
    bits: u32,
}

impl Cell {
    /// The braille character with a dot for each place where a point lies.
    pub fn braille(&self) -> char {
        char::from_u32(0x2800 + self.bits).unwrap_or(' ')
    }
}

/// Each point's share of the way from left to right and from top to bottom, from 0 to 1. Of many points, the outermost few stand on
/// the edge, so that they do not push all others together.
pub(super) fn shares(points: &[Point]) -> Vec<(f64, f64)> {
    let range = |of: fn(&Point) -> f64| {
        let mut values: Vec<f64> = points.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        let beyond = if values.len() < MANY { 0 } else { values.len() / 25 };
        match (values.get(beyond), values.iter().rev().nth(beyond)) {
            (Some(low), Some(high)) => (*low, high - low),
            _ => (0.0, 0.0),
        }
    };
    let share = |value: f64, (low, width): (f64, f64)| {
        if width > 0.0 { ((value - low) / width).clamp(0.0, 1.0) } else { 0.5 }
    };
    let (across, up) = (range(|point| point.x), range(|point| point.y));
    points.iter().map(|point| (share(point.x, across), 1.0 - share(point.y, up))).collect()
}

/// The characters of a grid, row by row.
pub(super) fn cells(shares: &[(f64, f64)], width: usize, height: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::default(); width * height];
    if width == 0 || height == 0 {
        return cells;
    }
    let dot = |share: f64, dots: usize| ((share * (dots - 1) as f64).round() as usize).min(dots - 1);
    for (place, (across, down)) in shares.iter().enumerate() {
        let (x, y) = (dot(*across, width * DOTS.0), dot(*down, height * DOTS.1));
        let cell = &mut cells[y / DOTS.1 * width + x / DOTS.0];
        cell.points.push(place);
        cell.bits |= BITS[y % DOTS.1][x % DOTS.0];
    }
    cells
}

/// The nearest point in a direction: of those that lie more that way than aside, or of all on that side where there are none.
pub(super) fn nearest(shares: &[(f64, f64)], from: usize, direction: Direction) -> Option<usize> {
    let (x, y) = *shares.get(from)?;
    let way = |place: usize| {
        let (across, down) = (shares[place].0 - x, shares[place].1 - y);
        match direction {
            Direction::Left => (-across, down.abs()),
            Direction::Right => (across, down.abs()),
            Direction::Up => (-down, across.abs()),
            Direction::Down => (down, across.abs()),
        }
    };
    let nearest = |wide: bool| {
        let that_way = (0..shares.len()).filter_map(|place| {
            let (along, aside) = way(place);
            (along > 1e-9 && (wide || aside <= along)).then_some((along + 2.0 * aside, place))
        });
        that_way.min_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))).map(|(_, place)| place)
    };
    nearest(false).or_else(|| nearest(true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
        shares(&points.iter().map(|(x, y)| Point { x: *x, y: *y }).collect::<Vec<_>>())
    }

    #[test]
    fn points_land_where_they_lie_and_share_a_character_as_dots() {
        let shares = at(&[(-1.0, 1.0), (1.0, -1.0), (-1.0, -1.0), (-1.0, -0.9)]);
        assert_eq!(shares[0], (0.0, 0.0));
        assert_eq!(shares[1], (1.0, 1.0));
        let cells = cells(&shares, 3, 2);
        let taken: Vec<(usize, Vec<usize>)> = cells
            .iter()
            .enumerate()
            .filter(|(_, cell)| !cell.points.is_empty())
            .map(|(at, cell)| (at, cell.points.clone()))
            .collect();
        assert_eq!(taken, [(0, vec![0]), (3, vec![2, 3]), (5, vec![1])]);
        assert_eq!((cells[0].braille(), cells[5].braille(), cells[1].braille()), ('⠁', '⢀', '⠀'));
    }

    #[test]
    fn a_direction_leads_to_what_lies_there() {
        let shares = at(&[(0.0, 0.0), (1.0, 0.1), (0.5, 2.0), (-2.0, 0.0), (0.0, -1.0)]);
        let go = |direction| nearest(&shares, 0, direction);
        assert_eq!(go(Direction::Right), Some(1));
        assert_eq!(go(Direction::Up), Some(2));
        assert_eq!(go(Direction::Left), Some(3));
        assert_eq!(go(Direction::Down), Some(4));
        assert_eq!(nearest(&shares, 3, Direction::Left), None);
        assert_eq!(nearest(&[], 0, Direction::Left), None);
    }

    proptest! {
        #[test]
        fn every_point_is_in_one_character(
            points in prop::collection::vec((-5f64..5.0, -5f64..5.0), 0..40),
            width in 0usize..30,
            height in 0usize..12,
        ) {
            let cells = cells(&at(&points), width, height);
            prop_assert_eq!(cells.len(), width * height);
            let shown: usize = cells.iter().map(|cell| cell.points.len()).sum();
            prop_assert_eq!(shown, if width * height == 0 { 0 } else { points.len() });
        }
    }
}
