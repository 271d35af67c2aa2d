//! How long from hand-in to validation, as a record claims it, and the bucket of the histogram that it falls into.

use schema::event::WorkSubmitted;

/// Below this many seconds each second has a bucket of its own.
const EXACT_SECONDS: u64 = 64;

/// The work was validated before it was handed in, if the record is to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Negative;

/// Whole seconds from hand-in to validation; none where the record does not state both.
pub(super) fn of(work: &WorkSubmitted) -> Option<Result<u64, Negative>> {
    let submitted = work.submitted_at.as_ref()?.get().exact();
    let validated = work.validated_at.as_ref()?.get().exact();
    if validated < submitted {
        return Some(Err(Negative));
    }
    Some(u64::try_from((validated - submitted).num_seconds()).map_err(|_| Negative))
}

/// The bucket of a latency: the inverse of `log.latency_floor`. From 64 seconds on there are 32 buckets to each doubling.
pub(super) fn bucket(seconds: u64) -> i32 {
    let number = if seconds < EXACT_SECONDS {
        seconds
    } else {
        let shift = seconds.ilog2() - 5;
        u64::from(shift) * 32 + (seconds >> shift)
    };
    i32::try_from(number).expect("64 bits are less than 64 doublings of 32 buckets")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floor(bucket: i32) -> u64 {
        let bucket = u64::try_from(bucket).expect("not negative");
        if bucket < 64 { bucket } else { (32 + bucket % 32) << (bucket / 32 - 1) }
    }

    #[test]
    fn a_bucket_holds_what_lies_between_its_floor_and_the_next() {
        for seconds in (0..5_000).chain([86_400, 1 << 31, u64::MAX >> 1]) {
            let bucket = bucket(seconds);
            assert!(floor(bucket) <= seconds, "{seconds} in bucket {bucket}");
            assert!(u128::from(seconds) < u128::from(floor(bucket + 1)), "{seconds} in bucket {bucket}");
        }
        assert_eq!((bucket(63), bucket(64), bucket(65), bucket(66), bucket(128)), (63, 64, 64, 65, 96));
    }
}
