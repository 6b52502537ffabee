//! Exact t-SNE: every point against every other, so for some thousands of points at most.
//!
//! Source: van der Maaten and Hinton (2008), "Visualizing Data using t-SNE"; gains and momentum as in the authors' code.
//! It starts from the principal components (Kobak and Berens 2019, "The art of using t-SNE for single-cell
//! transcriptomics"), not from noise: the same points give the same map, and the map keeps their large layout.

use std::ops::ControlFlow;

use rayon::prelude::*;

use super::{Point, principal_components};
use crate::reasoning::neighbours::Vectors;

/// How the map is made.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TsneSettings {
    /// How many neighbours a point has, softly; at most a third of the points count.
    pub perplexity: f64,
    /// Steps of gradient descent.
    pub steps: usize,
}

impl Default for TsneSettings {
    fn default() -> Self {
        Self { perplexity: 20.0, steps: 500 }
    }
}

/// Steps in which attraction is exaggerated, so that clusters form, and by how much.
const EXAGGERATED: usize = 125;
const EXAGGERATION: f64 = 12.0;

/// Lays the points out so that near ones stay near. Asks `go_on` before each step with its number; `None` where that breaks off.
pub fn tsne(
    points: &Vectors,
    settings: TsneSettings,
    go_on: &mut dyn FnMut(usize) -> ControlFlow<()>,
) -> Option<Vec<Point>> {
    let count = points.len();
    let mut map = principal_components(points).points;
    if count < 4 {
        return Some(map);
    }
    let perplexity = settings.perplexity.clamp(1.0, ((count - 1) as f64 / 3.0).max(1.0));
    let affinities = affinities(points, perplexity);

    let spread = (map.iter().map(|point| point.x * point.x).sum::<f64>() / count as f64).sqrt();
    let scale = if spread > 0.0 { 1e-2 / spread } else { 0.0 };
    for (place, point) in map.iter_mut().enumerate() {
        // Copies must not lie on each other to the bit, or nothing parts what is alike to both.
        let turn = place as f64;
        *point = Point { x: point.x * scale + 1e-5 * turn.sin(), y: point.y * scale + 1e-5 * turn.cos() };
    }
    let rate = (count as f64 / EXAGGERATION).max(50.0);
    let mut speed = vec![Point::default(); count];
    let mut gains = vec![Point { x: 1.0, y: 1.0 }; count];
    for step in 0..settings.steps {
        if go_on(step).is_break() {
            return None;
        }
        let early = step < EXAGGERATED;
        let momentum = if early { 0.5 } else { 0.8 };
        let gradient = gradient(&map, &affinities, if early { EXAGGERATION } else { 1.0 });
        for place in 0..count {
            let (speed, gain, slope) = (&mut speed[place], &mut gains[place], gradient[place]);
            (gain.x, speed.x) = descend(gain.x, speed.x, slope.x, rate, momentum);
            (gain.y, speed.y) = descend(gain.y, speed.y, slope.y, rate, momentum);
            map[place].x += speed.x;
            map[place].y += speed.y;
        }
        let middle = |of: fn(&Point) -> f64| map.iter().map(of).sum::<f64>() / count as f64;
        let (x, y) = (middle(|point| point.x), middle(|point| point.y));
        map.iter_mut().for_each(|point| *point = Point { x: point.x - x, y: point.y - y });
    }
    Some(map)
}

/// The new gain and speed of a coordinate: the gain grows while the slope keeps its sign (Jacobs 1988).
fn descend(gain: f64, speed: f64, slope: f64, rate: f64, momentum: f64) -> (f64, f64) {
    let gain = if (slope > 0.0) == (speed > 0.0) { (gain * 0.8).max(0.01) } else { gain + 0.2 };
    (gain, momentum * speed - rate * gain * slope)
}

/// p_ij, row by row, symmetric, all together 1 (eq. 1 and 2 of the source).
fn affinities(points: &Vectors, perplexity: f64) -> Vec<f32> {
    let count = points.len();
    let mut rows = vec![0f32; count * count];
    rows.par_chunks_mut(count).enumerate().for_each(|(own, row)| {
        // Squared distance on the sphere.
        let distances: Vec<f64> = (0..count).map(|other| (2.0 - 2.0 * points.cosine(own, other)).max(0.0)).collect();
        neighbourhood(own, &distances, perplexity, row);
    });
    let mut symmetric = vec![0f32; count * count];
    symmetric.par_chunks_mut(count).enumerate().for_each(|(a, row)| {
        for (b, value) in row.iter_mut().enumerate() {
            *value = (rows[a * count + b] + rows[b * count + a]) / (2.0 * count as f32);
        }
    });
    symmetric
}

