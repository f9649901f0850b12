//! One line of a result: what was measured of ours and of a peer, and what is asked of it.

use serde_json::{Value, json};

/// What one contender took in each round.
#[derive(Clone, Debug)]
pub struct Series {
    /// Which contender.
    pub of: &'static str,
    /// One sample a round, in order.
    pub samples: Vec<f64>,
}

/// What is asked of a cell; xtask judges it by the median over the rounds.
#[derive(Clone, Copy, Debug)]
pub enum Bound {
    /// Ours divided by the peer's, round by round.
    RatioMax(f64),
    /// What ours is more than the peer's, round by round.
    ExcessMax(f64),
    /// Ours alone.
    Max(f64),
    /// Ours alone, where more is better.
    Min(f64),
}

/// One line of a result.
#[derive(Clone, Debug)]
pub struct Cell {
    /// What was done.
    pub name: String,
    /// What the samples are counted in.
    pub unit: &'static str,
    /// Ours.
    pub ours: Series,
    /// What it is compared with.
    pub peer: Option<Series>,
    /// What is asked; nothing of a cell that is there to be looked at.
    pub bound: Option<Bound>,
}

impl Cell {
    /// The cell as xtask reads it.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let bound = self.bound.map(|bound| match bound {
            Bound::RatioMax(most) => json!({ "of": "ratio", "max": most }),
            Bound::ExcessMax(most) => json!({ "of": "excess", "max": most }),
            Bound::Max(most) => json!({ "of": "value", "max": most }),
            Bound::Min(least) => json!({ "of": "value", "min": least }),
        });
        json!({
            "name": self.name,
            "unit": self.unit,
            "ours": self.ours.to_json(),
            "peer": self.peer.as_ref().map(Series::to_json),
            "bound": bound,
        })
    }
}

impl Series {
    fn to_json(&self) -> Value {
        json!({ "of": self.of, "samples": self.samples })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_keeps_every_sample() {
        let ours = Series { of: "TaskSet", samples: vec![1.5, 2.5] };
        let peer = Some(Series { of: "JoinSet", samples: vec![3.0, 4.0] });
        let cell = Cell { name: "spawn".to_owned(), unit: "ns", ours, peer, bound: Some(Bound::RatioMax(1.2)) };
        assert_eq!(
            cell.to_json(),
            json!({
                "name": "spawn", "unit": "ns",
                "ours": { "of": "TaskSet", "samples": [1.5, 2.5] },
                "peer": { "of": "JoinSet", "samples": [3.0, 4.0] },
                "bound": { "of": "ratio", "max": 1.2 },
            })
        );
    }
}
