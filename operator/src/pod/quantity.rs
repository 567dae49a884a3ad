//! Quantities as Kubernetes writes them.

/// Thousandths of a quantity (`500m`, `2`, `1.5Gi`), rounded up as Kubernetes does; `None`: not a quantity,
/// or too large.
pub(super) fn thousandths(text: &str) -> Option<u128> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let scale: u128 = match unit {
        "m" => 1,
        "" => 1000,
        "k" => 1000 * 1000,
        "M" => 1000 * 1000_u128.pow(2),
        "G" => 1000 * 1000_u128.pow(3),
        "T" => 1000 * 1000_u128.pow(4),
        "P" => 1000 * 1000_u128.pow(5),
        "Ki" => 1000 << 10,
        "Mi" => 1000 << 20,
        "Gi" => 1000 << 30,
        "Ti" => 1000 << 40,
        "Pi" => 1000 << 50,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u128 = whole.parse().ok()?;
    let places = u32::try_from(fraction.len()).ok().filter(|places| *places <= 18)?;
    let part: u128 = if fraction.is_empty() { 0 } else { fraction.parse().ok()? };
    let of_part = part.checked_mul(scale)?.div_ceil(10_u128.pow(places));
    whole.checked_mul(scale)?.checked_add(of_part)
}

/// Whole units (bytes of a memory quantity); `None`: not a quantity.
pub fn bytes(text: &str) -> Option<u64> {
    u64::try_from(thousandths(text)?.div_ceil(1000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_as_kubernetes_reads_them() {
        for (text, expected) in [
            ("2", Some(2)),
            ("1Gi", Some(1 << 30)),
            ("1.5Gi", Some(3 << 29)),
            ("128M", Some(128_000_000)),
            ("500m", Some(1)),
            ("0.1", Some(1)),
            ("1e3", None),
            ("-1", None),
            ("", None),
            ("Gi", None),
            ("1GiB", None),
        ] {
            assert_eq!(bytes(text), expected, "{text}");
        }
        assert!(thousandths("500m").unwrap() < thousandths("1").unwrap());
    }
}