/// p_j|i for one i: a Gaussian as wide as makes its entropy that of `perplexity` equal neighbours.
fn neighbourhood(own: usize, distances: &[f64], perplexity: f64, row: &mut [f32]) {
    let nearest =
        distances.iter().enumerate().filter(|(other, _)| *other != own).map(|(_, d)| *d).fold(f64::MAX, f64::min);
    let (mut precision, mut low, mut high) = (1.0f64, 0.0f64, f64::INFINITY);
    let weight = |other: usize, precision: f64| {
        // From the nearest on, so that not all of them vanish.
        if other == own { 0.0 } else { (-(distances[other] - nearest) * precision).exp() }
    };
    for _ in 0..64 {
        let (mut sum, mut along) = (0f64, 0f64);
        for (other, distance) in distances.iter().enumerate() {
            let weight = weight(other, precision);
            sum += weight;
            along += weight * (distance - nearest);
        }
        let entropy = sum.ln() + precision * along / sum;
        let off = entropy - perplexity.ln();
        if off.abs() < 1e-5 {
            break;
        }
        if off > 0.0 {
            low = precision;
            precision = if high.is_finite() { (low + high) / 2.0 } else { precision * 2.0 };
        } else {
            high = precision;
            precision = (low + high) / 2.0;
        }
    }
    let sum: f64 = (0..distances.len()).map(|other| weight(other, precision)).sum();
    for (other, value) in row.iter_mut().enumerate() {
        *value = (weight(other, precision) / sum) as f32;
    }
}

/// The slope of the divergence of the map's affinities from the points' (eq. 5 of the source).
fn gradient(map: &[Point], affinities: &[f32], exaggeration: f64) -> Vec<Point> {
    let count = map.len();
    let closeness = |a: &Point, b: &Point| 1.0 / (1.0 + (a.x - b.x).powi(2) + (a.y - b.y).powi(2));
    // Rows are summed in parallel and then in order: the same on any number of threads.
    let sums: Vec<f64> = map.par_iter().map(|a| map.iter().map(|b| closeness(a, b)).sum::<f64>() - 1.0).collect();
    let total = sums.iter().sum::<f64>().max(f64::MIN_POSITIVE);
    map.par_iter()
        .zip(affinities.par_chunks(count))
        .map(|(a, row)| {
            let mut slope = Point::default();
            for (b, affinity) in map.iter().zip(row) {
                let closeness = closeness(a, b);
                let pull = 4.0 * (exaggeration * f64::from(*affinity) - closeness / total) * closeness;
                slope.x += pull * (a.x - b.x);
                slope.y += pull * (a.y - b.y);
            }
            slope
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three bundles of twelve points.
    fn bundles() -> Vectors {
        let mut values = Vec::new();
        for place in 0..36usize {
            let mut row = [0f32; 6];
            row[place / 12] = 1.0;
            row[3 + place % 3] = 0.05 * (1.0 + (place % 5) as f32);
            values.extend(row);
        }
        Vectors::new(6, values).unwrap()
    }

    #[test]
    fn what_is_alike_stays_together_and_the_map_is_the_same_every_time() {
        let points = bundles();
        let settings = TsneSettings { perplexity: 6.0, steps: 400 };
        let map = tsne(&points, settings, &mut |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(map, tsne(&points, settings, &mut |_| ControlFlow::Continue(())).unwrap());
        let distance = |a: usize, b: usize| (map[a].x - map[b].x).hypot(map[a].y - map[b].y);
        for own in 0..36 {
            let nearest =
                (0..36).filter(|other| *other != own).min_by(|a, b| distance(own, *a).total_cmp(&distance(own, *b)));
            assert_eq!(nearest.unwrap() / 12, own / 12, "{own} lies by {nearest:?}");
        }
    }

    #[test]
    fn it_can_be_broken_off_and_bears_few_points_and_copies() {
        let mut steps = 0;
        let stop = &mut |step| {
            steps = step;
            if step == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        };
        assert_eq!(tsne(&bundles(), TsneSettings::default(), stop), None);
        assert_eq!(steps, 3);
        for count in [0usize, 1, 3, 4, 9] {
            let same = Vectors::new(2, [1.0, 1.0].repeat(count)).unwrap();
            let map = tsne(&same, TsneSettings::default(), &mut |_| ControlFlow::Continue(())).unwrap();
            assert_eq!(map.len(), count);
            assert!(map.iter().all(|point| point.x.is_finite() && point.y.is_finite()), "{map:?}");
        }
    }
}
