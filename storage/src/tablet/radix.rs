//! Radix sort of integers, least significant digit first: stable, and linear in the rows.

/// Bits of a digit: the counters of one pass stay in the first-level cache, and the streams it writes in
/// the translation buffer.
const DIGIT_BITS: u32 = 11;

/// Sorts `items` by the bits `low..high` of `key`, stable; `spare` is room for a second copy.
pub(crate) fn sort<T: Copy + Default>(
    items: &mut Vec<T>,
    spare: &mut Vec<T>,
    low: u32,
    high: u32,
    key: impl Fn(&T) -> u64 + Copy,
) {
    let bits = high.saturating_sub(low);
    if bits == 0 || items.len() < 2 {
        return;
    }
    let passes = bits.div_ceil(DIGIT_BITS);
    let width = bits.div_ceil(passes);
    let mask = (1u64 << width) - 1;
    let buckets = 1usize << width;
    let mut counts = vec![0u32; buckets * passes as usize];
    for item in items.iter() {
        let mut rest = key(item) >> low;
        for of_pass in counts.chunks_exact_mut(buckets) {
            of_pass[(rest & mask) as usize] += 1;
            rest >>= width;
        }
    }
    spare.clear();
    spare.resize(items.len(), T::default());
    for (pass, of_pass) in (0..).zip(counts.chunks_exact_mut(buckets)) {
        // All rows share this digit: nothing moves.
        if of_pass.iter().any(|count| *count as usize == items.len()) {
            continue;
        }
        let mut place = 0;
        for count in of_pass.iter_mut() {
            place += std::mem::replace(count, place);
        }
        let shift = low + pass * width;
        for item in items.iter() {
            let place = &mut of_pass[((key(item) >> shift) & mask) as usize];
            spare[*place as usize] = *item;
            *place += 1;
        }
        std::mem::swap(items, spare);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn sorts_like_a_stable_sort(keys in prop::collection::vec(0u64..1 << 40, 0..2000), low in 0u32..20) {
            let mut items: Vec<(u64, u32)> = keys.into_iter().zip(0..).collect();
            let mut model = items.clone();
            let mask = ((1u64 << 40) - 1) >> low << low;
            model.sort_by_key(|(key, _)| key & mask);
            super::sort(&mut items, &mut Vec::new(), low, 40, |(key, _)| *key);
            prop_assert_eq!(items, model);
        }

        #[test]
        fn all_64_bits(mut items: Vec<u64>) {
            let mut model = items.clone();
            model.sort_unstable();
            super::sort(&mut items, &mut Vec::new(), 0, 64, |item| *item);
            prop_assert_eq!(items, model);
        }
    }
}
