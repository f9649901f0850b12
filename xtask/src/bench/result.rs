//! What a bench program prints: `{"rounds", "planted", "cells": [..]}` on one line, each cell
//!
//! ```json
//! {"name": "spawn", "unit": "ns",
//!  "ours": {"of": "TaskSet", "samples": [210.5, 204.1]},
//!  "peer": {"of": "JoinSet", "samples": [250.0, 249.7]},
//!  "bound": {"of": "ratio", "max": 1.0}}
//! ```
//!
//! with one sample a round. `peer` and `bound` may be null; a bound is of the `ratio`, of the `excess` of ours over
//! the peer's, or of our own `value`; of the latter there may be a `min` instead.
//!
//! There may be `must_catch`, a list of beginnings of names: of each such kind one cell at least must miss its target
//! when the fault is planted. Without it that is asked of one cell of all.

use serde_json::Value;

/// One line of a result.
#[derive(Debug, PartialEq)]
pub(super) struct Cell {
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) ours: Series,
    pub(super) peer: Option<Series>,
    pub(super) bound: Option<Bound>,
}

/// One contender's samples, one a round.
#[derive(Debug, PartialEq)]
pub(super) struct Series {
    pub(super) of: String,
    pub(super) samples: Vec<f64>,
}

/// What is asked of the median.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bound {
    Ratio(f64),
    Excess(f64),
    Value(f64),
    /// The one that more is better of.
    AtLeast(f64),
}

/// Reads the cells of a result; one that is incomplete is refused, lest a target go unjudged.
pub(super) fn read(result: &Value) -> Result<Vec<Cell>, String> {
    let cells = result["cells"].as_array().ok_or("the result has no `cells`")?;
    if cells.is_empty() {
        return Err("the result has no cell in it".to_owned());
    }
    cells.iter().map(cell).collect()
}

/// The kinds of cells that must catch the planted fault; one that no target belongs to is refused.
pub(super) fn must_catch(result: &Value, cells: &[Cell]) -> Result<Vec<String>, String> {
    let Some(kinds) = result["must_catch"].as_array() else { return Ok(vec![String::new()]) };
    let kinds: Option<Vec<String>> = kinds.iter().map(|kind| kind.as_str().map(str::to_owned)).collect();
    let kinds = kinds.filter(|kinds| !kinds.is_empty()).ok_or("`must_catch` is no list of names")?;
    let is_judged =
        |kind: &String| cells.iter().any(|cell| cell.bound.is_some() && cell.name.starts_with(kind.as_str()));
    match kinds.iter().find(|kind| !is_judged(kind)) {
        Some(kind) => Err(format!("`must_catch` has `{kind}`, and no target is of it")),
        None => Ok(kinds),
    }
}

fn cell(value: &Value) -> Result<Cell, String> {
    let name = text(value, "name")?;
    let at = |problem: String| format!("cell `{name}`: {problem}");
    let ours = series(&value["ours"]).map_err(at)?;
    let peer = if value["peer"].is_null() { None } else { Some(series(&value["peer"]).map_err(at)?) };
    let bound = if value["bound"].is_null() { None } else { Some(bound(&value["bound"]).map_err(at)?) };
    if peer.as_ref().is_some_and(|peer| peer.samples.len() != ours.samples.len()) {
        return Err(at("ours and the peer's have not the same number of samples".to_owned()));
    }
    if peer.is_none() && matches!(bound, Some(Bound::Ratio(_) | Bound::Excess(_))) {
        return Err(at("its bound needs a peer".to_owned()));
    }
    Ok(Cell { unit: text(value, "unit")?, ours, peer, bound, name })
}

fn series(value: &Value) -> Result<Series, String> {
    let samples = value["samples"].as_array().into_iter().flatten();
    let samples: Option<Vec<f64>> = samples.map(Value::as_f64).collect();
    match samples {
        Some(samples) if !samples.is_empty() => Ok(Series { of: text(value, "of")?, samples }),
        _ => Err("a series has no samples, or some that are no numbers".to_owned()),
    }
}

fn bound(value: &Value) -> Result<Bound, String> {
    if let ("value", Some(min)) = (value["of"].as_str().unwrap_or_default(), value["min"].as_f64()) {
        return Ok(Bound::AtLeast(min));
    }
    let max = value["max"].as_f64().ok_or("its bound has no `max`")?;
    match value["of"].as_str() {
        Some("ratio") => Ok(Bound::Ratio(max)),
        Some("excess") => Ok(Bound::Excess(max)),
        Some("value") => Ok(Bound::Value(max)),
        other => Err(format!("there is no bound of {other:?}")),
    }
}

fn text(value: &Value, field: &str) -> Result<String, String> {
    value[field].as_str().map(str::to_owned).ok_or_else(|| format!("there is no `{field}`"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn canned() -> Value {
        json!({
            "name": "spawn", "unit": "ns", "bound": { "of": "ratio", "max": 1.2 },
            "ours": { "of": "TaskSet", "samples": [1.0, 2.0] },
            "peer": { "of": "JoinSet", "samples": [3.0, 4.0] },
        })
    }

    #[track_caller]
    fn refused(path: &str, planted: Value, says: &str) {
        let mut cell = canned();
        *cell.pointer_mut(path).expect("it is in the canned cell") = planted;
        let refusal = read(&json!({ "cells": [cell] })).expect_err("it is incomplete");
        assert!(refusal.contains(says), "`{refusal}` does not say `{says}`");
    }

    #[test]
    fn a_cell_is_read() {
        let cells = read(&json!({ "cells": [canned()] })).expect("it is complete");
        assert_eq!(cells[0].ours, Series { of: "TaskSet".to_owned(), samples: vec![1.0, 2.0] });
        assert_eq!(cells[0].bound, Some(Bound::Ratio(1.2)));
    }

    #[test]
    fn a_bound_may_be_from_below() {
        let mut cell = canned();
        cell["bound"] = json!({ "of": "value", "min": 0.99 });
        let cells = read(&json!({ "cells": [cell] })).expect("it is complete");
        assert_eq!(cells[0].bound, Some(Bound::AtLeast(0.99)));
        refused("/bound", json!({ "of": "ratio", "min": 0.99 }), "`max`");
    }

    #[test]
    fn what_must_catch_is_a_kind_of_target() {
        let kinds = |kinds: Value| {
            let cells = read(&json!({ "cells": [canned()] })).expect("it is complete");
            must_catch(&json!({ "must_catch": kinds }), &cells)
        };
        assert_eq!(kinds(Value::Null), Ok(vec![String::new()]));
        assert_eq!(kinds(json!(["sp"])), Ok(vec!["sp".to_owned()]));
        for none in [json!([]), json!(["spawn", "memory"]), json!([1])] {
            assert!(kinds(none.clone()).is_err(), "{none}");
        }
    }

    #[test]
    fn an_incomplete_result_is_refused() {
        refused("/ours/samples", json!([]), "`spawn`: a series has no samples");
        refused("/ours/samples", json!([null, 1.0]), "no numbers");
        refused("/peer/samples", json!([1.0]), "same number");
        refused("/peer", Value::Null, "needs a peer");
        refused("/bound/of", json!("median"), "median");
        refused("/bound/max", Value::Null, "`max`");
        refused("/unit", Value::Null, "`unit`");
        for empty in [json!({}), json!({ "cells": [] })] {
            assert!(read(&empty).is_err(), "{empty}");
        }
    }
}
