//! Names that someone may have meant.

/// Most names that a message lists.
const LISTED: usize = 3;
/// Most characters that are compared: names are shorter, and the comparison is quadratic.
const COMPARED: usize = 64;

/// The known names nearest to `name`, as the end of a message: `; did you mean a, b?`, or nothing.
pub(crate) fn near<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let wanted = name.to_lowercase();
    let limit = 1 + wanted.chars().count() / 4;
    let mut found: Vec<(usize, &str)> = known
        .into_iter()
        .map(|other| (distance(&wanted, &other.to_lowercase()), other))
        .filter(|(distance, other)| *distance <= limit || contains(other, &wanted))
        .collect();
    found.sort_unstable();
    found.dedup();
    let names: Vec<&str> = found.into_iter().take(LISTED).map(|(_, name)| name).collect();
    if names.is_empty() { String::new() } else { format!("; did you mean {}?", names.join(", ")) }
}

fn contains(known: &str, wanted: &str) -> bool {
    wanted.len() >= 3 && known.to_lowercase().contains(wanted)
}

/// Least number of characters to insert, delete, replace or swap.
fn distance(one: &str, other: &str) -> usize {
    let one: Vec<char> = one.chars().take(COMPARED).collect();
    let other: Vec<char> = other.chars().take(COMPARED).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (row, a) in one.iter().enumerate() {
        let mut next = vec![row + 1];
        for (column, b) in other.iter().enumerate() {
            let mut cost =
                (last[column] + usize::from(a != b)).min(last[column + 1] + 1).min(next[column] + 1);
            if row > 0 && column > 0 && *a == other[column - 1] && one[row - 1] == *b {
                cost = cost.min(before[column - 1] + 1);
            }
            next.push(cost);
        }
        before = std::mem::replace(&mut last, next);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_names_come_nearest_first() {
        assert_eq!(near("Timstamp", ["UserID", "Timestamp", "ItemID"]), "; did you mean Timestamp?");
        assert_eq!(near("str_to_dtae", ["str_to_date", "to_date"]), "; did you mean str_to_date?");
        assert_eq!(near("completely_else", ["a", "b"]), "");
        assert_eq!(near("useridd", ["UserID", "UserIDs"]), "; did you mean UserID, UserIDs?");
    }
}
