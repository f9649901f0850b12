//! Judging a cell: medians and quartiles over the rounds, and whether the target is met.

use super::result::{Bound, Cell};

/// What a cell came to.
#[derive(Debug)]
pub(super) struct Verdict {
    ours: f64,
    peer: Option<f64>,
    ratio: Option<[f64; 3]>,
    excess: Option<f64>,
    /// `None` where nothing is asked.
    pub(super) met: Option<bool>,
}

/// Judges by the median over the rounds. What is compared is compared within each round: what else the machine did
/// differs from round to round, and hardly within one.
pub(super) fn judge(cell: &Cell) -> Verdict {
    let pairs = |of: fn(f64, f64) -> f64| {
        let peer = cell.peer.as_ref()?;
        Some(quartiles(cell.ours.samples.iter().zip(&peer.samples).map(|(ours, peer)| of(*ours, *peer)).collect()))
    };
    let ratio = pairs(|ours, peer| ours / peer);
    let excess = pairs(|ours, peer| ours - peer).map(|[_, median, _]| median);
    let ours = quartiles(cell.ours.samples.clone())[1];
    let peer = cell.peer.as_ref().map(|peer| quartiles(peer.samples.clone())[1]);
    let met = cell.bound.map(|bound| match bound {
        Bound::Ratio(max) => ratio.is_some_and(|[_, median, _]| median <= max),
        Bound::Excess(max) => excess.is_some_and(|median| median <= max),
        Bound::Value(max) => ours <= max,
        Bound::AtLeast(min) => ours >= min,
    });
    Verdict { ours, peer, ratio, excess, met }
}

impl Verdict {
    /// The cells of the table's line.
    pub(super) fn row(&self, cell: &Cell) -> Vec<String> {
        let unit = &cell.unit;
        let figure = |value: f64| format!("{value:.2} {unit}");
        let ratio = self.ratio.map(|[low, median, high]| format!("{median:.2} [{low:.2}..{high:.2}]"));
        let target = cell.bound.map(|bound| match bound {
            Bound::Ratio(max) => format!("ratio ≤ {}", rounded(max)),
            Bound::Excess(max) => format!("excess {:.2} ≤ {max} {unit}", self.excess.unwrap_or(f64::NAN)),
            Bound::Value(max) => format!("≤ {max} {unit}"),
            Bound::AtLeast(min) => format!("≥ {min} {unit}"),
        });
        let met = match self.met {
            Some(true) => "yes",
            Some(false) => "NO",
            None => "",
        };
        vec![
            cell.name.clone(),
            cell.ours.of.clone(),
            figure(self.ours),
            cell.peer.as_ref().map(|peer| peer.of.clone()).unwrap_or_default(),
            self.peer.map(figure).unwrap_or_default(),
            ratio.unwrap_or_default(),
            target.unwrap_or_default(),
            met.to_owned(),
        ]
    }
}

/// With three decimals at most: a bound may be the inverse of what was asked.
fn rounded(bound: f64) -> f64 {
    (bound * 1e3).round() / 1e3
}

/// The lower quartile, the median and the upper quartile, each one of the samples; there is at least one.
fn quartiles(mut samples: Vec<f64>) -> [f64; 3] {
    samples.sort_by(f64::total_cmp);
    let last = samples.len().saturating_sub(1);
    [last / 4, last / 2, last - last / 4].map(|at| samples.get(at).copied().unwrap_or(f64::NAN))
}

#[cfg(test)]
mod tests {
    use super::super::result::Series;
    use super::*;

    fn met(ours: &[f64], peer: &[f64], bound: Bound) -> Option<bool> {
        let series = |of: &str, samples: &[f64]| Series { of: of.to_owned(), samples: samples.to_vec() };
        let peer = (!peer.is_empty()).then(|| series("peer", peer));
        let (name, unit) = ("spawn".to_owned(), "ns".to_owned());
        judge(&Cell { name, unit, ours: series("ours", ours), peer, bound: Some(bound) }).met
    }

    #[test]
    fn a_missed_target_is_seen_and_a_met_one_too() {
        assert_eq!(met(&[12.0], &[10.0], Bound::Ratio(1.2)), Some(true));
        assert_eq!(met(&[12.1], &[10.0], Bound::Ratio(1.2)), Some(false));
        assert_eq!(met(&[3.0], &[2.5], Bound::Excess(1.0)), Some(true));
        assert_eq!(met(&[3.0], &[1.5], Bound::Excess(1.0)), Some(false));
        assert_eq!(met(&[200.0], &[], Bound::Value(200.0)), Some(true));
        assert_eq!(met(&[201.0], &[], Bound::Value(200.0)), Some(false));
        assert_eq!(met(&[0.99], &[], Bound::AtLeast(0.99)), Some(true));
        assert_eq!(met(&[0.98], &[], Bound::AtLeast(0.99)), Some(false));
    }

    /// A round in which the machine was busy slows down both: the medians of each alone would be of different rounds.
    #[test]
    fn rounds_are_compared_with_themselves() {
        assert_eq!(met(&[1.0, 20.0, 22.0], &[1.0, 19.0, 21.0], Bound::Ratio(1.06)), Some(true));
        assert_eq!(met(&[1.0, 1.0, 90.0], &[1.0, 1.0, 9.0], Bound::Ratio(1.0)), Some(true));
        assert_eq!(met(&[9.0, 9.0, 1.0], &[1.0, 1.0, 9.0], Bound::Ratio(1.0)), Some(false));
    }

    #[test]
    fn a_figure_that_is_no_number_meets_nothing() {
        assert_eq!(met(&[0.0], &[0.0], Bound::Ratio(1.0)), Some(false));
    }

    #[test]
    fn quartiles_are_samples() {
        assert_eq!(quartiles(vec![5.0, 1.0, 3.0, 2.0, 4.0]), [2.0, 3.0, 4.0]);
        assert_eq!(quartiles(vec![7.0]), [7.0; 3]);
    }
}
