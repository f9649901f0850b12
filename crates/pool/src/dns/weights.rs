//! What the weights of SRV records come to beside each other.

use super::message::Service;

/// How much smaller than the smallest weight the share of a weight of zero is.
const ABOVE_ZERO: u32 = 16;

/// The weight of each, none of them zero. In order of priority is how they come, and how they are compared.
///
/// RFC 2782: a weight of zero says that its record has a very small chance beside others of its priority that have one.
/// Where all are zero there is nothing to choose between them.
pub(super) fn weights(services: &[Service]) -> impl Iterator<Item = u32> {
    services.chunk_by(|one, other| one.priority == other.priority).flat_map(|group| {
        let has_zero = group.iter().any(|service| service.weight == 0);
        let has_more = group.iter().any(|service| service.weight > 0);
        group.iter().map(move |service| match service.weight {
            0 => 1,
            weight if has_zero && has_more => u32::from(weight) * ABOVE_ZERO,
            weight => weight.into(),
        })
    })
}

#[cfg(test)]
mod tests {
    use hickory_proto::rr::Name;

    use super::*;

    #[track_caller]
    fn check(ranks: &[(u16, u16)], expected: &[u32]) {
        let service = |&(priority, weight): &(u16, u16)| Service { priority, weight, port: 1, target: Name::root() };
        let services: Vec<_> = ranks.iter().map(service).collect();
        assert_eq!(weights(&services).collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_weight_of_zero_is_a_small_one_unless_all_are_zero() {
        check(&[], &[]);
        check(&[(0, 10), (0, 30)], &[10, 30]);
        check(&[(0, 0), (0, 0)], &[1, 1]);
        check(&[(0, 0), (0, 1), (0, 65_535)], &[1, 16, 1_048_560]);
        check(&[(0, 0), (1, 5), (2, 0), (2, 2)], &[1, 5, 1, 32]);
    }
}
