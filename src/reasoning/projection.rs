//! Points of many dimensions on a flat map: by their two principal components at once, or by t-SNE in some seconds.

mod tsne;

pub use tsne::{TsneSettings, tsne};

use serde::{Deserialize, Serialize};

use super::dot::dot;
use super::neighbours::Vectors;

/// A place on the map; what is near in meaning should be near here.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Upwards.
    pub y: f64,
}

/// Points on their two principal components (Pearson 1901; Hotelling 1933).
#[derive(Debug, Clone, PartialEq)]
pub struct Components {
    /// The points, in order, around (0, 0).
    pub points: Vec<Point>,
    /// The share of the variance that each axis shows, from 0 to 1.
    pub explained: [f64; 2],
}

/// Rounds of the iteration: the angle to the component shrinks by the ratio of the eigenvalues each time.
const ROUNDS: usize = 200;

/// Where an axis has turned by less than this it stands.
const STILL: f64 = 1e-12;

/// Finds the two directions in which the points differ most, and where each lies along them.
///
/// The directions are found by orthogonal iteration (Golub and Van Loan, "Matrix Computations", 8.2.4) from a fixed
/// start, and point to where their largest element is positive: the same points give the same map.
pub fn principal_components(points: &Vectors) -> Components {
    let (count, width) = (points.len(), points.width());
    if count == 0 {
        return Components { points: Vec::new(), explained: [0.0; 2] };
    }
    let mut mean = vec![0f64; width];
    for row in points.rows() {
        for (mean, value) in mean.iter_mut().zip(row) {
            *mean += f64::from(*value) / count as f64;
        }
    }
    let centred: Vec<Vec<f64>> = points
        .rows()
        .map(|row| row.iter().zip(&mean).map(|(value, mean)| f64::from(*value) - mean).collect())
        .collect();
    let total: f64 = centred.iter().flatten().map(|value| value * value).sum();

    // A third axis makes the first two turn into place faster.
    let mut axes: Vec<Vec<f64>> = (0..3).map(|axis| start(axis, width)).collect();
    orthonormalise(&mut axes);
    for _ in 0..ROUNDS {
        let mut turned: Vec<Vec<f64>> = axes.iter().map(|axis| covariance_times(&centred, axis)).collect();
        orthonormalise(&mut turned);
        let moved = axes.iter().zip(&turned).take(2).map(|(old, new)| 1.0 - dot(old, new).abs()).fold(0.0, f64::max);
        axes = turned;
        if moved < STILL {
            break;
        }
    }
    for axis in &mut axes {
        let largest = axis.iter().copied().max_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or_default();
        if largest < 0.0 {
            axis.iter_mut().for_each(|value| *value = -*value);
        }
    }
    let places: Vec<Point> = centred.iter().map(|row| Point { x: dot(row, &axes[0]), y: dot(row, &axes[1]) }).collect();
    let share = |of: fn(&Point) -> f64| {
        let along: f64 = places.iter().map(|point| of(point).powi(2)).sum();
        if total > 0.0 { along / total } else { 0.0 }
    };
    let explained = [share(|point| point.x), share(|point| point.y)];
    Components { points: places, explained }
}

/// A direction that is no principal component of anything but by chance.
fn start(axis: usize, width: usize) -> Vec<f64> {
    (0..width).map(|place| (1.0 + (place * (2 * axis + 3) + axis) as f64).sin()).collect()
}

fn covariance_times(centred: &[Vec<f64>], axis: &[f64]) -> Vec<f64> {
    let mut product = vec![0f64; axis.len()];
    for row in centred {
        let along = dot(row, axis);
        for (product, value) in product.iter_mut().zip(row) {
            *product += along * value;
        }
    }
    product
}

/// Gram-Schmidt; a direction that is left with nothing stays nothing.
fn orthonormalise(axes: &mut [Vec<f64>]) {
    for place in 0..axes.len() {
        let (before, rest) = axes.split_at_mut(place);
        let axis = &mut rest[0];
        let whole = dot(axis, axis).sqrt();
        for other in before {
            let along = dot(axis, other);
            axis.iter_mut().zip(other.iter()).for_each(|(value, other)| *value -= along * other);
        }
        let length = dot(axis, axis).sqrt();
        let scale = if length > 1e-12 * whole { length.recip() } else { 0.0 };
        axis.iter_mut().for_each(|value| *value *= scale);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_directions_become_the_axes() {
        // A stretched cross on the unit sphere around the third axis: 9 apart one way, 4 the other.
        let mut values = Vec::new();
        for (x, y) in [(0.3, 0.0), (-0.3, 0.0), (0.15, 0.0), (-0.15, 0.0), (0.0, 0.1), (0.0, -0.1)] {
            values.extend([x, y, (1.0f32 - x * x - y * y).sqrt()]);
        }
        let map = principal_components(&Vectors::new(3, values).unwrap());
        assert!((map.points[0].x - 0.3).abs() < 1e-3 && map.points[0].y.abs() < 1e-3, "{map:?}");
        assert!((map.points[4].y - 0.1).abs() < 1e-3 && map.points[4].x.abs() < 1e-3, "{map:?}");
        assert!(map.explained[0] > 0.85 && map.explained[1] > 0.05 && map.explained.iter().sum::<f64>() <= 1.0 + 1e-9);
    }

    #[test]
    fn points_that_differ_in_nothing_lie_in_the_middle() {
        for values in [vec![], vec![1.0, 2.0], vec![1.0, 2.0, 1.0, 2.0], vec![0.0, 0.0]] {
            let map = principal_components(&Vectors::new(2, values.clone()).unwrap());
            assert_eq!(map.points.len(), values.len() / 2);
            assert!(map.points.iter().all(|point| point.x.abs() < 1e-9 && point.y.abs() < 1e-9), "{map:?}");
        }
        let pair = principal_components(&Vectors::new(2, vec![1.0, 0.0, 0.0, 1.0]).unwrap());
        assert!((pair.points[0].x.abs() - 0.5f64.sqrt()).abs() < 1e-6 && (pair.explained[0] - 1.0).abs() < 1e-6);
    }
}
