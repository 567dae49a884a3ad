//! Parquet.

use super::load_all;

#[test]
fn files_of_parquet_by_every_writer_load_as_they_were_meant() {
    let (loaded, refused) = load_all("parquet");
    assert_eq!((loaded.len(), refused.len()), (79, 5), "{loaded:?} {refused:?}");
}
