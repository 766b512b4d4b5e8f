//! Maps of which there is one for each function, and which hold an alias or two: sorted and no larger than what is in them.
//!
//! A `BTreeMap` makes room for eleven entries at once; over ten thousand functions that came to more than all the rest.

use litemap::LiteMap;

/// Collects a map that has room for its entries and no more.
pub fn few<K: Ord, V>(entries: impl IntoIterator<Item = (K, V)>) -> LiteMap<K, V> {
    let mut sorted = LiteMap::from_iter(entries).into_tuple_vec();
    sorted.shrink_to_fit();
    LiteMap::from_sorted_store_unchecked(sorted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_later_of_two_entries_stands_and_there_is_no_room_to_spare() {
        let map = few([(2, 'b'), (1, 'a'), (2, 'c')]);
        assert_eq!(map.iter().collect::<Vec<_>>(), [(&1, &'a'), (&2, &'c')]);
        assert_eq!(map.into_tuple_vec().capacity(), 2);
        assert_eq!(few::<u8, u8>([]).into_tuple_vec().capacity(), 0);
    }
}
